# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from grpc import StatusCode

from almoner.v1.profile_pb2 import LinkCounts
from tests.refusals import refusal_of
from tests.service.profiles.desk import CONNECTION, CUSTOMER, DATA_SOURCE, P, ProfileLink, open_desk, own

if TYPE_CHECKING:
    from tests.service.profiles.desk import Desk

KINDS = [DATA_SOURCE, CONNECTION, CUSTOMER]
TEXTS: dict[str, Any] = {
    "external_id": "503",
    "name": "Sales",
    "description": "of the\nwest",
    "provider": "salesforce",
    "attributes": {"folder_id": "7", "empty": ""},
}


@pytest.mark.parametrize("kind", KINDS)
async def test_a_link_is_stored_with_all_its_members(desk: Desk, kind: Any) -> None:
    made = await desk.create(own())
    link = await desk.link(kind, made, **TEXTS)
    assert link.id > 0
    assert link.organization_id == desk.organization.id
    assert (link.kind, link.profile_id) == (kind, made.id)
    assert (link.external_id, link.name, link.description) == ("503", "Sales", "of the\nwest")
    assert (link.provider, dict(link.attributes)) == ("salesforce", {"folder_id": "7", "empty": ""})
    assert link.etag == '"1"'
    assert link.create_time == link.update_time
    assert await desk.get_link(link.id) == link


@pytest.mark.parametrize("kind", [DATA_SOURCE, CONNECTION])
async def test_a_thing_may_use_no_profile_at_present(desk: Desk, kind: Any) -> None:
    assert (await desk.link(kind, name="waiting")).profile_id == 0


async def test_the_links_of_a_profile_are_counted_by_kind(desk: Desk) -> None:
    made, other = await desk.create(own()), await desk.create(own())
    for kind, count in ((DATA_SOURCE, 1), (CONNECTION, 2), (CUSTOMER, 3)):
        for _ in range(count):
            await desk.link(kind, made)
    await desk.link(DATA_SOURCE)
    counts = LinkCounts(data_sources=1, connections=2, customers=3)
    assert (await desk.get(made.id)).link_counts == counts
    assert (await desk.get(other.id)).link_counts == LinkCounts()
    assert [profile.link_counts for profile in (await desk.page()).profiles] == [counts, LinkCounts()]


INVALID: dict[str, tuple[ProfileLink | None, str]] = {
    "no link": (None, "link"),
    "no kind": (ProfileLink(name="n"), "link.kind"),
    "no such kind": (ProfileLink(kind=99), "link.kind"),  # type: ignore[arg-type]
    "a customer of no profile": (ProfileLink(kind=CUSTOMER), "link.profile_id"),
    "profile -1": (ProfileLink(kind=DATA_SOURCE, profile_id=-1), "link.profile_id"),
    "a long external id": (ProfileLink(kind=DATA_SOURCE, external_id="x" * 256), "link.external_id"),
    "a long name": (ProfileLink(kind=DATA_SOURCE, name="x" * 256), "link.name"),
    "a name of two lines": (ProfileLink(kind=DATA_SOURCE, name="a\nb"), "link.name"),
    "a long description": (ProfileLink(kind=DATA_SOURCE, description="x" * 4097), "link.description"),
    "a long provider": (ProfileLink(kind=DATA_SOURCE, provider="x" * 256), "link.provider"),
    "many attributes": (
        ProfileLink(kind=DATA_SOURCE, attributes={f"a{n}": "" for n in range(33)}),
        "link.attributes",
    ),
    "a name of an attribute": (ProfileLink(kind=DATA_SOURCE, attributes={"No": ""}), "link.attributes[No]"),
    "a long attribute": (ProfileLink(kind=DATA_SOURCE, attributes={"a": "x" * 1025}), "link.attributes[a]"),
}


@pytest.mark.parametrize(("link", "field"), INVALID.values(), ids=INVALID)
async def test_a_member_at_fault_is_named_and_nothing_is_stored(
    desk: Desk, link: ProfileLink | None, field: str
) -> None:
    refusal = await refusal_of(desk.call("CreateProfileLink", link=link))
    assert (refusal.code, refusal.reason, refusal.fields) == (StatusCode.INVALID_ARGUMENT, "INVALID_FIELD", [field])
    assert await desk.link_names() == []


async def test_a_profile_that_does_not_exist_cannot_be_used(desk: Desk) -> None:
    foreign = await (await open_desk(desk.almoner)).create(own())
    link = await desk.link(DATA_SOURCE)
    for profile_id in (2**40, foreign.id):
        wanted = ProfileLink(id=link.id, kind=DATA_SOURCE, profile_id=profile_id)
        for call in (desk.call("CreateProfileLink", link=wanted), desk.update_link(wanted, "profile_id")):
            refusal = await refusal_of(call)
            assert (refusal.code, refusal.reason) == (StatusCode.NOT_FOUND, "PROFILE_NOT_FOUND")
            assert (refusal.fields, refusal.metadata) == (["link.profile_id"], {"id": str(profile_id)})


