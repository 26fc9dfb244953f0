# SPDX-License-Identifier: Apache-2.0
"""The outbox of changes of profiles, webhooks that are told of them, and the permissions for webhooks."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

# SQLite counts an INTEGER PRIMARY KEY by itself, and no other type.
BigKey = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

# As they were when this migration was written; service/directory/bootstrap.py has them for new databases.
PERMISSIONS = " WEBHOOKS_VIEW WEBHOOKS_MANAGE"
COLUMNS = (("name", sa.String()), ("permissions", sa.String()), ("built_in", sa.Boolean()))
ROLES = ("System Administrator", "Organization Owner", "Organization Administrator")


def upgrade() -> None:
    _add_outbox()
    _add_webhooks()
    _add_dispatches()
    _add_deliveries()
    roles = _holders("roles")
    of_organizations = roles.update().where(roles.c.built_in, roles.c.name.in_(ROLES))
    op.execute(of_organizations.values(permissions=roles.c.permissions + PERMISSIONS))


def _add_outbox() -> None:
    op.create_table(
        "profile_changes",
        sa.Column("id", BigKey, nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=True),
        sa.Column("profile_id", sa.BigInteger(), nullable=False),
        sa.Column("organization", sa.BigInteger(), nullable=False),
        sa.Column("owner_id", sa.BigInteger(), nullable=False),
        sa.Column("creator_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Integer(), nullable=False),
        sa.Column("token_state", sa.Integer(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("time", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_profile_changes")),
        sa.UniqueConstraint("position", name=op.f("uq_profile_changes_position")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_profile_changes_organization_position"), "profile_changes", ["organization", "position"])


def _add_webhooks() -> None:
    op.create_table(
        "webhooks",
        sa.Column("id", BigKey, nullable=False),
        sa.Column("organization", sa.BigInteger(), nullable=False),
        sa.Column("creator_id", sa.BigInteger(), nullable=False),
        sa.Column("url", sa.String(), nullable=False),
        sa.Column("description", sa.String(), nullable=False),
        sa.Column("disabled", sa.Boolean(), nullable=False),
        sa.Column("kinds", sa.Integer(), nullable=False),
        sa.Column("secret", sa.LargeBinary(), nullable=False),
        sa.Column("previous_secret", sa.LargeBinary(), nullable=True),
        sa.Column("previous_secret_ends", sa.BigInteger(), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("updated", sa.BigInteger(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization"],
            ["organizations.number"],
            name=op.f("fk_webhooks_organization_organizations"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhooks")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_webhooks_organization_id"), "webhooks", ["organization", "id"])
    op.create_index(op.f("ix_webhooks_creator_id"), "webhooks", ["creator_id"])


def _add_dispatches() -> None:
    op.create_table(
        "webhook_dispatches",
        sa.Column("webhook_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("fence", sa.BigInteger(), nullable=False),
        sa.Column("held", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["webhook_id"],
            ["webhooks.id"],
            name=op.f("fk_webhook_dispatches_webhook_id_webhooks"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("webhook_id", name=op.f("pk_webhook_dispatches")),
    )


def _add_deliveries() -> None:
    op.create_table(
        "webhook_deliveries",
        sa.Column("webhook_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("position", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("profile_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Integer(), nullable=False),
        sa.Column("token_state", sa.Integer(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("time", sa.BigInteger(), nullable=False),
        sa.Column("first_try", sa.BigInteger(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_try", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["webhook_id"],
            ["webhooks.id"],
            name=op.f("fk_webhook_deliveries_webhook_id_webhooks"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("webhook_id", "position", name=op.f("pk_webhook_deliveries")),
    )
    op.create_index(
        op.f("ix_webhook_deliveries_profile"), "webhook_deliveries", ["webhook_id", "profile_id", "position"]
    )
    op.create_index(op.f("ix_webhook_deliveries_next_try"), "webhook_deliveries", ["webhook_id", "next_try"])


def _holders(name: str) -> sa.TableClause:
    return sa.table(name, *(sa.column(column, kind) for column, kind in COLUMNS))


def downgrade() -> None:
    # The release before does not know these names, whoever was given them.
    for holder in (_holders("roles"), _holders("users")):
        without: sa.ColumnElement[str] = holder.c.permissions
        for name in PERMISSIONS.split():
            without = sa.func.replace(sa.func.replace(without, f" {name}", ""), name, "")
        op.execute(holder.update().values(permissions=without).where(holder.c.permissions.like("%WEBHOOKS_%")))
    for table in ("webhook_deliveries", "webhook_dispatches", "webhooks", "profile_changes"):
        op.drop_table(table)
