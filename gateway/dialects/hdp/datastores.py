# SPDX-License-Identifier: Apache-2.0
"""HDP's data store ids and the providers they stand for (contract section 2)."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

DataStore = Literal[1, 54, 62, 63]

PROVIDERS: Mapping[DataStore, str] = MappingProxyType(
    {
        1: "salesforce",
        54: "google_analytics",
        62: "google_bigquery",
        63: "autonomous_rest_connector",
    }
)

DATA_STORES: Mapping[str, DataStore] = MappingProxyType({provider: number for number, provider in PROVIDERS.items()})
