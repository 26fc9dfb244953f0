# SPDX-License-Identifier: Apache-2.0
"""What authentication looks up: the user or client application behind a credential, with all they hold, in one statement.

Logins change rarely and are needed for every call, so they are kept for as long as the directory's revision, which every
call asks for, stays what it was. Triggers of the database count it, whoever changes the directory.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec
from sqlalchemy import bindparam, select

from service.access.authentication import Login
from service.access.caller import Caller, Held, Place, PlaceKind, organization_place
from service.access.organization_roles import carried
from service.access.permissions import from_text
from service.access.scopes import allowed_by, limited
from service.applications.tables import ApplicationRow, ClientMembershipRow
from service.clock import SECOND
from service.directory.tables import ApiTokenRow, OrganizationRow, RoleBindingRow, RoleRow, UserRow
from service.grants.tables import GrantRow
from service.storage.facts import find_fact
from service.storage.statements import many, one
from service.storage.tables import constant, table_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import Executable

    from service.access.signed_tokens import ClientToken, UserToken
    from service.storage.store import Store, Tx

REVISION_FACT: Final = "directory-revision"
"""The fact that differs after every change of what logins are made of."""

CAPACITY: Final = 10_000

_decode_scopes = msgspec.json.Decoder(frozenset[str]).decode

_USERS = table_of(UserRow)
_ORGANIZATIONS = table_of(OrganizationRow)
_BINDINGS = table_of(RoleBindingRow)
_ROLES = table_of(RoleRow)
_TOKENS = table_of(ApiTokenRow)
_GRANTS = table_of(GrantRow)
_APPLICATIONS = table_of(ApplicationRow)
_MEMBERSHIPS = table_of(ClientMembershipRow)
_HOMES = _ORGANIZATIONS.alias("homes")

_USER_COLUMNS = (
    _USERS.c.id,
    _USERS.c.username,
    _USERS.c.organization,
    _USERS.c.permissions,
    _USERS.c.password_digest,
    _USERS.c.credential_revision,
    _USERS.c.disabled,
    _USERS.c.locked,
    _ORGANIZATIONS.c.disabled.label("organization_disabled"),
    _BINDINGS.c.place_kind,
    _BINDINGS.c.place_number,
    _ROLES.c.permissions.label("role_permissions"),
)
_HOLDINGS = (
    _USERS.join(_ORGANIZATIONS, _ORGANIZATIONS.c.number == _USERS.c.organization)
    .outerjoin(_BINDINGS, _BINDINGS.c.user_id == _USERS.c.id)
    .outerjoin(_ROLES, _ROLES.c.id == _BINDINGS.c.role_id)
)
# Nobody logs in as a client application, or acts for one: its own tokens alone speak for it.
_IS_PERSON = _USERS.c.application_number.is_(None)
_BY_USERNAME = (
    select(*_USER_COLUMNS, _USERS.c.password_expires.label("expires"))
    .select_from(_HOLDINGS)
    .where(_USERS.c.username == bindparam("username"), _IS_PERSON)
)
_BY_ID = (
    select(*_USER_COLUMNS, constant(0).label("expires"))
    .select_from(_HOLDINGS)
    .where(_USERS.c.id == bindparam("user_id"), _IS_PERSON)
)
_BY_API_TOKEN = (
    select(*_USER_COLUMNS, _TOKENS.c.expires, _TOKENS.c.id.label("api_token_id"))
    .select_from(_HOLDINGS.join(_TOKENS, _TOKENS.c.user_id == _USERS.c.id))
    .where(_TOKENS.c.digest == bindparam("digest"))
)
_BY_API_TOKEN_ID = (
    select(*_USER_COLUMNS, _TOKENS.c.expires)
    .select_from(_HOLDINGS.join(_TOKENS, _TOKENS.c.user_id == _USERS.c.id))
    .where(_TOKENS.c.id == bindparam("api_token_id"), _USERS.c.id == bindparam("user_id"))
)
_ACCOUNTS = (
    select(
        _USERS.c.id,
        _USERS.c.username,
        _MEMBERSHIPS.c.application_number,
        _MEMBERSHIPS.c.organization,
        _MEMBERSHIPS.c.scopes,
        _APPLICATIONS.c.allowed_scopes,
        _APPLICATIONS.c.created,
        _ORGANIZATIONS.c.disabled,
        _HOMES.c.disabled.label("home_disabled"),
    )
    .join(_APPLICATIONS, _APPLICATIONS.c.number == _MEMBERSHIPS.c.application_number)
    .join(_USERS, _USERS.c.application_number == _MEMBERSHIPS.c.application_number)
    .join(_ORGANIZATIONS, _ORGANIZATIONS.c.number == _MEMBERSHIPS.c.organization)
    .join(_HOMES, _HOMES.c.number == _APPLICATIONS.c.organization)
)
_BY_CLIENT = _ACCOUNTS.where(
    _APPLICATIONS.c.id == bindparam("client_id"), _ORGANIZATIONS.c.id == bindparam("organization_id")
)
_BY_ACCOUNT = _ACCOUNTS.where(_USERS.c.id == bindparam("user_id"), _ORGANIZATIONS.c.number == bindparam("organization"))
_BY_ACCESS_TOKEN = (
    select(*_USER_COLUMNS, _GRANTS.c.access_token_expires.label("expires"), _GRANTS.c.scopes)
    .select_from(_HOLDINGS.join(_GRANTS, _GRANTS.c.user_id == _USERS.c.id))
    .where(_GRANTS.c.access_token == bindparam("digest"), _GRANTS.c.revoked == constant(0))
)


class Holding:
    """A row of these statements: a user, and one of their bindings, if they have any."""

    id: int
    username: str
    organization: int
    permissions: str
    password_digest: str
    credential_revision: int
    disabled: bool
    locked: bool
    organization_disabled: bool
    place_kind: int | None
    place_number: int
    role_permissions: str
    expires: int


class ApiTokenHolding(Holding):
    """A row of the statement for API tokens: also the id of the token."""

    api_token_id: int


class ScopedHolding(Holding):
    """A row of the statement for access tokens: also the scopes of the grant."""

    scopes: str


class ClientHolding:
    """A row of the statement for clients: a membership, with the application, its account and both organizations."""

    id: int
    username: str
    application_number: int
    organization: int
    scopes: str
    allowed_scopes: str
    created: int
    disabled: bool
    home_disabled: bool


class ApiTokenLogin(NamedTuple):
    """An API token, and the login of its user, which expires with it."""

    api_token_id: int
    login: Login


class DirectoryLogins:
    """The directory, as `service.access.authentication.Logins`. Used from one thread (the event loop)."""

    def __init__(self, store: Store, *, capacity: int = CAPACITY) -> None:
        """Keeps `capacity` logins at the most; beyond it the first that was kept goes."""
        self._store = store
        self._capacity = capacity
        self._revision: str | None = None
        self._kept: dict[str | bytes | UserToken, Login] = {}

    async def by_username(self, username: str) -> Login | None:
        """Finds the login of a user."""
        return await self._find(username, _BY_USERNAME, {"username": username})

    async def by_api_token(self, digest: bytes) -> Login | None:
        """Finds the login of the user of an API token."""
        return await self._find(digest, _BY_API_TOKEN, {"digest": digest})

    async def by_access_token(self, digest: bytes) -> Login | None:
        """Finds the login of the user of an access token that is not revoked, limited to its scopes."""
        return await self._store.read(lambda tx: _by_access_token(tx, digest))

    async def by_user_token(self, token: UserToken) -> Login | None:
        """Finds the login of the user of an API token that was changed for a JWT."""
        return await self._find(token, _BY_API_TOKEN_ID, token._asdict())

    async def by_client_token(self, token: ClientToken) -> Login | None:
        """Finds the login of a client application in an organization, limited to what its token carries."""
        return await self._store.read(lambda tx: _by_client_token(tx, token))

    async def _find(
        self, key: str | bytes | UserToken, statement: Executable, parameters: Mapping[str, object]
    ) -> Login | None:
        revision = await self._store.read_shared(_directory_revision)
        if revision != self._revision:
            self._kept.clear()
            self._revision = revision
        login = self._kept.get(key)
        if login is None:
            login = await self._store.read(lambda tx: _login(many(tx, Holding, statement, parameters)))
            # Read after the revision it may be newer, never older; unless another one has been seen meanwhile.
            if login is not None and revision is not None and revision == self._revision:
                self._keep(key, login)
        return login

    def _keep(self, key: str | bytes | UserToken, login: Login) -> None:
        if len(self._kept) >= self._capacity:
            del self._kept[next(iter(self._kept))]
        self._kept[key] = login


def _directory_revision(tx: Tx) -> str | None:
    return find_fact(tx, REVISION_FACT)


def _by_access_token(tx: Tx, digest: bytes) -> Login | None:
    rows = many(tx, ScopedHolding, _BY_ACCESS_TOKEN, {"digest": digest})
    login = _login(rows)
    return replace(login, caller=limited(login.caller, frozenset(rows[0].scopes.split()))) if login else None


def _by_client_token(tx: Tx, token: ClientToken) -> Login | None:
    parameters = {"client_id": token.client_id, "organization_id": token.organization_id}
    found = one(tx, ClientHolding, _BY_CLIENT, parameters)
    # An application that was deleted may have left its id to another one since.
    if found is None or token.issued + SECOND <= found.created:
        return None
    return _login_of_client(found, token.scopes & _carried(found.scopes, found.allowed_scopes))


@lru_cache(maxsize=4096)
def _carried(given: str, allowed: str) -> frozenset[str]:
    return carried(_decode_scopes(given), _decode_scopes(allowed))


def find_api_token(tx: Tx, digest: bytes) -> ApiTokenLogin | None:
    """Finds an API token by its digest, for who is to have another credential for it."""
    rows = many(tx, ApiTokenHolding, _BY_API_TOKEN, {"digest": digest})
    login = _login(rows)
    return ApiTokenLogin(rows[0].api_token_id, login) if login else None


def login_of(tx: Tx, user_id: int) -> Login | None:
    """Finds the login of a user, for whom something else than their password speaks; it never expires."""
    return _login(many(tx, Holding, _BY_ID, {"user_id": user_id}))


def account_login_of(tx: Tx, user_id: int, organization: int) -> Login | None:
    """Finds the login of a client application in an organization by the user that it is there, with all it may carry."""
    found = one(tx, ClientHolding, _BY_ACCOUNT, {"user_id": user_id, "organization": organization})
    return _login_of_client(found, _carried(found.scopes, found.allowed_scopes)) if found else None


def caller_of(tx: Tx, user_id: int) -> Caller | None:
    """Returns a user as the caller they would be: all they hold."""
    login = login_of(tx, user_id)
    return login.caller if login else None


def _login_of_client(found: ClientHolding, scopes: frozenset[str]) -> Login:
    held = Held(organization_place(found.organization), allowed_by(scopes))
    return Login(
        caller=Caller(
            user_id=found.id,
            username=found.username,
            organization=found.organization,
            held_in=(held,) if held.permissions else (),
            scopes=scopes,
            application=found.application_number,
        ),
        allowed=not (found.disabled or found.home_disabled),
        expires=0,
        password_digest="",
        credential_revision=0,
    )


def _login(rows: Sequence[Holding]) -> Login | None:
    """Makes one login of the rows of a user: one a binding, or a single one without any."""
    if not rows:
        return None
    user = rows[0]
    held = [
        Held(Place(PlaceKind(row.place_kind), row.place_number), from_text(row.role_permissions))
        for row in rows
        if row.place_kind is not None
    ]
    if user.permissions:
        held.append(Held(organization_place(user.organization), from_text(user.permissions)))
    return Login(
        caller=Caller(user.id, user.username, user.organization, tuple(held)),
        allowed=not (user.disabled or user.locked or user.organization_disabled),
        expires=user.expires,
        password_digest=user.password_digest,
        credential_revision=user.credential_revision,
    )
