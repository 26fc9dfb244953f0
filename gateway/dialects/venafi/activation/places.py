# SPDX-License-Identifier: Apache-2.0
"""Where the activation page is (contract section 1, DeviceConfiguration)."""

from __future__ import annotations

from typing import Final
from urllib.parse import quote

SITE: Final = "/aperture"
ACTIVATION: Final = "/aperture/activate"


def activation_of(user_code: str) -> str:
    """Returns the path of the page with a code filled in."""
    return f"{ACTIVATION}/{quote(user_code, safe='')}"
