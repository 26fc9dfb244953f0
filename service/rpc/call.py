# SPDX-License-Identifier: Apache-2.0
"""The call that is being served: its metadata, its request id and, once authenticated, its caller."""

from __future__ import annotations

import itertools
import os
import re
from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from service.access.caller import Caller

AUTHORIZATION = "authorization"
REQUEST_ID = "x-request-id"
ON_BEHALF_OF = "almoner-on-behalf-of"
"""Name of the user to act for, percent-encoded UTF-8."""
REQUIRED_PERMISSIONS = "almoner-required-permissions"
"""Names of permissions, separated by commas, that a dialect asks for beyond what the method itself needs."""
REQUIRED_SCOPES = "almoner-required-scopes"
"""Scopes, separated by commas, that a dialect asks for of callers who are limited to scopes."""

_REQUEST_ID_FORM = re.compile(r"[A-Za-z0-9._-]{1,128}")
# Unique like a UUID, but without asking the kernel for randomness at every call: an id is no secret.
_PROCESS = os.urandom(8).hex()
_NUMBERS = itertools.count(1)


class Call:
    """One call.

    Attributes:
        method: Full name, `/almoner.v1.ProfileService/GetProfile`.
        metadata: What the client sent, keys in lower case.
        request_id: The client's own, if it has the right form, else a new one.
        caller: Set by the authentication interceptor; None where the method is anonymous.
    """

    __slots__ = ("caller", "metadata", "method", "request_id")

    def __init__(self, method: str, metadata: Mapping[str, str | bytes]) -> None:
        self.method = method
        self.metadata = metadata
        self.caller: Caller | None = None
        given = self.text(REQUEST_ID)
        self.request_id = given if _REQUEST_ID_FORM.fullmatch(given) else f"{_PROCESS}{next(_NUMBERS):016x}"

    def text(self, key: str) -> str:
        """Returns a metadata value, or the empty string."""
        value = self.metadata.get(key, "")
        return value if isinstance(value, str) else ""


_CURRENT: ContextVar[Call] = ContextVar("almoner_call")

enter = _CURRENT.set
leave = _CURRENT.reset


def current_call() -> Call:
    """Returns the call that this task serves.

    Raises:
        LookupError: it serves none.
    """
    return _CURRENT.get()


def current_caller() -> Caller:
    """Returns the caller of the call that this task serves.

    Raises:
        LookupError: there is none: the method is not behind the authentication interceptor.
    """
    caller = _CURRENT.get().caller
    if caller is None:
        raise LookupError("this method has no authenticated caller")
    return caller
