# SPDX-License-Identifier: Apache-2.0
"""What a provider's authorization endpoint answers by way of a browser."""

from __future__ import annotations

from typing import Annotated

from msgspec import Struct

from gateway.constraints import ONE_LINE, text

State = Annotated[str, text(ONE_LINE, min_length=1, max_length=512, description="The state of the request.")]
# Less than the service takes: it must fit a request line with all the rest.
Code = Annotated[str, text(ONE_LINE, max_length=4096, description="The authorization code.")]
Error = Annotated[str, text(ONE_LINE, max_length=255, description="Why there is no code.")]
Issuer = Annotated[str, text(ONE_LINE, max_length=2048, description="Who answers (RFC 9207).")]


class AuthorizationAnswer(Struct):
    """Query parameters of an answer. Providers add others of their own."""

    state: State
    code: Code = ""
    error: Error = ""
    iss: Issuer = ""

    def __repr__(self) -> str:
        return "AuthorizationAnswer(...)"
