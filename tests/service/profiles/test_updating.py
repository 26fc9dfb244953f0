# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from grpc import StatusCode

from almoner.v1.profile_pb2 import StoredSecrets
from tests.refusals import refusal_of
from tests.service.profiles.desk import TOKENS, Credentials, Profile, own

if TYPE_CHECKING:
    from tests.service.profiles.desk import Desk

FULL = own(
    "Before", description="before", access_token="a-before", refresh_token="r-before", verification_token="v-before"
)

AFTER: dict[str, Any] = {
    "name": "After",
    "description": "after",
    "provider": "slack",
    "access_token": "a-after",
    "refresh_token": "r-after",
    "verification_token": "v-after",
}


def changed_to(profile: Profile, **members: Any) -> Profile:
    """Returns an update of a profile."""
    return Profile(id=profile.id, **members)


def shown(profile: Profile) -> dict[str, Any]:
    """Returns what a revision has that the next one could have otherwise."""
    members = ("name", "description", "provider", "client_id", "access_token", "refresh_token")
    return {member: getattr(profile, member) for member in members}


@pytest.mark.parametrize("path", AFTER)
async def test_a_path_changes_its_member_and_no_other(desk: Desk, path: str) -> None:
    before = await desk.create(FULL, view=TOKENS)
    row_before = await desk.row(before)
    update = changed_to(before, client=Credentials(client_id="new", client_secret="new"), **AFTER)
    after = await desk.update(update, path, view=TOKENS)
    row_after = await desk.row(before)

    assert shown(after) == {**shown(before), **({path: AFTER[path]} if path in shown(before) else {})}
    changed = {name for name in row_before._fields if getattr(row_before, name) != getattr(row_after, name)}
    fence = {"fence"} if path == "refresh_token" else set()
    assert changed == {path, "updated", "revision"} | fence
    assert await desk.get(before.id, view=TOKENS) == after


@pytest.mark.parametrize(
    ("path", "changed"),
    [
        ("client", {"client_id", "client_secret"}),
        ("client.client_id", {"client_id"}),
        ("client.client_secret", {"client_secret"}),
    ],
)
async def test_a_path_of_the_credentials_changes_them(desk: Desk, path: str, changed: set[str]) -> None:
    before = await desk.create(FULL)
    row_before = await desk.row(before)
    await desk.update(changed_to(before, client=Credentials(client_id="new", client_secret="new"), **AFTER), path)
    row_after = await desk.row(before)
    assert {name for name in row_before._fields if getattr(row_before, name) != getattr(row_after, name)} == {
        *changed, "updated", "revision",
    }  # fmt: skip


@pytest.mark.parametrize("path", ["description", "access_token", "refresh_token", "verification_token"])
async def test_a_path_without_a_value_empties_the_member(desk: Desk, path: str) -> None:
    made = await desk.create(FULL)
    await desk.update(changed_to(made), path)
    assert not getattr(await desk.row(made), path)


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("name", "profile.name"),
        ("provider", "profile.provider"),
        ("client.client_id", "profile.client.client_id"),
        ("client.client_secret", "profile.client.client_secret"),
    ],
)
async def test_what_is_required_cannot_be_emptied(desk: Desk, path: str, field: str) -> None:
    made = await desk.create(FULL)
    refusal = await refusal_of(desk.update(changed_to(made), path))
    assert (refusal.code, refusal.reason) == (StatusCode.INVALID_ARGUMENT, "INVALID_FIELD")
    assert refusal.fields == [field]
    assert await desk.get(made.id) == made


async def test_both_halves_of_the_credentials_cannot_be_emptied(desk: Desk) -> None:
    made = await desk.create(FULL)
    refusal = await refusal_of(desk.update(changed_to(made), "client"))
    assert (refusal.reason, refusal.fields) == ("INVALID_FIELD", ["profile.application_number"])


async def test_without_paths_what_is_populated_changes(desk: Desk) -> None:
    made = await desk.create(FULL)
    after = await desk.update(
        changed_to(made, description="after", client=Credentials(client_id="new"), access_token="a-after"), view=TOKENS
    )
    assert shown(after) == {
        "name": "Before",
        "description": "after",
        "provider": "hubspot",
        "client_id": "new",
        "access_token": "a-after",
        "refresh_token": "r-before",
    }
    assert after.stored.client_secret


async def test_without_paths_populated_output_only_members_are_ignored(desk: Desk) -> None:
    made = await desk.create(FULL)
    read = await desk.get(made.id)
    read.name = "After"
    after = await desk.update(read)
    assert (after.name, after.description, after.stored) == ("After", "before", made.stored)


async def test_a_star_replaces_the_whole(desk: Desk) -> None:
    made = await desk.create(FULL)
    after = await desk.update(
        changed_to(made, name="After", provider="slack", client=Credentials(client_id="new", client_secret="new")),
        "*",
        view=TOKENS,
    )
    assert shown(after) == {
        "name": "After",
        "description": "",
        "provider": "slack",
        "client_id": "new",
        "access_token": "",
        "refresh_token": "",
    }
    assert after.stored == StoredSecrets(client_secret=True)


