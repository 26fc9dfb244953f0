# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

from grpc import StatusCode
from sqlalchemy import func, select

from service.access.permissions import Permission
from service.directory.tables import RoleBindingRow
from service.grants.tables import AccessRuleRow, DeviceAuthorizationRow, GrantRow
from service.storage.tables import table_of
from tests.refusals import refusal_of
from tests.service.applications.registry import client, permissions, provider

if TYPE_CHECKING:
    from tests.service.applications.registry import Registry


async def bindings(registry: Registry) -> int:
    statement = select(func.count()).select_from(table_of(RoleBindingRow))
    return await registry.almoner.service.store.read(lambda tx: int(tx.execute(statement).scalar_one()))


async def test_an_application_is_deleted_by_number_or_id(registry: Registry) -> None:
    first, second = await registry.add(provider()), await registry.add(client())
    assert await registry.delete(number=first.number) == 0
    assert await registry.delete(id=second.id) == 0
    assert await registry.names() == []
    refusal = await refusal_of(registry.delete(id=second.id))
    assert (refusal.code, refusal.reason) == (StatusCode.NOT_FOUND, "APPLICATION_NOT_FOUND")


async def test_the_number_of_a_deleted_application_is_not_given_again(registry: Registry) -> None:
    first = await registry.add(provider())
    await registry.delete(number=first.number)
    assert (await registry.add(provider())).number == first.number + 1


async def test_a_deletion_with_an_old_etag_is_refused(registry: Registry) -> None:
    made = await registry.add(provider())
    refusal = await refusal_of(registry.delete(number=made.number, etag='"7"'))
    assert (refusal.code, refusal.reason) == (StatusCode.ABORTED, "ETAG_MISMATCH")
    assert await registry.delete(number=made.number, etag=made.etag) == 0


async def test_secrets_go_with_their_application(registry: Registry) -> None:
    made = await registry.add(client())
    await registry.delete(number=made.number)
    assert await registry.secrets(made) == []


async def test_access_rules_and_grants_go_with_their_application(registry: Registry) -> None:
    gone, kept = await registry.add(client()), await registry.add(client())
    for application in (gone, kept):
        await registry.granted(application)
    await registry.delete(number=gone.number)
    assert await registry.count(AccessRuleRow) == 1
    assert await registry.count(GrantRow) == 1
    assert await registry.count(DeviceAuthorizationRow) == 1
    (event,) = await registry.events("application.delete")
    assert event.changes == {
        "profiles_deleted": 0,
        "role_bindings_deleted": 0,
        "access_rules_deleted": 1,
        "grants_deleted": 1,
    }


async def test_role_bindings_go_with_their_application(registry: Registry) -> None:
    gone, kept = await registry.add(provider()), await registry.add(provider())
    user = await registry.almoner.user("ann")
    before = await bindings(registry)
    await registry.bind(user, gone, Permission.APPLICATIONS_VIEW)
    await registry.bind(user, kept, Permission.APPLICATIONS_VIEW)
    await registry.delete(number=gone.number)
    assert await bindings(registry) == before + 1
    assert (await registry.get(registry.almoner.as_("ann"), number=kept.number)).id == kept.id


async def test_an_application_in_use_is_deleted_with_its_profiles_only(registry: Registry) -> None:
    made = await registry.add(provider())
    for _ in range(2):
        await registry.profile(made)
    refusal = await refusal_of(registry.delete(number=made.number))
    assert (refusal.code, refusal.reason) == (StatusCode.FAILED_PRECONDITION, "APPLICATION_IN_USE")
    assert refusal.metadata == {"profiles": "2"}
    assert await registry.delete(number=made.number, cascade=True) == 2
    assert await registry.names() == []


async def test_profiles_that_go_with_an_application_are_audited_in_their_own_organization(registry: Registry) -> None:
    acme = await registry.almoner.organization("Acme")
    await registry.almoner.user(
        "ann", organization_id=acme.id, permissions=permissions(Permission.PROFILES_CREATE, Permission.PROFILES_GET)
    )
    made = await registry.add(provider())
    ours = await registry.profile(made)
    theirs = await registry.profile(made, registry.almoner.as_("ann"))
    await registry.delete(number=made.number, cascade=True)
    assert {(event.resource, event.organization) for event in await registry.events("profile.delete")} == {
        (f"profiles/{ours}", 1),
        (f"profiles/{theirs}", acme.number),
    }
    (event,) = await registry.events("application.delete")
    assert (event.actor, event.resource, event.organization) == ("admin", f"applications/{made.number}", 1)
    assert event.changes == {"profiles_deleted": 2, "role_bindings_deleted": 0}
