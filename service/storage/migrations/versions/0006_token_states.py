# SPDX-License-Identifier: Apache-2.0
"""What the broker knows of the tokens of a profile, and what a provider registration says of its provider's tokens."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

# As they were when this migration was written; service/profiles/tables.py has the states.
OK, NEEDS_CONSENT = 1, 4


# The built-in roles that hold whatever there is to hold in an organization.
WHOLE_ROLES = ("System Administrator", "Organization Owner", "Organization Administrator")


def upgrade() -> None:
    for column in _of_profiles():
        op.add_column("profiles", column)
    op.execute(
        f"UPDATE profiles SET token_state = {NEEDS_CONSENT} WHERE access_token IS NULL AND refresh_token IS NULL"  # noqa: S608 - a number
    )
    op.create_index(op.f("ix_profiles_token_state"), "profiles", ["token_state"])
    op.create_index(op.f("ix_profiles_token_due"), "profiles", ["token_due"])
    for column in _of_applications():
        op.add_column("applications", column)
    _rewrite_whole_roles("LINKS_MANAGE", "LINKS_MANAGE PROFILES_USE")


def _rewrite_whole_roles(before: str, after: str) -> None:
    roles = sa.table(
        "roles",
        sa.column("name", sa.String()),
        sa.column("built_in", sa.Boolean()),
        sa.column("permissions", sa.String()),
    )
    rewritten = sa.func.replace(roles.c.permissions, before, after)
    op.execute(roles.update().where(roles.c.built_in, roles.c.name.in_(WHOLE_ROLES)).values(permissions=rewritten))


def _of_profiles() -> tuple[sa.Column[object], ...]:
    number, nothing = sa.BigInteger(), sa.text("0")
    return (
        sa.Column("keep_fresh", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("token_state", sa.Integer(), nullable=False, server_default=sa.text(str(OK))),
        sa.Column("token_expires", number, nullable=False, server_default=nothing),
        sa.Column("token_scope", sa.String(), nullable=False, server_default=""),
        sa.Column("token_type", sa.String(), nullable=False, server_default=""),
        sa.Column("token_refreshed", number, nullable=False, server_default=nothing),
        sa.Column("token_next_try", number, nullable=False, server_default=nothing),
        sa.Column("token_failures", sa.Integer(), nullable=False, server_default=nothing),
        sa.Column("token_failure", sa.String(), nullable=False, server_default=""),
        sa.Column("token_due", number, nullable=True),
        sa.Column("doubtful", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("fence", number, nullable=False, server_default=nothing),
        sa.Column("spent_refresh_digest", sa.String(), nullable=True),
    )


def _of_applications() -> tuple[sa.Column[object], ...]:
    nothing = sa.text("0")
    return (
        sa.Column("client_authentication", sa.Integer(), nullable=False, server_default=nothing),
        sa.Column("revocation_uri", sa.String(), nullable=False, server_default=""),
        sa.Column("rotates_refresh_tokens", sa.Boolean(), nullable=True),
        sa.Column("assumed_token_lifetime", sa.BigInteger(), nullable=False, server_default=nothing),
    )


def downgrade() -> None:
    _rewrite_whole_roles("LINKS_MANAGE PROFILES_USE", "LINKS_MANAGE")
    for column in reversed(_of_applications()):
        op.drop_column("applications", column.name)
    op.drop_index(op.f("ix_profiles_token_due"), table_name="profiles")
    op.drop_index(op.f("ix_profiles_token_state"), table_name="profiles")
    for column in reversed(_of_profiles()):
        op.drop_column("profiles", column.name)
