# SPDX-License-Identifier: Apache-2.0
"""Where VMware's clients put their credentials (contract section 5)."""

from __future__ import annotations

import base64
import binascii
import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from gateway.failures import Failure
from gateway.routing import authorization_header

if TYPE_CHECKING:
    from multidict import CIMultiDictProxy

    from gateway.call import Call

CSP_AUTH_TOKEN: Final = "csp-auth-token"  # noqa: S105 - the name of a header

_ID = re.compile(r"[^\x00-\x1f\x7f]{1,128}")
_SECRET = re.compile(r"[^\x00]{1,1024}")


class ClientCredentials(NamedTuple):
    """A client and its secret."""

    client_id: str
    client_secret: str

    def __repr__(self) -> str:
        return f"ClientCredentials(client_id={self.client_id!r})"


def caller(headers: CIMultiDictProxy[str]) -> str | None:
    """Returns the token of `csp-auth-token` as a bearer's; where there is none, the Authorization header."""
    token = headers.get(CSP_AUTH_TOKEN)
    return authorization_header(headers) if token is None else f"Bearer {token}"


def client_of(call: Call[Any, Any, Any]) -> ClientCredentials:
    """Returns the client of the Authorization header, which must be Basic (RFC 7617, UTF-8).

    Raises:
        Failure: CREDENTIALS_MISSING, there is no such header; CREDENTIALS_INVALID, it is not Basic.
    """
    header = authorization_header(call.request.headers)
    if header is None:
        raise Failure(HTTPStatus.UNAUTHORIZED, "CREDENTIALS_MISSING", "the request carries no credentials")
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        raise _not_basic()
    try:
        text = base64.b64decode(encoded.strip(), validate=True).decode()
    except (binascii.Error, ValueError):
        raise _not_basic() from None
    client_id, colon, client_secret = text.partition(":")
    if not colon or _ID.fullmatch(client_id) is None or _SECRET.fullmatch(client_secret) is None:
        raise _not_basic()
    return ClientCredentials(client_id, client_secret)


def _not_basic() -> Failure:
    message = "the authorization header is not Basic with a client id and its secret"
    return Failure(HTTPStatus.UNAUTHORIZED, "CREDENTIALS_INVALID", message)
