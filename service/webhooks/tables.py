# SPDX-License-Identifier: Apache-2.0
"""Tables of webhooks: what is wanted, how far it was handed out, and what is still to be delivered."""

from sqlalchemy import BigInteger, ForeignKey, Index, LargeBinary
from sqlmodel import Field

from service.storage.tables import BigKey, StoredRow


class WebhookRow(StoredRow, table=True):
    """A webhook. Secrets are sealed; the one before the present one counts until `previous_secret_ends`.

    `kinds` has bit `1 << kind` set for every `ChangeKind` that is wanted; 0: all of them. `creator_id` is 0 once the
    creator is deleted.
    """

    __tablename__ = "webhooks"
    __table_args__ = (Index("ix_webhooks_organization_id", "organization", "id"), {"sqlite_autoincrement": True})

    id: int = Field(sa_type=BigKey, primary_key=True)
    organization: int = Field(
        sa_type=BigInteger, sa_column_args=(ForeignKey("organizations.number", ondelete="CASCADE"),)
    )
    creator_id: int = Field(sa_type=BigInteger, index=True)
    url: str
    description: str
    disabled: bool
    kinds: int
    secret: bytes = Field(sa_type=LargeBinary)
    previous_secret: bytes | None = Field(sa_type=LargeBinary, nullable=True)
    previous_secret_ends: int = Field(sa_type=BigInteger)
    created: int = Field(sa_type=BigInteger)
    updated: int = Field(sa_type=BigInteger)
    revision: int


class WebhookDispatchRow(StoredRow, table=True):
    """How far the outbox was handed out to a webhook, and who is at it (`service.leases`).

    Apart from the webhook, because it changes all the time, and belongs to this database's outbox alone.
    """

    __tablename__ = "webhook_dispatches"

    webhook_id: int = Field(
        sa_type=BigInteger,
        primary_key=True,
        sa_column_args=(ForeignKey("webhooks.id", ondelete="CASCADE"),),
        sa_column_kwargs={"autoincrement": False},
    )
    position: int = Field(sa_type=BigInteger)
    fence: int = Field(sa_type=BigInteger)
    held: bool


class WebhookDeliveryRow(StoredRow, table=True):
    """A change that a webhook has yet to be told of.

    `next_try` is NULL while an earlier change of the same profile is not delivered; 0: at once. `attempts` have failed so
    far, the first at `first_try`. All else is as in `ProfileChangeRow`.
    """

    __tablename__ = "webhook_deliveries"
    __table_args__ = (
        Index("ix_webhook_deliveries_profile", "webhook_id", "profile_id", "position"),
        Index("ix_webhook_deliveries_next_try", "webhook_id", "next_try"),
    )

    webhook_id: int = Field(
        sa_type=BigInteger,
        primary_key=True,
        sa_column_args=(ForeignKey("webhooks.id", ondelete="CASCADE"),),
        sa_column_kwargs={"autoincrement": False},
    )
    position: int = Field(sa_type=BigInteger, primary_key=True, sa_column_kwargs={"autoincrement": False})
    profile_id: int = Field(sa_type=BigInteger)
    kind: int
    token_state: int
    revision: int
    time: int = Field(sa_type=BigInteger)
    first_try: int = Field(sa_type=BigInteger)
    attempts: int
    next_try: int | None = Field(sa_type=BigInteger, nullable=True)
