# SPDX-License-Identifier: Apache-2.0
"""HDP's permission numbers and the sets of permissions they stand for (contract section 4).

The sets are disjoint, so numbers survive the way into the service and back.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from almoner.v1 import directory_pb2 as pb

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from almoner.v1.directory_pb2 import Permission

PermissionNumber = Literal[
    1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 25, 26, 27, 28, 29
]


@dataclass(frozen=True, slots=True)
class HdpPermission:
    """One of HDP's permissions: its name and text there, and all that it allows here."""

    number: int
    name: str
    description: str
    allows: frozenset[Permission.ValueType]


def _permission(number: int, name: str, description: str, *allows: Permission.ValueType) -> HdpPermission:
    return HdpPermission(number, name, description, frozenset(allows))


# Numbers 22 to 24 are not documented. The names of 9 and 16, and most texts, are inferred. HDP has no word for what an
# authorization server does: those permissions have no number, and are neither shown nor given.
PERMISSIONS: tuple[HdpPermission, ...] = (
    _permission(1, "CreateDataSource", "May create new data sources.", pb.PERMISSION_PROFILES_CREATE),
    _permission(
        2,
        "ViewDataSource",
        "May view data sources.",
        pb.PERMISSION_PROFILES_LIST,
        pb.PERMISSION_PROFILES_GET,
        pb.PERMISSION_PROFILES_REVEAL,
        pb.PERMISSION_LINKS_VIEW,
    ),
    _permission(
        3,
        "ModifyDataSource",
        "May modify data sources.",
        pb.PERMISSION_PROFILES_UPDATE,
        pb.PERMISSION_LINKS_MANAGE,
    ),
    _permission(4, "DeleteDataSource", "May delete data sources.", pb.PERMISSION_PROFILES_DELETE),
    _permission(5, "UseDataSourceWithJDBC", "May use data sources with JDBC.", pb.PERMISSION_USE_JDBC),
    _permission(6, "UseDataSourceWithODBC", "May use data sources with ODBC.", pb.PERMISSION_USE_ODBC),
    _permission(7, "UseDataSourceWithOData", "May use data sources with OData.", pb.PERMISSION_USE_ODATA),
    _permission(8, "WebUI", "May use the Web UI.", pb.PERMISSION_WEB_UI),
    _permission(
        9,
        "ChangePassword",
        "May change their own password.",
        pb.PERMISSION_CHANGE_PASSWORD,
        pb.PERMISSION_OWN_API_TOKENS,
    ),
    _permission(10, "SQLEditor", "May use the SQL editor.", pb.PERMISSION_SQL_EDITOR),
    _permission(11, "MgmtAPI", "May use the Management API.", pb.PERMISSION_MANAGEMENT_API),
    _permission(12, "Administrator", "May do everything.", pb.PERMISSION_ADMINISTRATOR),
    _permission(13, "CreateUsers", "May create users.", pb.PERMISSION_USERS_CREATE),
    _permission(14, "ViewUsers", "May view users.", pb.PERMISSION_USERS_VIEW),
    _permission(15, "ModifyUsers", "May modify users.", pb.PERMISSION_USERS_UPDATE),
    _permission(16, "DeleteUsers", "May delete users.", pb.PERMISSION_USERS_DELETE),
    _permission(17, "CreateRole", "May create roles.", pb.PERMISSION_ROLES_CREATE),
    _permission(18, "ViewRole", "May view roles.", pb.PERMISSION_ROLES_VIEW),
    _permission(19, "ModifyRole", "May modify roles.", pb.PERMISSION_ROLES_UPDATE),
    _permission(20, "DeleteRole", "May delete roles.", pb.PERMISSION_ROLES_DELETE),
    _permission(
        21,
        "OnBehalfOf",
        "May manage resources on behalf of users.",
        pb.PERMISSION_ON_BEHALF_OF,
        pb.PERMISSION_PROFILES_ALL,
    ),
    _permission(25, "TenantAPI", "May manage tenants.", pb.PERMISSION_ORGANIZATIONS_MANAGE),
    _permission(
        26,
        "RegisterExternalAuthService",
        "May register external authentication services.",
        pb.PERMISSION_REGISTER_EXTERNAL_AUTHENTICATION,
    ),
    _permission(27, "Limits", "May manage limits.", pb.PERMISSION_LIMITS),
    _permission(
        28,
        "OAuth",
        "May manage OAuth application objects.",
        pb.PERMISSION_APPLICATIONS_VIEW,
        pb.PERMISSION_APPLICATIONS_REVEAL,
        pb.PERMISSION_APPLICATIONS_MANAGE,
    ),
    _permission(29, "IPWhiteList", "May manage IP address white lists.", pb.PERMISSION_IP_ALLOW_LIST),
)

BY_NUMBER = {permission.number: permission for permission in PERMISSIONS}


def permissions_of(numbers: Iterable[int]) -> list[Permission.ValueType]:
    """Returns all that the numbers allow, in the order of the enum. Every number is known: bodies are read so."""
    return sorted({allowed for number in numbers for allowed in BY_NUMBER[number].allows})


def shown(held: Collection[Permission.ValueType]) -> list[HdpPermission]:
    """Returns the permissions whose whole set is held."""
    return [permission for permission in PERMISSIONS if permission.allows.issubset(held)]


def numbers_of(held: Collection[Permission.ValueType]) -> list[int]:
    """Returns the numbers of the permissions whose whole set is held."""
    return [permission.number for permission in shown(held)]