async def test_a_star_requires_what_creation_requires(desk: Desk) -> None:
    made = await desk.create(FULL)
    refusal = await refusal_of(desk.update(changed_to(made, name="After"), "*"))
    assert (refusal.reason, refusal.fields) == ("INVALID_FIELD", ["profile.application_number"])
    assert await desk.get(made.id) == made


@pytest.mark.parametrize(
    "paths",
    [
        ["nonsense"],
        ["Name"],
        ["name "],
        ["profile.name"],
        ["client.nonsense"],
        ["client.client_id.x"],
        ["*", "name"],
        ["id"],
        ["organization_id"],
        ["owner_id"],
        ["creator_id"],
        ["client_id"],
        ["authorize_uri"],
        ["token_uri"],
        ["scope"],
        ["stored"],
        ["stored.access_token"],
        ["link_counts"],
        ["create_time"],
        ["update_time"],
        ["etag"],
        ["source"],
    ],
    ids="+".join,
)
async def test_other_paths_are_refused(desk: Desk, paths: list[str]) -> None:
    made = await desk.create(FULL)
    refusal = await refusal_of(desk.update(changed_to(made, name="After"), "description", *paths))
    assert (refusal.code, refusal.reason) == (StatusCode.INVALID_ARGUMENT, "INVALID_UPDATE_MASK")
    assert refusal.fields == ["update_mask"]
    assert refusal.metadata == {"path": paths[0]}
    assert await desk.get(made.id) == made


async def test_a_path_may_be_named_twice(desk: Desk) -> None:
    made = await desk.create(FULL)
    assert (await desk.update(changed_to(made, name="After"), "name", "name")).name == "After"


@pytest.mark.parametrize("paths", [[], ["application_number"], ["*"], ["application_number", "client"]])
async def test_an_application_takes_the_place_of_credentials(desk: Desk, paths: list[str]) -> None:
    application = await desk.application()
    made = await desk.create(FULL)
    after = await desk.update(changed_to(made, name="Before", application_number=application.number), *paths)
    assert after.application_number == application.number
    assert (after.provider, after.client_id) == ("google_analytics", "id-at-the-provider")
    assert not after.stored.client_secret
    row = await desk.row(made)
    assert (row.client_secret, row.client_id, row.provider) == (None, "", "")


@pytest.mark.parametrize("paths", [[], ["client", "provider"], ["application_number", "client", "provider"], ["*"]])
async def test_credentials_take_the_place_of_an_application(desk: Desk, paths: list[str]) -> None:
    application = await desk.application()
    made = await desk.create(Profile(name="Before", application_number=application.number))
    after = await desk.update(
        changed_to(made, name="Before", provider="slack", client=Credentials(client_id="new", client_secret="new")),
        *paths,
    )
    assert after.WhichOneof("source") == "client"
    assert (after.provider, after.client_id, after.authorize_uri) == ("slack", "new", "")
    assert after.stored.client_secret


async def test_there_and_back_again_needs_the_credentials_anew(desk: Desk) -> None:
    application = await desk.application()
    made = await desk.create(FULL)
    await desk.update(changed_to(made, application_number=application.number))
    refusal = await refusal_of(desk.update(changed_to(made, provider="slack", client=Credentials(client_id="our-id"))))
    assert (refusal.reason, refusal.fields) == ("INVALID_FIELD", ["profile.client.client_secret"])
    refusal = await refusal_of(desk.update(changed_to(made, client=Credentials(client_id="our-id", client_secret="s"))))
    assert (refusal.reason, refusal.fields) == ("INVALID_FIELD", ["profile.provider"])


async def test_tokens_stay_when_the_source_changes(desk: Desk) -> None:
    application = await desk.application()
    made = await desk.create(FULL)
    after = await desk.update(changed_to(made, application_number=application.number), view=TOKENS)
    assert (after.access_token, after.refresh_token) == ("a-before", "r-before")


async def test_an_application_can_be_exchanged_for_another(desk: Desk) -> None:
    first, second = await desk.application(), await desk.application(provider="hubspot")
    made = await desk.create(Profile(name="n", application_number=first.number))
    assert (await desk.update(changed_to(made, application_number=second.number))).provider == "hubspot"


async def test_an_application_cannot_be_taken_away(desk: Desk) -> None:
    application = await desk.application()
    made = await desk.create(Profile(name="n", application_number=application.number))
    refusal = await refusal_of(desk.update(changed_to(made), "application_number"))
    assert (refusal.reason, refusal.fields) == ("INVALID_FIELD", ["profile.application_number"])


async def test_no_application_takes_nothing_from_credentials(desk: Desk) -> None:
    made = await desk.create(FULL)
    after = await desk.update(changed_to(made, name="After"), "name", "application_number")
    assert (after.name, after.client, after.stored) == ("After", made.client, made.stored)


