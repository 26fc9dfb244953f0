# SPDX-License-Identifier: Apache-2.0
"""Venafi's token server, /vedauth (contract section 7). A dialect of its own, because its failures are OAuth's."""

from __future__ import annotations

from gateway.dialects.venafi.logins import no_credentials
from gateway.dialects.venafi.vedauth import authorize
from gateway.dialects.venafi.vedauth.errors import ERRORS
from gateway.dialects.venafi.vedauth.routes import ROUTES
from gateway.routing import Dialect

VEDAUTH = Dialect(
    name="vedauth",
    title="Venafi token server",
    prefixes=("/vedauth",),
    routes=ROUTES,
    errors=ERRORS,
    members=authorize.MEMBERS,
    credentials=no_credentials,
    ignores_case=True,
)
