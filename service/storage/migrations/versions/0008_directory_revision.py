# SPDX-License-Identifier: Apache-2.0
"""On PostgreSQL, too, a number that grows with every change of what logins are made of; see 0003."""

from __future__ import annotations

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

TABLES = ("organizations", "users", "roles", "role_bindings", "api_tokens")


def upgrade() -> None:
    if op.get_context().dialect.name == "sqlite":
        return
    op.execute("INSERT INTO facts (name, value) VALUES ('directory-revision', '1')")
    function = """
        CREATE FUNCTION count_directory_revision() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            UPDATE facts SET value = CAST(value AS bigint) + 1 WHERE name = 'directory-revision';
            RETURN NULL;
        END $$
    """
    op.execute(function)
    for table in TABLES:
        # Once a statement, however many rows it changes: an import writes thousands.
        op.execute(
            f"CREATE TRIGGER directory_revision_{table} AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON {table}"
            " FOR EACH STATEMENT EXECUTE FUNCTION count_directory_revision()"
        )


def downgrade() -> None:
    if op.get_context().dialect.name == "sqlite":
        return
    for table in TABLES:
        op.execute(f"DROP TRIGGER directory_revision_{table} ON {table}")
    op.execute("DROP FUNCTION count_directory_revision()")
    op.execute("DELETE FROM facts WHERE name = 'directory-revision'")