async def test_the_provider_of_an_application_cannot_be_changed_through_the_profile(desk: Desk) -> None:
    application = await desk.application()
    made = await desk.create(Profile(name="n", application_number=application.number))
    assert (await desk.update(changed_to(made, provider="slack"), "provider")).provider == "google_analytics"


async def test_the_new_application_must_be_one_that_the_profile_can_use(desk: Desk) -> None:
    made = await desk.create(FULL)
    client = await desk.client()
    missing = await refusal_of(desk.update(changed_to(made, application_number=2**40)))
    assert (missing.code, missing.reason) == (StatusCode.NOT_FOUND, "APPLICATION_NOT_FOUND")
    assert missing.fields == ["profile.application_number"]
    wrong = await refusal_of(desk.update(changed_to(made, application_number=client.number)))
    assert (wrong.code, wrong.reason) == (StatusCode.FAILED_PRECONDITION, "WRONG_KIND")
    assert wrong.fields == ["profile.application_number"]
    assert await desk.get(made.id) == made


async def test_an_update_is_held_to_the_same_rules_as_a_creation(desk: Desk) -> None:
    made = await desk.create(FULL)
    refusal = await refusal_of(desk.update(changed_to(made, name="n" * 256, access_token="a\nb"), "description"))
    assert (refusal.reason, sorted(refusal.fields)) == ("INVALID_FIELD", ["profile.access_token", "profile.name"])


ETAGS = {
    "": True,
    '"2"': True,
    "*": True,
    ' "2" ': True,
    '"1", "2"': True,
    '"1","2","3"': True,
    '"1"': False,
    '"3"': False,
    "2": False,
    'W/"2"': False,
    '"2': False,
    '"1", "3"': False,
    "nonsense": False,
}


@pytest.mark.parametrize(("etag", "fits"), ETAGS.items())
async def test_an_etag_decides_whether_the_update_is_made(desk: Desk, *, etag: str, fits: bool) -> None:
    made = await desk.create(FULL)
    second = await desk.update(changed_to(made, name="Second"))
    assert second.etag == '"2"'
    if fits:
        assert (await desk.update(changed_to(made, name="Third"), etag=etag)).etag == '"3"'
        return
    refusal = await refusal_of(desk.update(changed_to(made, name="Third"), etag=etag))
    assert (refusal.code, refusal.reason) == (StatusCode.ABORTED, "ETAG_MISMATCH")
    assert refusal.metadata == {"etag": '"2"'}
    assert await desk.get(made.id) == second


async def test_the_etag_of_the_resource_itself_is_not_looked_at(desk: Desk) -> None:
    made = await desk.create(FULL)
    assert (await desk.update(changed_to(made, name="After", etag='"70"'))).name == "After"


async def test_an_update_moves_the_times_and_the_etag(desk: Desk) -> None:
    made = await desk.create(FULL)
    after = await desk.update(changed_to(made, name="After"))
    assert after.etag == '"2"'
    assert after.create_time == made.create_time
    assert after.update_time.ToMicroseconds() > made.update_time.ToMicroseconds()


async def test_what_does_not_exist_cannot_be_updated(desk: Desk) -> None:
    for profile_id in (0, -1, 2**63 - 1):
        refusal = await refusal_of(desk.update(Profile(id=profile_id, name="After")))
        assert (refusal.code, refusal.reason) == (StatusCode.NOT_FOUND, "PROFILE_NOT_FOUND")
        assert refusal.metadata == {"id": str(profile_id)}


async def test_changes_are_audited_before_and_after_and_secrets_by_a_word(desk: Desk) -> None:
    made = await desk.create(own("Before", access_token="a-before", refresh_token="r-before"))
    await desk.update(
        changed_to(made, name="After", access_token="a-after", verification_token="v-after"),
        "name", "description", "access_token", "refresh_token", "verification_token",
    )  # fmt: skip
    (event,) = await desk.events("profile.update")
    assert event.resource == f"profiles/{made.id}"
    assert event.changes == {
        "name": ["Before", "After"],
        "access_token": "replaced",
        "refresh_token": "cleared",
        "verification_token": "set",
    }


async def test_a_client_secret_that_an_application_makes_useless_is_audited_as_cleared(desk: Desk) -> None:
    application = await desk.application()
    made = await desk.create(own())
    await desk.update(changed_to(made, application_number=application.number))
    (event,) = await desk.events("profile.update")
    assert event.changes == {
        "provider": ["hubspot", ""],
        "application_number": [None, application.number],
        "client_id": ["our-id", ""],
        "client_secret": "cleared",
    }


async def test_secrets_that_were_never_there_are_not_audited(desk: Desk) -> None:
    made = await desk.create(own())
    await desk.update(own("After", id=made.id), "*")
    (event,) = await desk.events("profile.update")
    assert event.changes == {"name": ["Grant", "After"], "client_secret": "replaced"}
