# SPDX-License-Identifier: Apache-2.0
"""The first start: organization 1, the built-in roles, user `admin`, and what they log in with.

That is an API token of theirs, and the client application `almoner` with an access rule that lets them have any scope.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from sqlalchemy import func, insert, select, text

from service.access import organization_roles
from service.access.authentication import API_TOKEN_DIGEST
from service.access.caller import SERVER, SYSTEM, Caller
from service.access.permissions import ALL, Permission, Permissions, to_text
from service.access.scopes import KNOWN_SCOPES
from service.applications.drafts import Draft, stored
from service.applications.tables import ApplicationKind, ApplicationRow
from service.audit import rules as audit
from service.crypto.tokens import new_uuid
from service.directory.tables import ApiTokenRow, OrganizationRow, RoleBindingRow, RoleRow, UserRow
from service.grants.tables import AccessRuleRow, GrantType
from service.storage.tables import StoredRow, table_of
from service.work import Work

if TYPE_CHECKING:
    from service.crypto.keyring import Keyring
    from service.storage.store import Tx

ADMIN: Final = "admin"
CLIENT: Final = "almoner"
"""Id of the first client application, which is public."""

_P = Permission
_USER: Final[Permissions] = frozenset(
    {
        _P.PROFILES_LIST,
        _P.PROFILES_GET,
        _P.PROFILES_REVEAL,
        _P.PROFILES_CREATE,
        _P.PROFILES_UPDATE,
        _P.PROFILES_DELETE,
        _P.LINKS_VIEW,
        _P.LINKS_MANAGE,
        _P.USE_JDBC,
        _P.USE_ODBC,
        _P.USE_ODATA,
        _P.WEB_UI,
        _P.CHANGE_PASSWORD,
        _P.OWN_API_TOKENS,
        _P.SQL_EDITOR,
        _P.MANAGEMENT_API,
    }
)
_TENANT: Final[Permissions] = frozenset(
    {
        _P.USERS_CREATE,
        _P.USERS_VIEW,
        _P.USERS_UPDATE,
        _P.USERS_DELETE,
        _P.ROLES_CREATE,
        _P.ROLES_VIEW,
        _P.ROLES_UPDATE,
        _P.ROLES_DELETE,
        _P.ON_BEHALF_OF,
        _P.PROFILES_ALL,
    }
)
_API_CLIENT: Final[Permissions] = frozenset(
    {
        _P.PROFILES_LIST,
        _P.PROFILES_CREATE,
        _P.PROFILES_GET,
        _P.PROFILES_UPDATE,
        _P.PROFILES_DELETE,
        _P.LINKS_VIEW,
        _P.LINKS_MANAGE,
    }
)

_AUDITOR: Final[Permissions] = frozenset(
    {
        _P.APPLICATIONS_VIEW,
        _P.USERS_VIEW,
        _P.ROLES_VIEW,
        _P.RULES_VIEW,
        _P.GRANTS_VIEW,
        _P.JWT_MAPPINGS_VIEW,
    }
)
_GRANT_ADMINISTRATOR: Final[Permissions] = frozenset(
    {
        _P.APPLICATIONS_VIEW,
        _P.RULES_VIEW,
        _P.GRANTS_VIEW,
        _P.GRANTS_REVOKE,
    }
)
_OAUTH_ADMINISTRATOR: Final[Permissions] = frozenset(
    {
        _P.APPLICATIONS_VIEW,
        _P.APPLICATIONS_MANAGE,
        _P.APPLICATIONS_UPDATE,
        _P.USERS_VIEW,
        _P.ROLES_VIEW,
        _P.ROLES_BIND,
        _P.RULES_VIEW,
        _P.RULES_MANAGE,
        _P.GRANTS_VIEW,
        _P.GRANTS_REVOKE,
        _P.TOKENS_ISSUE,
        _P.TOKENS_INTROSPECT,
        _P.TOKEN_POLICY_MANAGE,
        _P.JWT_MAPPINGS_VIEW,
        _P.JWT_MAPPINGS_MANAGE,
    }
)
_APPLICATION_OWNER: Final[Permissions] = frozenset(
    {
        _P.APPLICATIONS_VIEW,
        _P.APPLICATIONS_MANAGE,
        _P.APPLICATIONS_UPDATE,
        _P.ROLES_BIND,
        _P.RULES_VIEW,
        _P.RULES_MANAGE,
        _P.GRANTS_VIEW,
        _P.GRANTS_REVOKE,
    }
)
_APPLICATION_MAINTAINER: Final[Permissions] = frozenset(
    {
        _P.APPLICATIONS_VIEW,
        _P.APPLICATIONS_UPDATE,
        _P.ROLES_BIND,
    }
)


class BuiltInRole(NamedTuple):
    """A role that every server has."""

    id: int
    name: str
    description: str
    permissions: Permissions


BUILT_IN_ROLES: Final = (
    BuiltInRole(1, "System Administrator", "May do everything.", ALL),
    BuiltInRole(2, "User", "Keeps profiles of their own.", _USER),
    BuiltInRole(3, "Tenant Administrator", "Administers the users of one organization.", _USER | _TENANT),
    BuiltInRole(4, "API Client", "The five switches of a Workato API client, and connections.", _API_CLIENT),
    BuiltInRole(5, "Auditor", "Sees all of OAuth and changes nothing.", _AUDITOR),
    BuiltInRole(
        6, "Grant Administrator", "Sees applications and rules, sees and revokes grants.", _GRANT_ADMINISTRATOR
    ),
    BuiltInRole(
        7, "OAuth Administrator", "Administers applications, rules, grants and their roles.", _OAUTH_ADMINISTRATOR
    ),
    BuiltInRole(8, "Application Owner", "Administers single applications.", _APPLICATION_OWNER),
    BuiltInRole(9, "Application Maintainer", "Changes single applications.", _APPLICATION_MAINTAINER),
    BuiltInRole(10, "Organization Owner", "May do everything in one organization.", organization_roles.OWNER),
    BuiltInRole(
        11,
        "Organization Administrator",
        "Administers all that is in one organization.",
        organization_roles.ADMINISTRATOR,
    ),
    BuiltInRole(12, "Developer", "Keeps applications, and profiles of their own.", organization_roles.DEVELOPER),
    BuiltInRole(13, "Organization Member", "Sees their own profiles.", organization_roles.MEMBER),
)
"""HDP's three default roles (contract hdp, section 4), Workato's client role (contract workato, section 6), Venafi's
roles that can be assigned (contract venafi, section 1) and VMware's in an organization (contract vmware, section 3)."""


