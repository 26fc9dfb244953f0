# SPDX-License-Identifier: Apache-2.0
"""How deliveries are signed: Standard Webhooks, https://www.standardwebhooks.com, symmetric scheme v1."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

PREFIX: Final = "whsec_"
"""What a secret begins with, so that people and scanners recognise one."""

FEWEST_BYTES: Final = 24
MOST_BYTES: Final = 64
_GENERATED_BYTES: Final = 32


def new_secret() -> str:
    """Returns a secret of 256 bits: `whsec_` and its bytes in base64."""
    return PREFIX + base64.b64encode(secrets.token_bytes(_GENERATED_BYTES)).decode()


def key_of(secret: str) -> bytes:
    """Returns the bytes that a secret stands for.

    Raises:
        ValueError: it is not `whsec_` and 24 to 64 bytes in base64.
    """
    key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    if not secret.startswith(PREFIX) or not FEWEST_BYTES <= len(key) <= MOST_BYTES:
        raise ValueError("no secret of a webhook")
    return key


def signatures(keys: Iterable[bytes], message_id: str, timestamp: int, body: bytes) -> str:
    """Returns the value of the header `webhook-signature`: one signature for each key, separated by spaces.

    Args:
        keys: The secrets that count just now.
        message_id: Value of `webhook-id`.
        timestamp: Value of `webhook-timestamp`: seconds since 1970.
        body: The body as it is sent.
    """
    content = b"%s.%d.%s" % (message_id.encode(), timestamp, body)
    return " ".join("v1," + base64.b64encode(hmac.digest(key, content, hashlib.sha256)).decode() for key in keys)
