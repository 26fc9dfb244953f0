# SPDX-License-Identifier: Apache-2.0
"""Workato Developer API: custom OAuth profiles, the customers they are assigned to and the connections that use them."""

from __future__ import annotations

from gateway.dialects.workato import connections, profiles
from gateway.dialects.workato.errors import ERRORS
from gateway.dialects.workato.routes import ROUTES
from gateway.routing import Dialect

WORKATO = Dialect(
    name="workato",
    title="Workato Developer API",
    prefixes=("/api/custom_oauth_profiles", "/api/managed_users", "/api/connections", "/api/users"),
    routes=ROUTES,
    errors=ERRORS,
    members={
        **profiles.MEMBERS,
        **connections.MEMBERS,
        "id": "id",
        "etag": "If-Match",
        "page_size": "per_page",
        "skip": "page",
    },
    security={"bearer": {"type": "http", "scheme": "bearer", "description": "The token of an API client."}},
    content_type="application/json; charset=utf-8",
    request_id_headers=("X-Request-Id", "x-correlation-id"),
)
