# SPDX-License-Identifier: Apache-2.0
"""The URL at a provider to which somebody is sent to consent (RFC 6749 section 4.1.1, RFC 7636 section 4.3)."""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

if TYPE_CHECKING:
    from service.broker.registrations import Registration


class Parameters(NamedTuple):
    """What differs from one request to another.

    Attributes:
        redirect_uri: Where the provider sends the answer.
        scope: What is asked for, as RFC 6749 section 3.3 writes it; empty: what the provider gives by itself.
        state: What the answer brings back.
        code_verifier: What whoever exchanges the code has to know.
    """

    redirect_uri: str
    scope: str
    state: str
    code_verifier: str

    def __repr__(self) -> str:
        return "Parameters(***)"


def authorization_uri(authorize_uri: str, registration: Registration, parameters: Parameters) -> str:
    """Returns the URL.

    The query that the endpoint has is kept (RFC 6749 section 3.1). No parameter is there twice, and those of the
    request itself come from nowhere else.
    """
    parts = urlsplit(authorize_uri)
    ours = {
        "response_type": "code",
        "client_id": registration.client_id,
        "redirect_uri": parameters.redirect_uri,
        "scope": registration.provider.separator.join(parameters.scope.split()),
        "state": parameters.state,
        "code_challenge": challenge_of(parameters.code_verifier),
        "code_challenge_method": "S256",
    }
    kept = [(name, value) for name, value in parse_qsl(parts.query, keep_blank_values=True) if name not in ours]
    names = {name for name, _ in kept}
    asks = [(name, value) for name, value in registration.provider.asks.items() if name not in names]
    stated = [(name, value) for name, value in ours.items() if value]
    return parts._replace(query=urlencode([*kept, *asks, *stated], quote_via=quote, safe=""), fragment="").geturl()


def challenge_of(code_verifier: str) -> str:
    """Returns the challenge of a verifier by method S256 (RFC 7636 section 4.2)."""
    return base64.urlsafe_b64encode(hashlib.sha256(code_verifier.encode()).digest()).rstrip(b"=").decode()