class FirstCredentials(NamedTuple):
    """What the first user logs in with: digests to store, made outside the transaction."""

    password_digest: str
    api_token: str

    def __repr__(self) -> str:
        return "FirstCredentials(***)"


def is_empty(tx: Tx) -> bool:
    """Whether the server was never started on this database."""
    return tx.execute(select(func.count()).select_from(table_of(OrganizationRow))).scalar_one() == 0


def bootstrap(tx: Tx, keyring: Keyring, now: int, credentials: FirstCredentials) -> bool:
    """Makes what an empty server needs to be used. Returns False, and changes nothing, where it is not empty."""
    if not is_empty(tx):
        return False
    times = {"created": now, "updated": now, "revision": 1}
    system = {"number": SYSTEM, "id": new_uuid(), "display_name": "System", "disabled": False, **times}
    _add(tx, OrganizationRow, [{**system, "description": "The organization that administers the server."}])
    _add(
        tx,
        RoleRow,
        [
            {
                "id": role.id,
                "organization": SYSTEM,
                "name": role.name,
                "description": role.description,
                "permissions": to_text(role.permissions),
                "built_in": True,
                **times,
            }
            for role in BUILT_IN_ROLES
        ],
    )
    user = {"id": 1, "organization": SYSTEM, "username": ADMIN, "display_name": "Administrator", "email": ""}
    login = {"password_digest": credentials.password_digest, "password_expires": 0, "credential_revision": 1}
    state = {"disabled": False, "locked": False, "permissions": "", "application_number": None}
    _add(tx, UserRow, [{**user, **login, **state, **times}])
    kind, number = SERVER
    binding = {"user_id": 1, "role_id": 1, "place_kind": kind, "place_number": number, "created": now}
    _add(tx, RoleBindingRow, [{"id": 1, **binding}])
    digest = keyring.digest(API_TOKEN_DIGEST, credentials.api_token.encode())
    token = {"user_id": 1, "name": "first start", "digest": digest, "expires": 0, "created": now}
    _add(tx, ApiTokenRow, [{"id": 1, **token}])
    _add_client(tx, now)
    almoner = Caller(0, "almoner", SYSTEM, ())
    audit.record(Work(tx, almoner, now, keyring, "first-start"), "server.bootstrap", "organizations/1", SYSTEM)
    return True


def _add_client(tx: Tx, now: int) -> None:
    """Makes the client application that the first user gets tokens with, and their access rule."""
    times = {"created": now, "updated": now, "revision": 1}
    whole = Draft(
        kind=ApplicationKind.CLIENT,
        name="Almoner",
        description="Gets tokens for Almoner itself.",
        allowed_scopes=KNOWN_SCOPES,
        grant_types=tuple(GrantType),
    )
    client = {"number": 1, "id": CLIENT, "organization": SYSTEM, "owner_id": 1, **stored(whole), **times}
    _add(tx, ApplicationRow, [client])
    policy = {"access_token_lifetime": 0, "grant_lifetime": 0, "renewable": None}
    rule = {"id": 1, "application_number": 1, "user_id": 1, "description": "Made by the first start.", **policy}
    _add(tx, AccessRuleRow, [{**rule, "allowed_scopes": stored(whole)["allowed_scopes"], **times}])


def _add(tx: Tx, row_class: type[StoredRow], rows: list[dict[str, object]]) -> None:
    """Inserts rows with numbers of our own choice, and tells PostgreSQL's sequence where to go on."""
    table = table_of(row_class)
    tx.execute(insert(table), rows)
    if tx.dialect.name == "postgresql":
        (key,) = table.primary_key.columns
        tx.execute(
            text("SELECT setval(pg_get_serial_sequence(:table, :key), :last)"),
            {"table": table.name, "key": key.name, "last": max(int(str(row[key.name])) for row in rows)},
        )
