# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from grpc import StatusCode

from tests.refusals import refusal_of
from tests.service.profiles.desk import CONNECTION, CUSTOMER, DATA_SOURCE, own

if TYPE_CHECKING:
    from tests.service.profiles.desk import Desk


async def test_a_deleted_profile_is_gone(desk: Desk) -> None:
    kept, deleted = await desk.create(own("Kept")), await desk.create(own("Deleted"))
    assert await desk.delete(deleted.id) == 0
    assert await desk.names() == ["Kept"]
    for call in (desk.get(deleted.id), desk.delete(deleted.id)):
        refusal = await refusal_of(call)
        assert (refusal.code, refusal.reason) == (StatusCode.NOT_FOUND, "PROFILE_NOT_FOUND")
    assert (await desk.get(kept.id)).name == "Kept"


async def test_an_id_is_never_given_again(desk: Desk) -> None:
    deleted = await desk.create(own())
    await desk.delete(deleted.id)
    assert (await desk.create(own())).id > deleted.id


@pytest.mark.parametrize("kind", [DATA_SOURCE, CONNECTION, CUSTOMER])
@pytest.mark.parametrize("force", [False, True])
async def test_a_profile_in_use_is_deleted_by_force_only(desk: Desk, kind: Any, *, force: bool) -> None:
    made = await desk.create(own())
    await desk.link(kind, made)
    await desk.link(kind, made)
    if force:
        assert await desk.delete(made.id, force=True) == 2
        return
    refusal = await refusal_of(desk.delete(made.id))
    assert (refusal.code, refusal.reason) == (StatusCode.FAILED_PRECONDITION, "PROFILE_IN_USE")
    assert refusal.metadata == {"links": "2"}
    assert await desk.names() == ["Grant"]


async def test_force_unbinds_what_uses_the_profile_and_unassigns_its_customers(desk: Desk) -> None:
    made, other = await desk.create(own()), await desk.create(own("Other"))
    source = await desk.link(DATA_SOURCE, made, external_id="1", name="source")
    connection = await desk.link(CONNECTION, made, external_id="1", name="connection")
    await desk.link(CUSTOMER, made, external_id="1", name="customer")
    kept = await desk.link(CUSTOMER, other, external_id="1", name="kept")

    assert await desk.delete(made.id, force=True) == 3

    assert await desk.link_names() == ["source", "connection", "kept"]
    for before in (source, connection):
        after = await desk.get_link(before.id)
        assert (after.profile_id, after.etag) == (0, '"2"')
        assert after.update_time.ToMicroseconds() > before.update_time.ToMicroseconds()
        assert (after.external_id, after.name, after.create_time) == (
            before.external_id,
            before.name,
            before.create_time,
        )
    assert await desk.get_link(kept.id) == kept


async def test_force_deletes_what_nobody_uses(desk: Desk) -> None:
    made = await desk.create(own())
    assert await desk.delete(made.id, force=True) == 0


async def test_a_link_without_the_profile_does_not_keep_it(desk: Desk) -> None:
    made = await desk.create(own())
    await desk.link(DATA_SOURCE, external_id="1")
    await desk.delete(made.id)
    assert await desk.names() == []


@pytest.mark.parametrize(("etag", "fits"), {'"1"': True, "*": True, '"2"': False, 'W/"1"': False}.items())
async def test_an_etag_decides_whether_the_profile_is_deleted(desk: Desk, *, etag: str, fits: bool) -> None:
    made = await desk.create(own())
    if fits:
        await desk.delete(made.id, etag=etag)
        assert await desk.names() == []
        return
    refusal = await refusal_of(desk.delete(made.id, etag=etag, force=True))
    assert (refusal.code, refusal.reason, refusal.metadata) == (
        StatusCode.ABORTED, "ETAG_MISMATCH", {"etag": '"1"'},
    )  # fmt: skip
    assert await desk.get(made.id) == made


async def test_links_do_not_change_the_etag(desk: Desk) -> None:
    made = await desk.create(own())
    link = await desk.link(DATA_SOURCE, made)
    assert (await desk.get(made.id)).etag == made.etag
    await desk.call("DeleteProfileLink", id=link.id)
    await desk.delete(made.id, etag=made.etag)


async def test_a_deletion_is_audited_with_what_it_released(desk: Desk) -> None:
    made = await desk.create(own())
    await desk.link(DATA_SOURCE, made)
    await desk.delete(made.id, force=True)
    (event,) = await desk.events("profile.delete")
    assert (event.actor, event.resource) == (desk.chief.username, f"profiles/{made.id}")
    assert event.changes == {"links_released": 1}
