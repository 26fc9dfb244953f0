# SPDX-License-Identifier: Apache-2.0
"""ROLES_BIND: who holds it in a place gives and takes roles there, as far as they hold them, in their organization."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from service.directory.bootstrap import BUILT_IN_ROLES
from tests.refusals import refusal_of
from tests.service.directory.house import OK, P, outcome_of

if TYPE_CHECKING:
    from tests.running import Metadata
    from tests.service.directory.house import House, Organization, RoleBinding, User

SYSTEM, USER, AUDITOR, GRANT_ADMINISTRATOR, ADMINISTRATOR, OWNER, MAINTAINER = 1, 2, 5, 6, 7, 8, 9
ESCALATION, DENIED = "PERMISSION_ESCALATION", "PERMISSION_MISSING"
NO_APPLICATION, NO_USER, NO_BINDING = "APPLICATION_NOT_FOUND", "USER_NOT_FOUND", "ROLE_BINDING_NOT_FOUND"


class Scene(NamedTuple):
    """Two organizations, two applications of the first, and somebody in each who has no role."""

    house: House
    acme: Organization
    other: Organization
    bob: User
    eve: User

    def place(self, where: str) -> dict[str, Any]:
        """Returns the first organization, or an application of it, as members of a binding."""
        return {"application_id": "reports"} if where == "application" else {"organization_id": self.acme.id}

    async def binder(self, role: int, **place: Any) -> Metadata:
        """Returns the credentials of a new user of the first organization, who has a role in a place."""
        ann = await self.house.user("ann", organization_id=self.acme.id)
        await self.house.bind(ann, role, **place)
        return self.house.almoner.as_("ann")

    async def seen(self, by: Metadata, **members: Any) -> list[int]:
        """Returns the ids of the bindings that somebody lists."""
        return [binding.id for binding in (await self.house.call("ListRoleBindings", by, **members)).role_bindings]

    async def outcomes(self, by: Metadata, binding: RoleBinding) -> list[str]:
        """Returns what reading and deleting a binding end with."""
        methods = ("GetRoleBinding", "DeleteRoleBinding")
        return [await outcome_of(self.house.call(method, by, id=binding.id)) for method in methods]


@pytest.fixture
async def scene(house: House) -> Scene:
    acme, other = await house.organization(), await house.organization("Other")
    await house.application(acme.id, "reports")
    await house.application(acme.id, "billing")
    bob = await house.user("bob", organization_id=acme.id)
    eve = await house.user("eve", organization_id=other.id)
    return Scene(house, acme, other, bob, eve)


# What somebody with a role on an application may give to a colleague there.
GIVING = {
    OWNER: dict.fromkeys((GRANT_ADMINISTRATOR, OWNER, MAINTAINER), OK),
    MAINTAINER: {MAINTAINER: OK},
    ADMINISTRATOR: dict.fromkeys((AUDITOR, GRANT_ADMINISTRATOR, ADMINISTRATOR, OWNER, MAINTAINER), OK),
    SYSTEM: {role.id: OK for role in BUILT_IN_ROLES},
}


@pytest.mark.parametrize("role", GIVING)
@pytest.mark.parametrize("where", ["application", "organization"])
async def test_roles_are_given_as_far_as_they_are_held(scene: Scene, where: str, role: int) -> None:
    place = scene.place(where)
    by = await scene.binder(role, **place)
    given = {each.id: await outcome_of(scene.house.bind(scene.bob, each.id, by, **place)) for each in BUILT_IN_ROLES}
    assert given == {each.id: GIVING[role].get(each.id, ESCALATION) for each in BUILT_IN_ROLES}


@pytest.mark.parametrize("role", GIVING)
@pytest.mark.parametrize("where", ["application", "organization"])
async def test_roles_are_taken_as_far_as_they_are_held(scene: Scene, where: str, role: int) -> None:
    place = scene.place(where)
    by = await scene.binder(role, **place)
    bindings = {each.id: await scene.house.bind(scene.bob, each.id, **place) for each in BUILT_IN_ROLES}
    assert set(await scene.seen(by, filter=f"user_id = {scene.bob.id}")) == {each.id for each in bindings.values()}
    taken = {given: await scene.outcomes(by, binding) for given, binding in bindings.items()}
    assert taken == {each.id: [OK, GIVING[role].get(each.id, ESCALATION)] for each in BUILT_IN_ROLES}


async def test_a_role_of_ones_own_making_is_given_if_all_of_it_is_held(scene: Scene) -> None:
    by = await scene.binder(MAINTAINER, application_id="reports")
    less = await scene.house.role("Viewer", P.APPLICATIONS_VIEW)
    more = await scene.house.role("Revealer", P.APPLICATIONS_VIEW, P.APPLICATIONS_REVEAL)
    assert await outcome_of(scene.house.bind(scene.bob, less, by, application_id="reports")) == OK
    refusal = await refusal_of(scene.house.bind(scene.bob, more, by, application_id="reports"))
    assert (refusal.reason, refusal.metadata) == (ESCALATION, {"permission": "APPLICATIONS_REVEAL"})


async def test_nobody_binds_outside_the_place_where_they_may(scene: Scene) -> None:
    by = await scene.binder(OWNER, application_id="reports")
    there: dict[str, Any]
    for there, outcome in (
        ({"application_id": "billing"}, NO_APPLICATION),
        ({"application_id": "almoner"}, NO_APPLICATION),
        ({"organization_id": scene.acme.id}, DENIED),
        ({"organization_id": scene.other.id}, "ORGANIZATION_NOT_FOUND"),
        ({"server": True}, DENIED),
    ):
        assert await outcome_of(scene.house.bind(scene.bob, MAINTAINER, by, **there)) == outcome
    assert await outcome_of(scene.house.bind(scene.bob, MAINTAINER, by, application_id="reports")) == OK


async def test_who_binds_in_an_organization_binds_on_its_applications(scene: Scene) -> None:
    by = await scene.binder(ADMINISTRATOR, organization_id=scene.acme.id)
    await scene.house.application(scene.other.id, "theirs")
    assert await outcome_of(scene.house.bind(scene.bob, OWNER, by, application_id="billing")) == OK
    assert await outcome_of(scene.house.bind(scene.bob, OWNER, by, application_id="theirs")) == NO_APPLICATION


async def test_roles_are_given_to_users_of_ones_own_organization(scene: Scene) -> None:
    by = await scene.binder(OWNER, application_id="reports")
    assert await outcome_of(scene.house.bind(scene.eve, MAINTAINER, by, application_id="reports")) == NO_USER
    nobody = scene.house.call("CreateRoleBinding", by, role_binding={"user_id": 99, "role_id": 9, "server": True})
    assert await outcome_of(nobody) == DENIED


async def test_who_owns_an_application_of_another_organization_shares_it_with_colleagues(scene: Scene) -> None:
    await scene.house.bind(scene.eve, OWNER, application_id="reports")
    zoe = await scene.house.user("zoe", organization_id=scene.other.id)
    by = scene.house.almoner.as_("eve")
    assert await outcome_of(scene.house.bind(zoe, MAINTAINER, by, application_id="reports")) == OK
    assert await outcome_of(scene.house.bind(scene.bob, MAINTAINER, by, application_id="reports")) == NO_USER


async def test_without_the_permission_nothing_is_bound_or_seen(scene: Scene) -> None:
    binding = await scene.house.bind(scene.bob, MAINTAINER, application_id="reports")
    by = await scene.binder(GRANT_ADMINISTRATOR, application_id="reports")
    refusal = await refusal_of(scene.house.bind(scene.bob, GRANT_ADMINISTRATOR, by, application_id="reports"))
    assert (refusal.reason, refusal.metadata) == (DENIED, {"permission": "ROLES_BIND"})
    assert await scene.outcomes(by, binding) == [DENIED, DENIED]
    assert await outcome_of(scene.house.call("ListRoleBindings", by)) == DENIED


async def test_who_binds_sees_and_undoes_the_bindings_there_and_no_others(scene: Scene) -> None:
    by = await scene.binder(OWNER, application_id="reports")
    here = await scene.house.bind(scene.bob, MAINTAINER, application_id="reports")
    guest = await scene.house.bind(scene.eve, MAINTAINER, application_id="reports")
    hidden = [
        await scene.house.bind(scene.bob, MAINTAINER, application_id="billing"),
        await scene.house.bind(scene.bob, USER, organization_id=scene.acme.id),
        await scene.house.bind(scene.bob, USER, server=True),
    ]
    own = here.id - 1
    assert await scene.seen(by) == await scene.seen(by, organization_id=scene.acme.id) == [own, here.id]
    assert await scene.seen(by, organization_id="-") == [own, here.id, guest.id]
    other = scene.house.call("ListRoleBindings", by, organization_id=scene.other.id)
    assert await outcome_of(other) == "ORGANIZATION_NOT_FOUND"
    for binding in hidden:
        assert await scene.outcomes(by, binding) == [NO_BINDING, NO_BINDING]
    for binding in (here, guest):
        assert await scene.outcomes(by, binding) == [OK, OK]


async def test_who_binds_in_an_organization_sees_all_bindings_in_it(scene: Scene) -> None:
    binds = await scene.house.role("Binder", P.ROLES_BIND)
    ann = await scene.house.user("ann", organization_id=scene.acme.id)
    own = await scene.house.bind(ann, binds, organization_id=scene.acme.id)
    there = [
        await scene.house.bind(scene.bob, USER, organization_id=scene.acme.id),
        await scene.house.bind(scene.bob, MAINTAINER, application_id="billing"),
    ]
    guest = await scene.house.bind(scene.eve, USER, organization_id=scene.acme.id)
    await scene.house.bind(scene.bob, USER, server=True)
    await scene.house.bind(scene.bob, USER, organization_id=scene.other.id)
    by = scene.house.almoner.as_("ann")
    mine = [own.id, *(binding.id for binding in there)]
    assert await scene.seen(by) == mine
    assert await scene.seen(by, organization_id="-") == [*mine, guest.id]


async def test_who_binds_everywhere_sees_everything(scene: Scene) -> None:
    binds = await scene.house.role("Binder", P.ROLES_BIND)
    by = await scene.binder(binds.id, server=True)
    await scene.house.bind(scene.eve, USER, organization_id=scene.other.id)
    assert await scene.seen(by, organization_id="-") == await scene.seen(
        scene.house.almoner.as_admin, organization_id="-"
    )
    assert len(await scene.seen(by, organization_id=scene.other.id)) == 1
    unknown = scene.house.call("ListRoleBindings", by, organization_id="00000000-0000-4000-8000-000000000000")
    assert await outcome_of(unknown) == "ORGANIZATION_NOT_FOUND"


async def test_a_view_of_users_and_of_a_place_add_up(scene: Scene) -> None:
    by = await scene.binder(OWNER, application_id="reports")
    viewer = await scene.house.role("Viewer", P.USERS_VIEW)
    await scene.house.bind(
        await scene.house.user("amy", organization_id=scene.other.id), USER, organization_id=scene.other.id
    )
    ann = (await scene.house.call("GetUser", username="ann")).user
    await scene.house.bind(ann, viewer, organization_id=scene.other.id)
    guest = await scene.house.bind(scene.eve, MAINTAINER, application_id="reports")
    assert guest.id in await scene.seen(by, organization_id=scene.other.id)
    assert len(await scene.seen(by, organization_id=scene.other.id)) == 2
    assert len(await scene.seen(by)) == 1
    assert len(await scene.seen(by, organization_id="-")) == 3
