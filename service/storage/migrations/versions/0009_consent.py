# SPDX-License-Identifier: Apache-2.0
"""Authorizations that wait for their answer, and grants that providers are to revoke."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "authorizations",
        sa.Column("state_digest", sa.String(), nullable=False),
        sa.Column("profile_id", sa.BigInteger(), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("actor_id", sa.BigInteger(), nullable=True),
        sa.Column("organization", sa.BigInteger(), nullable=False),
        sa.Column("code_verifier", sa.LargeBinary(), nullable=False),
        sa.Column("redirect_uri", sa.String(), nullable=False),
        sa.Column("scope", sa.String(), nullable=False),
        sa.Column("expires", sa.BigInteger(), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("state_digest", name=op.f("pk_authorizations")),
        _cascading("profile_id", "profiles.id"),
        _cascading("user_id", "users.id"),
        _cascading("actor_id", "users.id"),
        _cascading("organization", "organizations.number"),
    )
    for column in ("profile_id", "user_id", "actor_id", "expires"):
        op.create_index(op.f(f"ix_authorizations_{column}"), "authorizations", [column])
    op.create_table(
        "revocations",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("profile_id", sa.BigInteger(), nullable=False),
        sa.Column("organization", sa.BigInteger(), nullable=False),
        sa.Column("revocation_uri", sa.String(), nullable=False),
        sa.Column("client_id", sa.String(), nullable=False),
        sa.Column("client_secret", sa.LargeBinary(), nullable=True),
        sa.Column("client_authentication", sa.Integer(), nullable=False),
        sa.Column("token", sa.LargeBinary(), nullable=False),
        sa.Column("token_type_hint", sa.String(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_try", sa.BigInteger(), nullable=False),
        sa.Column("first_try", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_revocations")),
    )
    op.create_index(op.f("ix_revocations_next_try"), "revocations", ["next_try"])


def _cascading(column: str, target: str) -> sa.ForeignKeyConstraint:
    name = op.f(f"fk_authorizations_{column}")
    return sa.ForeignKeyConstraint([column], [target], name=name, ondelete="CASCADE")


def downgrade() -> None:
    op.drop_table("revocations")
    op.drop_table("authorizations")
