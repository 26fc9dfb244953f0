# SPDX-License-Identifier: Apache-2.0
"""Generated credentials and identifiers. Depends on the standard library only."""

from __future__ import annotations

import base64
import secrets
import string
import uuid
from typing import Final

API_TOKEN_PREFIX: Final = "almoner_"  # noqa: S105 - what every token begins with, so that scanners recognise one

# 43 characters of 62 hold 256 bits, and survive URLs, shells, Basic credentials and double clicks unquoted.
_ALPHABET: Final = string.ascii_letters + string.digits
_LENGTH: Final = 43

USER_CODE_LETTERS: Final = "BCDFGHJKLMNPQRSTVWXZ"
"""No vowels, so that no words come about, and no Y, which is one at times: RFC 8628 section 6.1."""

_USER_CODE_LENGTH: Final = 8


def new_api_token() -> str:
    """Returns a bearer token of 256 bits: "almoner_" and 43 letters and digits."""
    return API_TOKEN_PREFIX + _random_text()


def new_client_secret() -> str:
    """Returns a client secret of 256 bits: 43 letters and digits."""
    return _random_text()


def new_token() -> str:
    """Returns an access token, refresh token or device code: 16 random bytes in base64, 24 characters ending in "==".

    The form is Venafi's, whose clients may count on it; 128 bits are what RFC 6749 section 10.10 asks for.
    """
    return base64.b64encode(secrets.token_bytes(16)).decode()


def new_user_code() -> str:
    """Returns what a person types to let a device in (RFC 8628 section 6.1): eight letters of twenty, ABCD-EFGH."""
    letters = "".join(secrets.choice(USER_CODE_LETTERS) for _ in range(_USER_CODE_LENGTH))
    return f"{letters[:4]}-{letters[4:]}"


def new_uuid() -> str:
    """Returns a random UUID (version 4) in its canonical form of 36 characters."""
    return str(uuid.uuid4())


def _random_text() -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(_LENGTH))
