# SPDX-License-Identifier: Apache-2.0
"""Parameters and bodies of the routes to tokens. The names are those of RFC 6749 where it has them."""

from __future__ import annotations

from datetime import datetime  # noqa: TC003 - msgspec reads the annotations
from typing import Annotated

from msgspec import Meta, Struct

from gateway.constraints import Body, Number, Scope, Uri


class ById(Struct):
    """Path parameters of one profile."""

    id: Number


Seconds = Annotated[int, Meta(ge=0, le=315_360_000, description="Seconds that the token is good for at the least.")]


class AccessTokenWish(Body):
    """What token is wanted."""

    minimum_validity: Seconds = 60
    scope: Scope = ""


class AccessToken(Body, omit_defaults=True):
    """A token. It has no end where `expire_time` is left out, or nobody knows it."""

    access_token: str
    token_type: str
    refreshed: Annotated[bool, Meta(description="Whether the provider was asked for it just now.")]
    scope: str = ""
    expire_time: datetime | None = None


class AuthorizationWish(Body):
    """What to ask the provider for."""

    scope: Scope = ""
    redirect_uri: Uri = ""


class Authorization(Body):
    """Where to send the one who consents, and until when the answer is good."""

    authorization_uri: str
    state: str
    expire_time: datetime
