# SPDX-License-Identifier: Apache-2.0
"""Tables of access rules, grants, JWT mappings, token policies and device authorizations.

Times are epoch microseconds and lifetimes microseconds, 0 where there is none. Lists and maps are JSON.
"""

from enum import IntEnum

from sqlalchemy import BigInteger, ForeignKey, Index, LargeBinary, UniqueConstraint, text
from sqlmodel import Field

from service.storage.tables import BigKey, StoredRow

_IS_REVOKED = text("revoked > 0")
"""Most grants never are: the index that housekeeping finds the others by leaves them out."""


class GrantType(IntEnum):
    """The values of almoner.v1.GrantType; a test holds the two lists together."""

    AUTHORIZATION_CODE = 1
    CLIENT_CREDENTIALS = 2
    REFRESH_TOKEN = 3
    PASSWORD = 4
    DEVICE_CODE = 5
    JWT_BEARER = 6
    CERTIFICATE = 7


class CertificateField(IntEnum):
    """The values of almoner.v1.CertificateField; a test holds the two lists together."""

    COMMON_NAME = 1
    UPN = 2
    EMAIL = 3


class Decision(IntEnum):
    """What the user of a waiting device has said."""

    PENDING = 0
    APPROVED = 1
    DENIED = 2


class AccessRuleRow(StoredRow, table=True):
    """What one user may get of one client application."""

    __tablename__ = "access_rules"
    __table_args__ = (UniqueConstraint("application_number", "user_id"), {"sqlite_autoincrement": True})

    id: int = Field(sa_type=BigKey, primary_key=True)
    application_number: int = Field(
        sa_type=BigInteger, sa_column_args=(ForeignKey("applications.number", ondelete="CASCADE"),)
    )
    user_id: int = Field(sa_type=BigInteger, sa_column_args=(ForeignKey("users.id", ondelete="CASCADE"),), index=True)
    allowed_scopes: str
    description: str
    access_token_lifetime: int = Field(sa_type=BigInteger)
    grant_lifetime: int = Field(sa_type=BigInteger)
    renewable: bool | None = Field(nullable=True)
    created: int = Field(sa_type=BigInteger)
    updated: int = Field(sa_type=BigInteger)
    revision: int


class GrantRow(StoredRow, table=True):
    """What was issued to a user for a client application: keyed digests of its current tokens, never the tokens.

    `revoked` is when it was revoked; the row then stays for a while, so that a replayed refresh token is still
    recognised. `scopes` are scope tokens, sorted and separated by spaces.
    """

    __tablename__ = "grants"
    __table_args__ = (
        Index("ix_grants_application_number_user_id", "application_number", "user_id"),
        Index("ix_grants_revoked", "revoked", postgresql_where=_IS_REVOKED, sqlite_where=_IS_REVOKED),
        {"sqlite_autoincrement": True},
    )

    id: int = Field(sa_type=BigKey, primary_key=True)
    application_number: int = Field(
        sa_type=BigInteger, sa_column_args=(ForeignKey("applications.number", ondelete="CASCADE"),)
    )
    user_id: int = Field(sa_type=BigInteger, sa_column_args=(ForeignKey("users.id", ondelete="CASCADE"),), index=True)
    grant_type: int
    scopes: str
    renewable: bool
    access_token: bytes = Field(sa_type=LargeBinary, unique=True)
    access_token_lifetime: int = Field(sa_type=BigInteger)
    access_token_issued: int = Field(sa_type=BigInteger)
    access_token_expires: int = Field(sa_type=BigInteger)
    refresh_token: bytes | None = Field(sa_type=LargeBinary, unique=True, nullable=True)
    issued: int = Field(sa_type=BigInteger)
    expires: int = Field(sa_type=BigInteger, index=True)
    revoked: int = Field(sa_type=BigInteger)


class UsedRefreshTokenRow(StoredRow, table=True):
    """A refresh token that was changed for another: whoever presents it again has stolen it, or was stolen from."""

    __tablename__ = "used_refresh_tokens"

    digest: bytes = Field(sa_type=LargeBinary, primary_key=True)
    grant_id: int = Field(sa_type=BigInteger, sa_column_args=(ForeignKey("grants.id", ondelete="CASCADE"),), index=True)
    used: int = Field(sa_type=BigInteger, index=True)


class JwtMappingRow(StoredRow, table=True):
    """Whose tokens the JWTs of an issuer may be exchanged for. `user_id` is NULL where a claim names the user."""

    __tablename__ = "jwt_mappings"
    __table_args__ = (UniqueConstraint("organization", "name"), {"sqlite_autoincrement": True})

    id: int = Field(sa_type=BigKey, primary_key=True)
    organization: int = Field(
        sa_type=BigInteger, sa_column_args=(ForeignKey("organizations.number", ondelete="CASCADE"),)
    )
    name: str
    issuer_uri: str
    purpose_field: str
    purpose_match: str
    id_field: str
    id_match: str
    user_id: int | None = Field(
        sa_type=BigInteger, sa_column_args=(ForeignKey("users.id", ondelete="CASCADE"),), index=True, nullable=True
    )
    created: int = Field(sa_type=BigInteger)
    updated: int = Field(sa_type=BigInteger)
    revision: int


class TokenPolicyRow(StoredRow, table=True):
    """What an organization lays down for its client applications. Without a row the policy is the first one."""

    __tablename__ = "token_policies"

    organization: int = Field(
        sa_type=BigInteger,
        sa_column_args=(ForeignKey("organizations.number", ondelete="CASCADE"),),
        sa_column_kwargs={"autoincrement": False},
        primary_key=True,
    )
    access_token_lifetime: int = Field(sa_type=BigInteger)
    grant_lifetime: int = Field(sa_type=BigInteger)
    renewable: bool
    refused_grant_types: str
    certificate_field: int
    certificate_issuers: str
    annotations: str
    updated: int = Field(sa_type=BigInteger)
    revision: int


class DeviceAuthorizationRow(StoredRow, table=True):
    """A device that waits for its user. Both codes are keyed digests; it is gone once the device has its tokens."""

    __tablename__ = "device_authorizations"
    __table_args__ = {"sqlite_autoincrement": True}  # noqa: RUF012 - read by SQLAlchemy as it is

    id: int = Field(sa_type=BigKey, primary_key=True)
    application_number: int = Field(
        sa_type=BigInteger, sa_column_args=(ForeignKey("applications.number", ondelete="CASCADE"),), index=True
    )
    device_code: bytes = Field(sa_type=LargeBinary, unique=True)
    user_code: bytes = Field(sa_type=LargeBinary, unique=True)
    scopes: str
    decision: int
    user_id: int | None = Field(
        sa_type=BigInteger, sa_column_args=(ForeignKey("users.id", ondelete="CASCADE"),), index=True, nullable=True
    )
    polled: int = Field(sa_type=BigInteger)
    expires: int = Field(sa_type=BigInteger, index=True)
