# SPDX-License-Identifier: Apache-2.0
"""What the parts that users log in with have in common: names as the vendor writes them, no other credentials."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.dialects.venafi.identities import PREFIX

if TYPE_CHECKING:
    from multidict import CIMultiDictProxy


def username_of(name: str) -> str:
    """Returns the user name in `name` or `local:name`: all users here are of the one provider."""
    prefix, colon, rest = name.partition(":")
    return rest if colon and prefix.lower() == PREFIX else name


def no_credentials(_headers: CIMultiDictProxy[str]) -> None:
    """Forwards no Authorization header: clients log in again with that of their last token still set."""
