# SPDX-License-Identifier: Apache-2.0
"""The keyed digests that tokens and codes are found by; what is shown once is kept as nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from service.access.authentication import ACCESS_TOKEN_DIGEST

if TYPE_CHECKING:
    from service.crypto.keyring import Keyring


def of_access_token(keyring: Keyring, token: str) -> bytes:
    """Returns the digest of an access token, which authentication looks for, too."""
    return keyring.digest(ACCESS_TOKEN_DIGEST, token.encode())


def of_refresh_token(keyring: Keyring, token: str) -> bytes:
    """Returns the digest of a refresh token."""
    return keyring.digest("refresh-token", token.encode())


def of_device_code(keyring: Keyring, code: str) -> bytes:
    """Returns the digest of a device code."""
    return keyring.digest("device-code", code.encode())


def of_user_code(keyring: Keyring, letters: str) -> bytes:
    """Returns the digest of the letters of a user code. It can be guessed from the digest by who has the keyring."""
    return keyring.digest("user-code", letters.encode())
