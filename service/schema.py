# SPDX-License-Identifier: Apache-2.0
"""All tables of the house: importing this module makes `METADATA` whole, for migrations to compare with."""

from __future__ import annotations

from service.applications import tables as applications
from service.audit import tables as audit
from service.changes import tables as changes
from service.consent import tables as consent
from service.directory import tables as directory
from service.grants import tables as grants
from service.profiles import tables as profiles
from service.rpc import tables as rpc
from service.storage import facts
from service.storage.tables import StoredRow
from service.webhooks import tables as webhooks

METADATA = StoredRow.metadata
"""Metadata of every table."""

TABLE_MODULES = (applications, audit, changes, consent, directory, facts, grants, profiles, rpc, webhooks)
"""The modules that define tables."""
