# SPDX-License-Identifier: Apache-2.0
"""VMware's own Python client, as it is published: the part that gets tokens from the Cloud Services Platform.

Its package begins with importing what sends metrics, which needs `pkg_resources`, dropped by setuptools, and a library
that must be compiled. Here the package is entered without that beginning; every module in it is the published file.
"""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.util import find_spec, module_from_spec
from typing import Any

_PACKAGE = "wavefront_sdk"


def token_service(kind: str, **options: str) -> Any:
    """Returns the client's token service.

    Args:
        kind: OAUTH or API_TOKEN.
        options: base_url, and csp_app_id, csp_app_secret and csp_org_id, or csp_api_token.
    """
    if _PACKAGE not in sys.modules:
        spec = find_spec(_PACKAGE)
        assert spec is not None
        sys.modules[_PACKAGE] = module_from_spec(spec)
    return import_module(f"{_PACKAGE}.auth.csp.token_service_factory").TokenServiceProvider().get(kind, **options)
