# SPDX-License-Identifier: Apache-2.0
"""VMware Cloud Partner Navigator and the Cloud Services Platform below it: OAuth apps of organizations, and tokens.

Two dialects, because the same things have other names in the other product. The handlers are the same.
"""

from __future__ import annotations

from typing import Final

from gateway.dialects.vmware import applications, clients, secrets, tokens
from gateway.dialects.vmware.credentials import CSP_AUTH_TOKEN, caller
from gateway.dialects.vmware.errors import ERRORS
from gateway.dialects.vmware.routes import CPN_ROUTES, CSP_ROUTES
from gateway.routing import Dialect

_MEMBERS: Final = {
    **applications.MEMBERS,
    **secrets.MEMBERS,
    **clients.MEMBERS,
    **tokens.MEMBERS,
    "etag": "If-Match",
}

_SECURITY: Final = {
    "csp": {
        "type": "apiKey",
        "in": "header",
        "name": CSP_AUTH_TOKEN,
        "description": "An access token, or an API token.",
    },
    "cspBearer": {"type": "http", "scheme": "bearer", "description": "An access token, or an API token."},
}

CPN: Final = Dialect(
    name="cpn",
    title="VMware Cloud Partner Navigator",
    prefixes=("/cphub/api/auth",),
    routes=CPN_ROUTES,
    errors=ERRORS,
    members=_MEMBERS,
    security=_SECURITY,
    credentials=caller,
)

CSP: Final = Dialect(
    name="csp",
    title="VMware Cloud Services Platform",
    prefixes=("/csp/gateway/am/api",),
    routes=CSP_ROUTES,
    errors=ERRORS,
    members=_MEMBERS,
    security=_SECURITY,
    credentials=caller,
)
