# SPDX-License-Identifier: Apache-2.0
"""Bodies of the token server (contract section 7). Their members are found in lower case only, as the vendor says."""

from typing import Annotated, Literal

from msgspec import UNSET, Meta, UnsetType

from gateway.constraints import ONE_LINE, Body, Password, text

ClientId = Annotated[str, text(ONE_LINE, min_length=1, max_length=128, description="Id of the application.")]
ClientSecret = Annotated[str, text(ONE_LINE, max_length=1024, description="Its secret, if it has one.")]
UserName = Annotated[str, text(ONE_LINE, min_length=1, max_length=128, description="`name` or `local:name`.")]
ScopeText = Annotated[str, text(ONE_LINE, min_length=1, max_length=16384, description="`admin:delete;certificate`.")]
Jwt = Annotated[str, Meta(min_length=1, max_length=16384, description="A JWT of an issuer that a mapping names.")]
State = Annotated[str, Meta(max_length=4096, description="Comes back as it is.")]
Token = Annotated[str, Meta(max_length=1024)]
DeviceCode = Annotated[str, Meta(max_length=128)]


# --- Requests ---------------------------------------------------------------------------------------------------------


class ClientBody(Body, kw_only=True):
    """The application that asks."""

    client_id: ClientId
    client_secret: ClientSecret | None = None


class ScopedBody(ClientBody, kw_only=True):
    """The application that asks, and what for."""

    scope: ScopeText


class GrantBody(ScopedBody, kw_only=True):
    """Request of a grant by what the connection proves."""

    state: State | None = None


class PasswordGrantBody(GrantBody, kw_only=True):
    """Request of a grant by user name and password."""

    username: UserName
    password: Password


class JwtGrantBody(GrantBody, kw_only=True):
    """Request of a grant by the token of another issuer."""

    jwt: Jwt


class TokenBody(ClientBody, kw_only=True):
    """Request of new tokens for a refresh token, or of a device's tokens for its device code."""

    grant_type: Annotated[str, Meta(max_length=128)] | None = None
    refresh_token: Token | None = None
    device_code: DeviceCode | None = None


# --- Replies ----------------------------------------------------------------------------------------------------------


class Issued(Body, kw_only=True):
    """Tokens. `expires` and `refresh_until` are seconds since 1970, the latter of a grant that can be refreshed."""

    access_token: str
    expires: int
    expires_in: int
    identity: str
    refresh_token: str | UnsetType = UNSET
    refresh_until: int | UnsetType = UNSET
    scope: str
    state: str | UnsetType = UNSET
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105 - the type of a token


class DeviceStarted(Body, kw_only=True):
    """The codes of a device, and where its user enters theirs."""

    device_code: str
    expires: int
    expires_in: int
    interval: int
    user_code: str
    verification_uri: str
    verification_uri_complete: str


class Verified(Body, kw_only=True):
    """What an access token is good for. It `expires` with its grant."""

    access_issued_on: str
    access_issued_on_ISO8601: str  # noqa: N815 - the vendor's name, as those below
    access_issued_on_unix_time: int
    application: str
    expires: str
    expires_ISO8601: str  # noqa: N815
    expires_unix_time: int
    grant_issued_on: str
    grant_issued_on_ISO8601: str  # noqa: N815
    grant_issued_on_unix_time: int
    identity: str
    scope: str
    valid_for: Annotated[int, Meta(description="Life of the grant, in seconds.")]
