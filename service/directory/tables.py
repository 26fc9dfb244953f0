# SPDX-License-Identifier: Apache-2.0
"""Tables of the directory. Times are epoch microseconds, 0 where there is none; secrets are digests."""

from sqlalchemy import BigInteger, ForeignKey, LargeBinary, UniqueConstraint
from sqlmodel import Field

from service.storage.tables import BigKey, StoredRow


class OrganizationRow(StoredRow, table=True):
    """An organization. `number` is what other tables refer to; `id` is the UUID that the API shows."""

    __tablename__ = "organizations"
    __table_args__ = {"sqlite_autoincrement": True}  # noqa: RUF012 - read by SQLAlchemy as it is

    number: int = Field(sa_type=BigKey, primary_key=True)
    id: str = Field(max_length=36, unique=True)
    display_name: str
    description: str
    disabled: bool
    created: int = Field(sa_type=BigInteger)
    updated: int = Field(sa_type=BigInteger)
    revision: int


class UserRow(StoredRow, table=True):
    """A user. `credential_revision` grows with every change that must end cached logins.

    One with an `application_number` is no person but that client application, as the owner of what it makes. It holds
    nothing itself and never logs in: the application's tokens speak for it.
    """

    __tablename__ = "users"
    __table_args__ = {"sqlite_autoincrement": True}  # noqa: RUF012 - read by SQLAlchemy as it is

    id: int = Field(sa_type=BigKey, primary_key=True)
    organization: int = Field(sa_type=BigInteger, sa_column_args=(ForeignKey("organizations.number"),), index=True)
    username: str = Field(unique=True)
    display_name: str
    email: str
    password_digest: str
    password_expires: int = Field(sa_type=BigInteger)
    credential_revision: int
    disabled: bool
    locked: bool
    permissions: str
    application_number: int | None = Field(sa_type=BigInteger, nullable=True, index=True, unique=True)
    created: int = Field(sa_type=BigInteger)
    updated: int = Field(sa_type=BigInteger)
    revision: int


class RoleRow(StoredRow, table=True):
    """A role. `permissions` are names separated by spaces."""

    __tablename__ = "roles"
    __table_args__ = {"sqlite_autoincrement": True}  # noqa: RUF012 - read by SQLAlchemy as it is

    id: int = Field(sa_type=BigKey, primary_key=True)
    organization: int = Field(sa_type=BigInteger, sa_column_args=(ForeignKey("organizations.number"),), index=True)
    name: str
    description: str
    permissions: str
    built_in: bool
    created: int = Field(sa_type=BigInteger)
    updated: int = Field(sa_type=BigInteger)
    revision: int


class RoleBindingRow(StoredRow, table=True):
    """A role of a user in a place (`service.access.caller.Place`)."""

    __tablename__ = "role_bindings"
    __table_args__ = (
        UniqueConstraint("user_id", "role_id", "place_kind", "place_number"),
        {"sqlite_autoincrement": True},
    )

    id: int = Field(sa_type=BigKey, primary_key=True)
    user_id: int = Field(sa_type=BigInteger, sa_column_args=(ForeignKey("users.id", ondelete="CASCADE"),))
    role_id: int = Field(sa_type=BigInteger, sa_column_args=(ForeignKey("roles.id", ondelete="CASCADE"),), index=True)
    place_kind: int
    place_number: int = Field(sa_type=BigInteger)
    created: int = Field(sa_type=BigInteger)


class ApiTokenRow(StoredRow, table=True):
    """An API token: a keyed digest of it, never the token."""

    __tablename__ = "api_tokens"
    __table_args__ = {"sqlite_autoincrement": True}  # noqa: RUF012 - read by SQLAlchemy as it is

    id: int = Field(sa_type=BigKey, primary_key=True)
    user_id: int = Field(sa_type=BigInteger, sa_column_args=(ForeignKey("users.id", ondelete="CASCADE"),), index=True)
    name: str
    digest: bytes = Field(sa_type=LargeBinary, unique=True)
    expires: int = Field(sa_type=BigInteger)
    created: int = Field(sa_type=BigInteger)
