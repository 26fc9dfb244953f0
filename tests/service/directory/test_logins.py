# SPDX-License-Identifier: Apache-2.0
"""Logins are kept while the directory stays what it was; a change of it is seen at once, whichever process makes it."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from sqlalchemy import text
from sqlalchemy.sql.util import find_tables

from almoner.v1 import directory_pb2, directory_service_pb2
from service.directory import logins
from service.directory.logins import DirectoryLogins
from tests.refusals import refusal_of
from tests.running import Almoner, running, running_on

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.databases import SqliteTemplate, Template

USER = directory_pb2.User
WHO = directory_service_pb2.WhoAmIRequest()
UPDATE_USER = directory_service_pb2.UpdateUserRequest
UPDATE_ROLE = directory_service_pb2.UpdateRoleRequest
UPDATE_ORGANIZATION = directory_service_pb2.UpdateOrganizationRequest


class Pair:
    """Two services on one database, as two processes or replicas have them."""

    def __init__(self, changing: Almoner, serving: Almoner) -> None:
        self.changing = changing
        self.serving = serving

    async def change(self, method: str, request: Any) -> None:
        await getattr(self.changing.directory, method)(request, metadata=self.changing.as_admin_token)

    async def permissions(self, name: str) -> set[str]:
        """Returns what the serving one knows a user to hold, in the words of the API."""
        me = await self.serving.directory.WhoAmI(WHO, metadata=self.serving.as_(name))
        return {directory_pb2.Permission.Name(permission) for permission in me.permissions}

    async def refuses(self, name: str) -> bool:
        refusal = await refusal_of(self.serving.directory.WhoAmI(WHO, metadata=self.serving.as_(name)))
        return refusal.reason == "CREDENTIALS_INVALID"


@pytest.fixture
async def pair(template: Template, tmp_path: Path) -> AsyncIterator[Pair]:
    async with running(template, tmp_path) as one, running_on(one.settings) as other:
        yield Pair(one, other)


@pytest.mark.parametrize("state", [{"locked": True}, {"disabled": True}])
async def test_a_user_locked_by_another_process_is_nobody_at_once(pair: Pair, state: dict[str, Any]) -> None:
    user = await pair.changing.user("ann")
    for _ in range(3):
        await pair.permissions("ann")
        mask = FieldMask(paths=list(state))
        await pair.change("UpdateUser", UPDATE_USER(user=USER(id=user.id, **state), update_mask=mask))
        assert await pair.refuses("ann")
        await pair.change("UpdateUser", UPDATE_USER(user=USER(id=user.id), update_mask=mask))


async def test_a_role_changed_by_another_process_is_another_at_once(pair: Pair) -> None:
    role = directory_pb2.Role(name="viewer", permissions=[directory_pb2.PERMISSION_USERS_VIEW])
    created = await pair.changing.directory.CreateRole(
        directory_service_pb2.CreateRoleRequest(role=role), metadata=pair.changing.as_admin_token
    )
    user = await pair.changing.user("ann", role_ids=[created.role.id])
    assert "PERMISSION_USERS_VIEW" in await pair.permissions("ann")

    changed = directory_pb2.Role(id=created.role.id, permissions=[directory_pb2.PERMISSION_ROLES_VIEW])
    await pair.change("UpdateRole", UPDATE_ROLE(role=changed, update_mask=FieldMask(paths=["permissions"])))
    assert await pair.permissions("ann") == {"PERMISSION_ROLES_VIEW"}

    without = UPDATE_USER(user=USER(id=user.id), update_mask=FieldMask(paths=["role_ids"]))
    await pair.change("UpdateUser", without)
    assert await pair.permissions("ann") == set()


async def test_an_organization_disabled_by_another_process_lets_nobody_in_at_once(pair: Pair) -> None:
    organization = await pair.changing.organization("acme")
    await pair.changing.user("ann", organization_id=organization.id)
    await pair.permissions("ann")
    disabled = directory_pb2.Organization(id=organization.id, disabled=True)
    await pair.change(
        "UpdateOrganization", UPDATE_ORGANIZATION(organization=disabled, update_mask=FieldMask(paths=["disabled"]))
    )
    assert await pair.refuses("ann")


async def test_a_change_that_is_not_ours_is_seen_too(sqlite_template: SqliteTemplate, tmp_path: Path) -> None:
    async with running(sqlite_template, tmp_path) as almoner:
        await almoner.user("ann")
        await almoner.directory.WhoAmI(WHO, metadata=almoner.as_("ann"))
        with closing(sqlite3.connect(almoner.settings.sqlite_path or "")) as shell, shell:
            shell.execute("UPDATE users SET locked = 1 WHERE username = 'ann'")
        await asyncio.sleep(0)  # a call that comes in afterwards is in a later turn of the event loop
        refusal = await refusal_of(almoner.directory.WhoAmI(WHO, metadata=almoner.as_("ann")))
        assert refusal.reason == "CREDENTIALS_INVALID"


async def test_every_table_that_a_login_is_read_from_counts_its_changes(almoner: Almoner) -> None:
    """A migration that makes a table anew, as SQLite often needs, must make its triggers anew, too."""
    statements = (logins._BY_USERNAME, logins._BY_API_TOKEN)
    froms = [source for statement in statements for source in statement.get_final_froms()]
    tables = {str(table) for source in froms for table in find_tables(source)}
    assert tables == {"organizations", "users", "roles", "role_bindings", "api_tokens"}
    on_sqlite = almoner.settings.sqlite_path is not None
    kinds = ("_insert", "_update", "_delete") if on_sqlite else ("",)
    names = "name FROM sqlite_master WHERE type = 'trigger'" if on_sqlite else "tgname FROM pg_trigger"
    found = await almoner.service.store.read(lambda tx: tx.execute(text(f"SELECT {names}")).scalars().all())
    wanted = {f"directory_revision_{table}{kind}" for table in tables for kind in kinds}
    assert {name for name in found if name.startswith("directory_revision_")} == wanted


async def test_logins_are_kept_until_the_directory_changes(almoner: Almoner) -> None:
    store = almoner.service.store
    found = DirectoryLogins(store)
    first = await found.by_username("admin")
    assert first is not None
    assert await found.by_username("admin") is first
    await store.write(lambda tx: tx.execute(text("UPDATE users SET username = username")))
    assert await found.by_username("admin") is not first


async def test_no_more_logins_are_kept_than_allowed(almoner: Almoner) -> None:
    names = [(await almoner.user(f"user {n}")).username for n in range(3)]
    found = DirectoryLogins(almoner.service.store, capacity=2)
    first, *others = [await found.by_username(name) for name in names]
    names.reverse()
    *kept, read_again = [await found.by_username(name) for name in names]
    assert [each is login for each, login in zip(reversed(kept), others, strict=True)] == [True, True]
    assert read_again == first
    assert read_again is not first
