# SPDX-License-Identifier: Apache-2.0
"""Tables of profiles and links. Times are epoch microseconds; secrets are sealed, each for its own row and column."""

from enum import IntEnum

from sqlalchemy import BigInteger, ForeignKey, Index, LargeBinary, text
from sqlmodel import Field

from service.storage.tables import BigKey, StoredRow


class LinkKind(IntEnum):
    """The values of almoner.v1.LinkKind; a test holds the two lists together."""

    DATA_SOURCE = 1
    CONNECTION = 2
    CUSTOMER = 3


class TokenState(IntEnum):
    """The values of almoner.v1.TokenState, where each is described; a test holds the two lists together."""

    OK = 1
    REFRESHING = 2
    IN_DOUBT = 3
    NEEDS_CONSENT = 4
    FAILING = 5


class ProfileRow(StoredRow, table=True):
    """A profile. Either it has an application, or a provider and client credentials of its own.

    `organization` is the owner's. `creator_id` is 0 once the creator is deleted. Of its tokens, `token_expires` says when
    the access token ends and `token_due` when the broker acts by itself (0 or NULL: not known, never). `fence` counts the
    claims to refresh them and every change of them by hand: who holds a claim may write only while it is still theirs.
    `doubtful` says that a refresh with this refresh token has an outcome that nobody knows, `spent_refresh_digest` which
    refresh token was exchanged for it.
    """

    __tablename__ = "profiles"
    __table_args__ = (Index("ix_profiles_organization_id", "organization", "id"), {"sqlite_autoincrement": True})

    id: int = Field(sa_type=BigKey, primary_key=True)
    organization: int = Field(sa_type=BigInteger, sa_column_args=(ForeignKey("organizations.number"),))
    owner_id: int = Field(sa_type=BigInteger, sa_column_args=(ForeignKey("users.id"),), index=True)
    creator_id: int = Field(sa_type=BigInteger, index=True)
    name: str
    description: str
    provider: str
    application_number: int | None = Field(
        sa_type=BigInteger, sa_column_args=(ForeignKey("applications.number"),), index=True, nullable=True
    )
    client_id: str
    client_secret: bytes | None = Field(sa_type=LargeBinary, nullable=True)
    access_token: bytes | None = Field(sa_type=LargeBinary, nullable=True)
    refresh_token: bytes | None = Field(sa_type=LargeBinary, nullable=True)
    verification_token: bytes | None = Field(sa_type=LargeBinary, nullable=True)
    keep_fresh: bool
    token_state: int = Field(index=True)
    token_expires: int = Field(sa_type=BigInteger)
    token_scope: str
    token_type: str
    token_refreshed: int = Field(sa_type=BigInteger)
    token_next_try: int = Field(sa_type=BigInteger)
    token_failures: int
    token_failure: str
    token_due: int | None = Field(sa_type=BigInteger, nullable=True, index=True)
    doubtful: bool
    fence: int = Field(sa_type=BigInteger)
    spent_refresh_digest: str | None = Field(nullable=True)
    created: int = Field(sa_type=BigInteger)
    updated: int = Field(sa_type=BigInteger)
    revision: int


class ProfileLinkRow(StoredRow, table=True):
    """Something that uses, or could use, a profile. `attributes` is JSON."""

    __tablename__ = "profile_links"
    __table_args__ = (
        Index(
            "uq_profile_links_profile_id",
            "profile_id",
            "kind",
            "external_id",
            unique=True,
            sqlite_where=text("external_id <> ''"),
            postgresql_where=text("external_id <> ''"),
        ),
        Index("ix_profile_links_organization_id", "organization", "id"),
        {"sqlite_autoincrement": True},
    )

    id: int = Field(sa_type=BigKey, primary_key=True)
    organization: int = Field(sa_type=BigInteger, sa_column_args=(ForeignKey("organizations.number"),))
    creator_id: int = Field(sa_type=BigInteger, index=True)
    kind: int
    profile_id: int | None = Field(
        sa_type=BigInteger, sa_column_args=(ForeignKey("profiles.id"),), index=True, nullable=True
    )
    external_id: str
    name: str
    description: str
    provider: str
    attributes: str
    created: int = Field(sa_type=BigInteger)
    updated: int = Field(sa_type=BigInteger)
    revision: int
