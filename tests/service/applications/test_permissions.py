# SPDX-License-Identifier: Apache-2.0
"""Who may do what: permissions held in the application's organization, in another one, or on the application."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import pytest
from grpc.aio import AioRpcError

from service.access.permissions import Permission
from tests.refusals import read_refusal, refusal_of
from tests.service.applications.registry import SECRET, Application, permissions, provider

if TYPE_CHECKING:
    from collections.abc import Awaitable
    from typing import Any

    from tests.running import Metadata
    from tests.service.applications.registry import Registry

VIEW = Permission.APPLICATIONS_VIEW
REVEAL = Permission.APPLICATIONS_REVEAL
MANAGE = Permission.APPLICATIONS_MANAGE
UPDATE = Permission.APPLICATIONS_UPDATE
ADMINISTRATOR = Permission.ADMINISTRATOR

OK = "OK"
DENIED = "PERMISSION_MISSING"
HIDDEN = "APPLICATION_NOT_FOUND"
NOWHERE = "ORGANIZATION_NOT_FOUND"


class Outcomes(NamedTuple):
    """What calls to an application of organization Acme end with."""

    get: str
    reveal: str
    page: str
    update: str
    create: str
    delete: str


THERE: dict[tuple[Permission, ...], Outcomes] = {
    (): Outcomes(DENIED, DENIED, DENIED, DENIED, DENIED, DENIED),
    (VIEW,): Outcomes(OK, DENIED, OK, DENIED, DENIED, DENIED),
    (REVEAL,): Outcomes(DENIED, DENIED, DENIED, DENIED, DENIED, DENIED),
    (VIEW, REVEAL): Outcomes(OK, OK, OK, DENIED, DENIED, DENIED),
    (MANAGE,): Outcomes(DENIED, DENIED, DENIED, OK, OK, OK),
    (VIEW, MANAGE): Outcomes(OK, DENIED, OK, OK, OK, OK),
    (UPDATE,): Outcomes(DENIED, DENIED, DENIED, OK, DENIED, DENIED),
    (VIEW, UPDATE): Outcomes(OK, DENIED, OK, OK, DENIED, DENIED),
    (ADMINISTRATOR,): Outcomes(OK, OK, OK, OK, OK, OK),
}
"""By permissions held in Acme."""

ELSEWHERE: dict[tuple[Permission, ...], Outcomes] = {
    (): Outcomes(DENIED, DENIED, DENIED, DENIED, DENIED, DENIED),
    (VIEW,): Outcomes(HIDDEN, HIDDEN, NOWHERE, DENIED, DENIED, DENIED),
    (VIEW, REVEAL, MANAGE): Outcomes(HIDDEN, HIDDEN, NOWHERE, HIDDEN, NOWHERE, HIDDEN),
    (VIEW, UPDATE): Outcomes(HIDDEN, HIDDEN, NOWHERE, HIDDEN, DENIED, DENIED),
    (ADMINISTRATOR,): Outcomes(HIDDEN, HIDDEN, NOWHERE, HIDDEN, NOWHERE, HIDDEN),
}
"""By permissions held in another organization."""

ON_IT: dict[tuple[Permission, ...], Outcomes] = {
    (VIEW,): Outcomes(OK, DENIED, OK, DENIED, DENIED, DENIED),
    (VIEW, REVEAL): Outcomes(OK, OK, OK, DENIED, DENIED, DENIED),
    (MANAGE,): Outcomes(DENIED, DENIED, DENIED, OK, NOWHERE, OK),
    (UPDATE,): Outcomes(DENIED, DENIED, DENIED, OK, DENIED, DENIED),
    (ADMINISTRATOR,): Outcomes(OK, OK, OK, OK, NOWHERE, OK),
}
"""By permissions held on the application, by a user of another organization."""


def named(held: tuple[Permission, ...]) -> str:
    """Returns the id of a row of a matrix."""
    return " ".join(permission.name for permission in held) or "nothing"


async def outcome_of(call: Awaitable[Any]) -> str:
    try:
        await call
    except AioRpcError as error:
        return read_refusal(error).reason
    return OK


async def outcomes_of(registry: Registry, application: Application, by: Metadata) -> Outcomes:
    new = provider("New")
    new.organization_id = application.organization_id
    number = application.number
    return Outcomes(
        get=await outcome_of(registry.get(by, number=number)),
        reveal=await outcome_of(registry.get(by, number=number, view=SECRET)),
        page=await outcome_of(registry.page(by, organization_id=application.organization_id)),
        update=await outcome_of(registry.update(Application(number=number, name="New"), by=by)),
        create=await outcome_of(registry.create(new, by)),
        delete=await outcome_of(registry.delete(by, number=number)),
    )


async def application_of_acme(registry: Registry) -> Application:
    wanted = provider()
    wanted.organization_id = (await registry.almoner.organization("Acme")).id
    return await registry.add(wanted)


@pytest.mark.parametrize("held", THERE, ids=named)
async def test_what_is_held_in_the_organization_counts(registry: Registry, held: tuple[Permission, ...]) -> None:
    application = await application_of_acme(registry)
    await registry.almoner.user("ann", organization_id=application.organization_id, permissions=permissions(*held))
    assert await outcomes_of(registry, application, registry.almoner.as_("ann")) == THERE[held]


@pytest.mark.parametrize("held", ELSEWHERE, ids=named)
async def test_what_is_held_in_another_organization_does_not(registry: Registry, held: tuple[Permission, ...]) -> None:
    application = await application_of_acme(registry)
    other = await registry.almoner.organization("Other")
    await registry.almoner.user("ann", organization_id=other.id, permissions=permissions(*held))
    assert await outcomes_of(registry, application, registry.almoner.as_("ann")) == ELSEWHERE[held]


@pytest.mark.parametrize("held", ON_IT, ids=named)
async def test_what_is_held_on_the_application_counts_for_it_alone(
    registry: Registry, held: tuple[Permission, ...]
) -> None:
    application = await application_of_acme(registry)
    neighbour = provider("Neighbour")
    neighbour.organization_id = application.organization_id
    neighbour = await registry.add(neighbour)
    other = await registry.almoner.organization("Other")
    ann = await registry.almoner.user("ann", organization_id=other.id)
    await registry.bind(ann, application, *held)
    as_ann = registry.almoner.as_("ann")
    assert await outcomes_of(registry, application, as_ann) == ON_IT[held]
    assert await outcome_of(registry.get(as_ann, number=neighbour.number)) in {HIDDEN, DENIED}
    assert await outcome_of(registry.delete(as_ann, number=neighbour.number)) in {HIDDEN, DENIED}


async def test_who_may_not_change_an_application_is_told_the_least_that_it_takes(registry: Registry) -> None:
    application = await application_of_acme(registry)
    await registry.almoner.user("ann", organization_id=application.organization_id, permissions=permissions(VIEW))
    change = Application(number=application.number, name="New")
    refusal = await refusal_of(registry.update(change, by=registry.almoner.as_("ann")))
    assert refusal.metadata == {"permission": "APPLICATIONS_UPDATE"}


async def test_who_creates_in_their_own_organization_without_the_permission_there_is_denied(
    registry: Registry,
) -> None:
    application = await application_of_acme(registry)
    ann = await registry.almoner.user("ann")
    await registry.bind(ann, application, MANAGE)
    assert await outcome_of(registry.create(provider(), registry.almoner.as_("ann"))) == DENIED


async def test_registrations_of_the_first_organization_are_seen_by_its_people_only(registry: Registry) -> None:
    application = await registry.add(provider())
    acme = await registry.almoner.organization("Acme")
    await registry.almoner.user("ann", organization_id=acme.id, permissions=permissions(VIEW))
    as_ann = registry.almoner.as_("ann")
    assert await outcome_of(registry.get(as_ann, number=application.number)) == HIDDEN
    assert await registry.names(as_ann) == await registry.names(as_ann, organization_id="-") == []


async def test_without_credentials_nothing_is_served(registry: Registry) -> None:
    assert await outcome_of(registry.page((("x", "y"),))) == "CREDENTIALS_MISSING"


async def test_a_secret_that_may_not_be_revealed_undoes_the_change_that_asked_for_it(registry: Registry) -> None:
    application = await application_of_acme(registry)
    held = permissions(VIEW, MANAGE)
    await registry.almoner.user("ann", organization_id=application.organization_id, permissions=held)
    change = Application(number=application.number, name="New")
    assert await outcome_of(registry.update(change, by=registry.almoner.as_("ann"), view=SECRET)) == DENIED
    assert await registry.get(number=application.number) == application
