# SPDX-License-Identifier: Apache-2.0
"""Almoner's own routes to live tokens, under /v1. Failures are problem details (RFC 9457)."""

from __future__ import annotations

from gateway.dialects.broker.routes import ROUTES
from gateway.problem import PROBLEM
from gateway.routing import Dialect

BROKER = Dialect(
    name="broker",
    title="Almoner, tokens",
    prefixes=("/v1",),
    routes=ROUTES,
    errors=PROBLEM,
    security={
        "bearer": {"type": "http", "scheme": "bearer", "description": "An API token, or an access token issued here."},
        "basic": {"type": "http", "scheme": "basic", "description": "User name and password."},
    },
)