async def test_a_thing_uses_a_profile_once(desk: Desk) -> None:
    made = await desk.create(own())
    first = await desk.link(CONNECTION, made, external_id="503")
    refusal = await refusal_of(desk.link(CONNECTION, made, external_id="503", name="twin"))
    assert (refusal.code, refusal.reason) == (StatusCode.ALREADY_EXISTS, "ALREADY_EXISTS")
    assert refusal.metadata == {"id": str(first.id)}
    assert (await desk.get(made.id)).link_counts.connections == 1


async def test_what_differs_in_kind_profile_or_id_is_no_twin(desk: Desk) -> None:
    made, other = await desk.create(own()), await desk.create(own())
    await desk.link(CONNECTION, made, external_id="503")
    await desk.link(DATA_SOURCE, made, external_id="503")
    await desk.link(CONNECTION, other, external_id="503")
    await desk.link(CONNECTION, made, external_id="504")
    assert len(await desk.link_names()) == 4


async def test_what_has_no_id_or_no_profile_has_no_twin(desk: Desk) -> None:
    made = await desk.create(own())
    for _ in range(2):
        await desk.link(CONNECTION, made)
        await desk.link(CONNECTION, external_id="503")
    assert len(await desk.link_names()) == 4


async def test_an_update_makes_no_twin(desk: Desk) -> None:
    made, other = await desk.create(own()), await desk.create(own())
    first = await desk.link(CONNECTION, made, external_id="503")
    second = await desk.link(CONNECTION, other, external_id="503")
    refusal = await refusal_of(desk.update_link(ProfileLink(id=second.id, profile_id=made.id), "profile_id"))
    assert (refusal.code, refusal.metadata) == (StatusCode.ALREADY_EXISTS, {"id": str(first.id)})
    assert await desk.get_link(second.id) == second


async def test_a_link_is_not_its_own_twin(desk: Desk) -> None:
    made = await desk.create(own())
    link = await desk.link(CONNECTION, made, external_id="503")
    assert (await desk.update_link(ProfileLink(id=link.id, external_id="503", profile_id=made.id))).etag == '"2"'


async def test_of_many_twins_at_once_one_is_made(desk: Desk) -> None:
    made = await desk.create(own())
    calls = [desk.link(CONNECTION, made, external_id="503") for _ in range(8)]
    results = await asyncio.gather(*calls, return_exceptions=True)
    codes = [result.code() for result in results if isinstance(result, BaseException) and hasattr(result, "code")]
    assert codes == [StatusCode.ALREADY_EXISTS] * 7
    assert (await desk.get(made.id)).link_counts.connections == 1


AFTER: dict[str, Any] = {
    "external_id": "504",
    "name": "Support",
    "description": "of the east",
    "provider": "zendesk",
    "attributes": {"folder_id": "8"},
}


@pytest.mark.parametrize("path", [*AFTER, "profile_id"])
async def test_a_path_changes_its_member_and_no_other(desk: Desk, path: str) -> None:
    made, other = await desk.create(own()), await desk.create(own())
    before = await desk.link(CONNECTION, made, **TEXTS)
    wanted = ProfileLink(id=before.id, profile_id=other.id, **AFTER)
    after = await desk.update_link(wanted, path)
    expected = ProfileLink()
    expected.CopyFrom(before)
    expected.ClearField(path)  # type: ignore[arg-type]
    picked: dict[str, Any] = {path: other.id if path == "profile_id" else AFTER[path]}
    expected.MergeFrom(ProfileLink(**picked))
    expected.etag = '"2"'
    expected.update_time.CopyFrom(after.update_time)
    assert after == expected
    assert after.update_time.ToMicroseconds() > before.update_time.ToMicroseconds()
    assert await desk.get_link(before.id) == after


async def test_without_paths_what_is_populated_changes(desk: Desk) -> None:
    made = await desk.create(own())
    link = await desk.link(CONNECTION, made, **TEXTS)
    after = await desk.update_link(ProfileLink(id=link.id, name="Support"))
    assert (after.name, after.description, after.profile_id) == ("Support", "of the\nwest", made.id)
    assert dict(after.attributes) == {"folder_id": "7", "empty": ""}


async def test_a_star_replaces_the_whole_but_the_kind(desk: Desk) -> None:
    made = await desk.create(own())
    link = await desk.link(CONNECTION, made, **TEXTS)
    after = await desk.update_link(ProfileLink(id=link.id, name="Support"), "*")
    assert (after.kind, after.name, after.profile_id) == (CONNECTION, "Support", 0)
    assert (after.external_id, after.description, after.provider, dict(after.attributes)) == ("", "", "", {})


