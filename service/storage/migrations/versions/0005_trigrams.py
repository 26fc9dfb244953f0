# SPDX-License-Identifier: Apache-2.0
"""Indexes of the three-character parts of names, by which lists find substrings (service/listing/trigrams.py)."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

# Table, what its rows are known by, and the column.
INDEXED = (("profiles", "id", "name"), ("applications", "number", "name"), ("applications", "number", "id"))
CHANGES = ("insert", "update", "delete")

# The extension takes no superuser, but the right to create in the database.
_MAY_HAVE_TRIGRAMS = """
    SELECT EXISTS (SELECT FROM pg_extension WHERE extname = 'pg_trgm')
        OR EXISTS (SELECT FROM pg_available_extensions WHERE name = 'pg_trgm')
            AND has_database_privilege(current_database(), 'CREATE')
"""


def upgrade() -> None:
    if op.get_context().dialect.name == "sqlite":
        for table, key, column in INDEXED:
            for statement in made_on_sqlite(table, key, column):
                op.execute(sa.text(statement))
    elif op.get_bind().execute(sa.text(_MAY_HAVE_TRIGRAMS)).scalar_one():
        op.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
        for table, _, column in INDEXED:
            op.execute(made_on_postgresql(table, column))


def made_on_sqlite(table: str, key: str, column: str) -> list[str]:
    """Returns what makes the index of a column, fills it, and keeps it.

    Which rows have a part is all that is asked, so neither texts nor positions are kept. Case is folded by lower(), of
    ASCII letters: the tables of the tokenizer change with releases of SQLite. Triggers keep the index, because they
    also see what cascades, other releases and a shell do.
    """
    index = f"{table}_{column}_trigrams"
    watched = f"UPDATE OF {key}, {column} ON {table}"
    forget = f"INSERT INTO {index} ({index}, rowid, part) VALUES ('delete', old.{key}, lower(old.{column}));"  # noqa: S608 - the names are those above
    learn = f"INSERT INTO {index} (rowid, part) VALUES (new.{key}, lower(new.{column}));"  # noqa: S608
    options = "content='', detail=none, columnsize=0, tokenize='trigram case_sensitive 1'"
    is_change = f"old.{column} IS NOT new.{column} OR old.{key} IS NOT new.{key}"
    return [
        f"CREATE VIRTUAL TABLE {index} USING fts5(part, {options})",
        f"INSERT INTO {index} (rowid, part) SELECT {key}, lower({column}) FROM {table}",  # noqa: S608
        # In one piece: otherwise the first writes would have to put the pieces of the filling together.
        f"INSERT INTO {index} ({index}) VALUES ('optimize')",  # noqa: S608
        f"CREATE TRIGGER {index}_insert AFTER INSERT ON {table} BEGIN {learn} END",
        f"CREATE TRIGGER {index}_update AFTER {watched} WHEN {is_change} BEGIN {forget} {learn} END",
        f"CREATE TRIGGER {index}_delete AFTER DELETE ON {table} BEGIN {forget} END",
    ]


def made_on_postgresql(table: str, column: str) -> str:
    """Returns what makes the index of a column."""
    return f'CREATE INDEX ix_{table}_{column}_trigrams ON {table} USING gin (lower({column} COLLATE "C") gin_trgm_ops)'


def downgrade() -> None:
    if op.get_context().dialect.name == "sqlite":
        for table, _, column in INDEXED:
            index = f"{table}_{column}_trigrams"
            for change in CHANGES:
                op.execute(f"DROP TRIGGER {index}_{change}")
            op.execute(f"DROP TABLE {index}")
        return
    # The extension stays: others may use it.
    for table, _, column in INDEXED:
        op.execute(f"DROP INDEX IF EXISTS ix_{table}_{column}_trigrams")
