# SPDX-License-Identifier: Apache-2.0
"""The outbox of changes of profiles."""

from enum import IntEnum

from sqlalchemy import BigInteger, Index
from sqlmodel import Field

from service.storage.tables import BigKey, StoredRow


class ChangeKind(IntEnum):
    """The values of almoner.v1.ChangeKind, where each is described; a test holds the two lists together."""

    CREATED = 1
    UPDATED = 2
    TOKEN_STATE = 3
    DELETED = 4


class ProfileChangeRow(StoredRow, table=True):
    """One change, with what decides who sees it as it was then: it outlives the profile and refers to nothing.

    Ids are given out in another order than transactions commit in. `position` is given to committed rows only, without
    gaps and the same for every reader; NULL: not yet.
    """

    __tablename__ = "profile_changes"
    __table_args__ = (
        Index("ix_profile_changes_organization_position", "organization", "position"),
        {"sqlite_autoincrement": True},
    )

    id: int = Field(sa_type=BigKey, primary_key=True)
    position: int | None = Field(sa_type=BigInteger, nullable=True, unique=True)
    profile_id: int = Field(sa_type=BigInteger)
    organization: int = Field(sa_type=BigInteger)
    owner_id: int = Field(sa_type=BigInteger)
    creator_id: int = Field(sa_type=BigInteger)
    kind: int
    token_state: int
    revision: int
    time: int = Field(sa_type=BigInteger)


class StoredChange:
    """A change that has its position, as it is read."""

    position: int
    profile_id: int
    kind: int
    token_state: int
    revision: int
    time: int


class SeenChange(StoredChange):
    """The same with the UUID of its organization; empty: that is deleted."""

    organization_id: str
