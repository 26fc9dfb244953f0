# SPDX-License-Identifier: Apache-2.0
"""`?user=NAME`: an administrator manages a user's profiles in the user's place, by the documented rules."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote

import pytest
from msgspec import UNSET
from sqlalchemy import select

from almoner.v1 import directory_pb2 as pb
from almoner.v1 import directory_service_pb2
from service.audit.tables import AuditEventRow
from service.storage.tables import table_of
from tests.rest import ADMIN, PROFILES, profile_body

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.rest import Answer, Member, Rest, Tenant

USER_ROLE = 2
TENANT_ADMINISTRATOR = 3
OPERATIONS = ("list", "create", "get", "update", "delete", "stats")
TAKES = {
    "list": {pb.PERMISSION_PROFILES_LIST},
    "create": {pb.PERMISSION_PROFILES_CREATE},
    "get": {pb.PERMISSION_PROFILES_GET, pb.PERMISSION_PROFILES_REVEAL},
    "update": {pb.PERMISSION_PROFILES_UPDATE},
    "delete": {pb.PERMISSION_PROFILES_DELETE},
    "stats": {pb.PERMISSION_PROFILES_GET, pb.PERMISSION_LINKS_VIEW},
}


class World(NamedTuple):
    """A tenant with a user who has a profile."""

    tenant: Tenant
    application: int
    ann: Member
    profile: int


async def make_world(rest_over: Rest) -> World:
    tenant = await rest_over.tenant()
    application = await rest_over.application(tenant)
    ann = await rest_over.member(tenant, roles=(USER_ROLE,))
    return World(tenant, application, ann, await rest_over.profile(application, by=ann))


@pytest.fixture
async def world(rest_over: Rest) -> World:
    return await make_world(rest_over)


@pytest.fixture(scope="module")
async def untouched(rest_over: Rest) -> World:
    """A world that nobody changes."""
    return await make_world(rest_over)


async def perform(rest: Rest, world: World, operation: str, by: Member | str, user: str = "") -> Answer:
    query = "?user=" + quote(user or world.ann.username)
    one = f"{PROFILES}/{world.profile}"
    requests: dict[str, tuple[str, str, Any]] = {
        "list": ("GET", PROFILES, UNSET),
        "create": ("POST", PROFILES, profile_body(world.application, name="Made")),
        "get": ("GET", one, UNSET),
        "update": ("PUT", one, profile_body(world.application, name="Changed")),
        "delete": ("DELETE", one, UNSET),
        "stats": ("GET", f"{one}/stats", UNSET),
    }
    method, path, body = requests[operation]
    return await rest.send(method, path + query, by=by, json=body)


async def holding(rest: Rest, tenant: Tenant | None, permissions: Iterable[pb.Permission.ValueType]) -> Member:
    return await rest.member(tenant, *sorted(permissions))


async def bind(rest: Rest, member: Member, role: int, tenant: Tenant) -> None:
    binding = pb.RoleBinding(user_id=member.id, role_id=role, organization_id=tenant.id)
    request = directory_service_pb2.CreateRoleBindingRequest(role_binding=binding)
    await rest.almoner.directory.CreateRoleBinding(request, metadata=rest.almoner.as_admin_token)


def is_done(answer: Answer) -> bool:
    return answer.status in {200, 201, 204}


@pytest.mark.parametrize("operation", OPERATIONS)
async def test_an_administrator_may_act_for_any_user_in_any_tenant(
    rest_over: Rest, world: World, operation: str
) -> None:
    assert is_done(await perform(rest_over, world, operation, ADMIN))


@pytest.mark.parametrize("operation", OPERATIONS)
async def test_a_tenant_administrator_may_act_for_the_users_of_the_tenant(
    rest_over: Rest, world: World, operation: str
) -> None:
    chief = await rest_over.member(world.tenant, roles=(TENANT_ADMINISTRATOR,))

    assert is_done(await perform(rest_over, world, operation, chief))


@pytest.mark.parametrize("operation", OPERATIONS)
async def test_onbehalfof_mgmtapi_and_the_permission_of_the_operation_are_enough(
    rest_over: Rest, world: World, operation: str
) -> None:
    needed = {pb.PERMISSION_ON_BEHALF_OF, pb.PERMISSION_MANAGEMENT_API, *TAKES[operation]}

    assert is_done(await perform(rest_over, world, operation, await holding(rest_over, world.tenant, needed)))


@pytest.mark.parametrize(
    ("operation", "lacking"),
    [
        (operation, lacking)
        for operation in OPERATIONS
        for lacking in (pb.PERMISSION_ON_BEHALF_OF, pb.PERMISSION_MANAGEMENT_API, *sorted(TAKES[operation]))
    ],
)
async def test_any_of_them_lacking_it_is_refused_and_nothing_changes(
    rest_over: Rest, untouched: World, operation: str, lacking: pb.Permission.ValueType
) -> None:
    needed = {pb.PERMISSION_ON_BEHALF_OF, pb.PERMISSION_MANAGEMENT_API, *TAKES[operation]}
    by = await holding(rest_over, untouched.tenant, needed - {lacking})
    before = (await rest_over.get(PROFILES, by=untouched.ann)).json()

    answer = await perform(rest_over, untouched, operation, by)

    assert (answer.status, answer.code) == (403, 222200403)
    assert (await rest_over.get(PROFILES, by=untouched.ann)).json() == before


async def test_an_administrator_of_another_tenant_may_not(rest_over: Rest, untouched: World) -> None:
    foreign = await rest_over.member(await rest_over.tenant(), roles=(TENANT_ADMINISTRATOR,))

    assert (await perform(rest_over, untouched, "list", foreign)).status == 403


async def test_of_other_tenants_one_cannot_tell_who_is_there(rest_over: Rest, untouched: World) -> None:
    foreign = await rest_over.member(await rest_over.tenant(), roles=(TENANT_ADMINISTRATOR,))

    there = await perform(rest_over, untouched, "list", foreign)
    nobody = await perform(rest_over, untouched, "list", foreign, "nobody")

    assert (there.status, there.code) == (nobody.status, nobody.code)
    assert there.text.replace(untouched.ann.username, "") == nobody.text.replace("nobody", "")


async def test_one_who_administers_from_the_system_tenant_may(rest_over: Rest, world: World) -> None:
    provider = await rest_over.member(None)
    await bind(rest_over, provider, TENANT_ADMINISTRATOR, world.tenant)

    assert is_done(await perform(rest_over, world, "update", provider))


async def test_nobody_acts_for_a_user_who_is_not_there(rest_over: Rest, untouched: World) -> None:
    assert (await perform(rest_over, untouched, "list", ADMIN, "nobody")).status == 403


async def test_for_oneself_it_takes_nothing_more(rest_over: Rest, world: World) -> None:
    assert is_done(await perform(rest_over, world, "update", world.ann))


async def test_what_is_made_belongs_to_the_user_and_is_reached_by_who_made_it(rest_over: Rest, world: World) -> None:
    chief = await holding(
        rest_over,
        world.tenant,
        {pb.PERMISSION_ON_BEHALF_OF, pb.PERMISSION_MANAGEMENT_API, *TAKES["create"], *TAKES["get"]},
    )

    made = (await perform(rest_over, world, "create", chief)).json()["id"]

    assert (await rest_over.get(f"{PROFILES}/{made}", by=world.ann)).status == 200
    assert (await rest_over.get(f"{PROFILES}/{made}", by=chief)).status == 200
    assert (await rest_over.get(f"{PROFILES}/{world.profile}", by=chief)).status == 404


async def test_the_list_is_the_users_own(rest_over: Rest, world: World) -> None:
    other = await rest_over.member(world.tenant, roles=(USER_ROLE,))
    await rest_over.profile(world.application, by=other)

    listed = (await perform(rest_over, world, "list", ADMIN)).json()["profiles"]

    assert [element["id"] for element in listed] == [str(world.profile)]


async def test_a_name_may_have_any_letters(rest_over: Rest, world: World) -> None:
    name = "Zoë Ünal/99%&+"
    zoe = await rest_over.member(world.tenant, roles=(USER_ROLE,), username=f"{name}{world.tenant.number}")
    number = await rest_over.profile(world.application, by=zoe)

    listed = (await perform(rest_over, world, "list", ADMIN, zoe.username)).json()["profiles"]

    assert [element["id"] for element in listed] == [str(number)]


async def test_the_permissions_told_are_the_users(rest_over: Rest, untouched: World) -> None:
    answer = await rest_over.get(f"/api/mgmt/permissions?user={quote(untouched.ann.username)}")

    assert [permission["id"] for permission in answer.json()["permissions"]] == list(range(1, 12))


async def test_the_audit_trail_names_both(rest_over: Rest, world: World) -> None:
    made = (await perform(rest_over, world, "create", ADMIN)).json()["id"]

    events = table_of(AuditEventRow)
    statement = select(events).where(events.c.resource == f"profiles/{made}")
    (event,) = await rest_over.almoner.service.store.read(lambda tx: list(tx.execute(statement)))

    assert (event.actor, event.subject, event.action) == ("admin", world.ann.username, "profile.create")
