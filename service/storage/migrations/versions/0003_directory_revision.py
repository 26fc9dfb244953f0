# SPDX-License-Identifier: Apache-2.0
"""On SQLite, a number that grows with every change of what logins are made of (service/directory/logins.py)."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

TABLES = ("organizations", "users", "roles", "role_bindings", "api_tokens")
CHANGES = ("insert", "update", "delete")


def upgrade() -> None:
    if op.get_context().dialect.name != "sqlite":
        return
    op.execute("INSERT INTO facts (name, value) VALUES ('directory-revision', '1')")
    for table, change in ((table, change) for table in TABLES for change in CHANGES):
        # A trigger, because it also sees what cascades, other releases and a shell do.
        trigger = f"""
            CREATE TRIGGER directory_revision_{table}_{change} AFTER {change.upper()} ON {table} BEGIN
                UPDATE facts SET value = value + 1 WHERE name = 'directory-revision';
            END
        """  # noqa: S608 - the names are those above
        op.execute(sa.text(trigger))


def downgrade() -> None:
    if op.get_context().dialect.name != "sqlite":
        return
    for table, change in ((table, change) for table in TABLES for change in CHANGES):
        op.execute(f"DROP TRIGGER directory_revision_{table}_{change}")
    op.execute("DELETE FROM facts WHERE name = 'directory-revision'")
