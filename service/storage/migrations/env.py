# SPDX-License-Identifier: Apache-2.0
"""Runs migrations on the connection, and in the transaction, that service.storage.migrate opened."""

from __future__ import annotations

from alembic import context

from service.schema import METADATA

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    render_as_batch=True,
    compare_type=True,
)
context.run_migrations()
