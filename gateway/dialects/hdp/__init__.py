# SPDX-License-Identifier: Apache-2.0
"""Progress DataDirect Hybrid Data Pipeline: OAuth profiles, OAuth applications, and who may use them."""

from __future__ import annotations

from gateway.dialects.hdp import applications, profiles, roles, tenants, users
from gateway.dialects.hdp.errors import ERRORS
from gateway.dialects.hdp.routes import ROUTES
from gateway.routing import Dialect

HDP = Dialect(
    name="hdp",
    title="Progress DataDirect Hybrid Data Pipeline, Management API",
    prefixes=("/api/mgmt", "/api/admin"),
    routes=ROUTES,
    errors=ERRORS,
    members={
        **profiles.MEMBERS,
        **applications.MEMBERS,
        **users.MEMBERS,
        **roles.MEMBERS,
        **tenants.MEMBERS,
        "id": "id",
        "number": "id",
        "etag": "If-Match",
    },
    security={
        "basic": {"type": "http", "scheme": "basic", "description": "User name and password."},
        "bearer": {"type": "http", "scheme": "bearer", "description": "An API token."},
    },
)