async def test_a_customer_keeps_a_profile(desk: Desk) -> None:
    made = await desk.create(own())
    link = await desk.link(CUSTOMER, made)
    refusal = await refusal_of(desk.update_link(ProfileLink(id=link.id), "profile_id"))
    assert (refusal.reason, refusal.fields) == ("INVALID_FIELD", ["link.profile_id"])


@pytest.mark.parametrize(
    "path", ["kind", "id", "organization_id", "etag", "create_time", "update_time", "attributes.folder_id", "nonsense"]
)
async def test_other_paths_are_refused(desk: Desk, path: str) -> None:
    link = await desk.link(CONNECTION)
    refusal = await refusal_of(desk.update_link(ProfileLink(id=link.id, kind=DATA_SOURCE), path))
    assert (refusal.code, refusal.reason) == (StatusCode.INVALID_ARGUMENT, "INVALID_UPDATE_MASK")
    assert refusal.metadata == {"path": path}


async def test_an_etag_decides_whether_a_link_is_changed_and_deleted(desk: Desk) -> None:
    link = await desk.link(CONNECTION)
    for call in (
        desk.update_link(ProfileLink(id=link.id, name="n"), etag='"2"'),
        desk.call("DeleteProfileLink", id=link.id, etag='"2"'),
    ):
        refusal = await refusal_of(call)
        assert (refusal.code, refusal.reason, refusal.metadata) == (
            StatusCode.ABORTED, "ETAG_MISMATCH", {"etag": '"1"'},
        )  # fmt: skip
    await desk.update_link(ProfileLink(id=link.id, name="n"), etag='"1"')
    await desk.call("DeleteProfileLink", id=link.id, etag='"2"')
    assert await desk.link_names() == []


async def test_what_does_not_exist_cannot_be_read_changed_or_deleted(desk: Desk) -> None:
    for link_id in (0, -1, 2**63 - 1):
        for call in (
            desk.get_link(link_id),
            desk.update_link(ProfileLink(id=link_id, name="n")),
            desk.call("DeleteProfileLink", id=link_id),
        ):
            refusal = await refusal_of(call)
            assert (refusal.code, refusal.reason) == (StatusCode.NOT_FOUND, "PROFILE_LINK_NOT_FOUND")
            assert refusal.metadata == {"id": str(link_id)}


async def test_a_link_exists_for_its_creator_and_for_whoever_reaches_its_profile(desk: Desk) -> None:
    owner, other = await desk.user(), await desk.user()
    made = await desk.create(own(), owner.by)
    link = await desk.link(CONNECTION, made)
    assert await desk.get_link(link.id, owner.by) == link
    assert (await refusal_of(desk.get_link(link.id, other.by))).reason == "PROFILE_LINK_NOT_FOUND"
    assert (len(await desk.link_names(owner.by)), len(await desk.link_names(other.by))) == (1, 0)

    loose = await desk.link(CONNECTION, by=other.by)
    assert await desk.get_link(loose.id, other.by) == loose
    assert await desk.get_link(loose.id) == loose
    assert (await refusal_of(desk.get_link(loose.id, owner.by))).reason == "PROFILE_LINK_NOT_FOUND"


async def test_a_profile_that_is_not_reached_cannot_be_used(desk: Desk) -> None:
    other = await desk.user()
    made = await desk.create(own())
    refusal = await refusal_of(desk.link(CONNECTION, made, by=other.by))
    assert (refusal.code, refusal.reason) == (StatusCode.NOT_FOUND, "PROFILE_NOT_FOUND")


async def test_who_reaches_a_link_still_needs_the_permission_to_change_it(desk: Desk) -> None:
    viewer = await desk.person(P.LINKS_VIEW, P.PROFILES_ALL)
    link = await desk.link(CONNECTION)
    assert await desk.get_link(link.id, viewer.by) == link
    for call in (
        desk.link(CONNECTION, by=viewer.by),
        desk.update_link(ProfileLink(id=link.id, name="n"), by=viewer.by),
        desk.call("DeleteProfileLink", viewer.by, id=link.id),
    ):
        refusal = await refusal_of(call)
        assert (refusal.code, refusal.metadata) == (StatusCode.PERMISSION_DENIED, {"permission": "LINKS_MANAGE"})


async def test_links_are_audited(desk: Desk) -> None:
    made = await desk.create(own())
    link = await desk.link(CONNECTION, made, **TEXTS)
    await desk.update_link(ProfileLink(id=link.id, name="Support"))
    await desk.call("DeleteProfileLink", id=link.id)
    (created,) = await desk.events("profile_link.create")
    (updated,) = await desk.events("profile_link.update")
    (deleted,) = await desk.events("profile_link.delete")
    assert {created.resource, updated.resource, deleted.resource} == {f"links/{link.id}"}
    assert created.changes["profile_id"] == [None, made.id]
    assert created.changes["external_id"] == [None, "503"]
    assert updated.changes == {"name": ["Sales", "Support"]}
    assert deleted.changes == {}
