# SPDX-License-Identifier: Apache-2.0
"""Tables of applications. Times and lifetimes are microseconds, 0 where there is none."""

from enum import IntEnum

from sqlalchemy import BigInteger, ForeignKey, LargeBinary, UniqueConstraint
from sqlmodel import Field

from service.storage.tables import BigKey, StoredRow


class ApplicationKind(IntEnum):
    """What an application is: a client of ours, or our registration at a provider."""

    CLIENT = 1
    PROVIDER = 2


class ClientAuthentication(IntEnum):
    """The values of almoner.v1.ClientAuthentication, where each is described; a test holds the two lists together."""

    BASIC = 1
    POST = 2
    NONE = 3


class ApplicationRow(StoredRow, table=True):
    """An application of either kind; the members of the other kind are empty.

    `number` is what other tables refer to; `id` may be chosen by the client. `owner_id` is 0 once the owner is
    deleted. Lists are JSON. A `secret_rotation_lifetime` of 0 is one; there is none where it is None. Where
    `client_authentication` and `assumed_token_lifetime` are 0, and `rotates_refresh_tokens` None, it is as is known of the
    provider.
    """

    __tablename__ = "applications"
    __table_args__ = {"sqlite_autoincrement": True}  # noqa: RUF012 - read by SQLAlchemy as it is

    number: int = Field(sa_type=BigKey, primary_key=True)
    id: str = Field(max_length=128, unique=True)
    organization: int = Field(sa_type=BigInteger, sa_column_args=(ForeignKey("organizations.number"),), index=True)
    owner_id: int = Field(sa_type=BigInteger, index=True)
    kind: int
    name: str
    description: str
    provider: str
    authorize_uri: str
    token_uri: str
    scope: str
    client_id: str
    client_secret: bytes | None = Field(sa_type=LargeBinary, nullable=True)
    vendor: str
    uri: str
    required_scopes: str
    allowed_scopes: str
    grant_types: str
    redirect_uris: str
    access_token_lifetime: int = Field(sa_type=BigInteger)
    grant_lifetime: int = Field(sa_type=BigInteger)
    renewable: bool | None = Field(nullable=True)
    owner_only_secret_rotation: bool
    secret_rotation_lifetime: int | None = Field(sa_type=BigInteger, nullable=True)
    client_authentication: int
    revocation_uri: str
    rotates_refresh_tokens: bool | None = Field(nullable=True)
    assumed_token_lifetime: int = Field(sa_type=BigInteger)
    created: int = Field(sa_type=BigInteger)
    updated: int = Field(sa_type=BigInteger)
    revision: int


class ApplicationSecretRow(StoredRow, table=True):
    """A secret of a client application: a keyed digest of a generated one, an argon2id digest of a chosen one."""

    __tablename__ = "application_secrets"
    __table_args__ = {"sqlite_autoincrement": True}  # noqa: RUF012 - read by SQLAlchemy as it is

    id: int = Field(sa_type=BigKey, primary_key=True)
    application_number: int = Field(
        sa_type=BigInteger, sa_column_args=(ForeignKey("applications.number", ondelete="CASCADE"),), index=True
    )
    generated: bool
    digest: str
    created: int = Field(sa_type=BigInteger)
    expires: int = Field(sa_type=BigInteger, index=True)
    last_used: int = Field(sa_type=BigInteger)


class ClientMembershipRow(StoredRow, table=True):
    """That a client application may get tokens for an organization, and with which scopes (JSON)."""

    __tablename__ = "client_memberships"
    __table_args__ = (UniqueConstraint("application_number", "organization"), {"sqlite_autoincrement": True})

    id: int = Field(sa_type=BigKey, primary_key=True)
    application_number: int = Field(
        sa_type=BigInteger, sa_column_args=(ForeignKey("applications.number", ondelete="CASCADE"),)
    )
    organization: int = Field(
        sa_type=BigInteger, sa_column_args=(ForeignKey("organizations.number", ondelete="CASCADE"),), index=True
    )
    scopes: str
    created: int = Field(sa_type=BigInteger)
    updated: int = Field(sa_type=BigInteger)
    revision: int
