# SPDX-License-Identifier: Apache-2.0
"""Generated credentials and identifiers. Depends on the standard library only."""

from __future__ import annotations

import secrets
import string
import uuid
from typing import Final

API_TOKEN_PREFIX: Final = "almoner_"  # noqa: S105 - what every token begins with, so that scanners recognise one

# 43 characters of 62 hold 256 bits, and survive URLs, shells, Basic credentials and double clicks unquoted.
_ALPHABET: Final = string.ascii_letters + string.digits
_LENGTH: Final = 43


def new_api_token() -> str:
    """Returns a bearer token of 256 bits: "almoner_" and 43 letters and digits."""
    return API_TOKEN_PREFIX + _random_text()


def new_client_secret() -> str:
    """Returns a client secret of 256 bits: 43 letters and digits."""
    return _random_text()


def new_uuid() -> str:
    """Returns a random UUID (version 4) in its canonical form of 36 characters."""
    return str(uuid.uuid4())


def _random_text() -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(_LENGTH))
