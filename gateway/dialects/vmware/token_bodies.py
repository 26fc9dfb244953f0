# SPDX-License-Identifier: Apache-2.0
"""Parameters and bodies of the token routes (contract sections 2 and 5). Replies have all documented members."""

from typing import Annotated, Literal, TypeAlias

from msgspec import UNSET, Meta, UnsetType, field

from gateway.constraints import INT32_MAX, ONE_LINE, Body, text

ApiToken: TypeAlias = Annotated[str, text(ONE_LINE, max_length=8192, description="An API token of a user.")]
GrantType: TypeAlias = Annotated[str, text(ONE_LINE, max_length=128)]
OrgId: TypeAlias = Annotated[
    str, text(ONE_LINE, max_length=128, description="Id of the organization that the token is for.")
]
ValiditySeconds: TypeAlias = Annotated[
    int, Meta(ge=1, le=INT32_MAX, description="The longest that the token may live; an application may allow less.")
]


# --- Requests ---------------------------------------------------------------------------------------------------------


class TokenQuery(Body, rename="camel"):
    """What Cloud Partner Navigator's token is for, and how long."""

    org_id: Annotated[OrgId, Meta(min_length=1)]
    access_token_validity_seconds: ValiditySeconds | UnsetType = UNSET


class TokenForm(Body):
    """What Cloud Partner Navigator's clients may say again: `client_credentials` is the only grant type."""

    grant_type: GrantType = "client_credentials"


class RefreshBody(Body, rename="camel"):
    """Request of an access token for an API token, as Cloud Partner Navigator has it."""

    refresh_token: Annotated[ApiToken, Meta(min_length=1)]


class GrantForm(Body):
    """Request of an access token from CSP, by client credentials or API token."""

    grant_type: GrantType
    org_id: OrgId = field(default="", name="orgId")
    refresh_token: ApiToken = ""
    scope: Annotated[str, text(ONE_LINE, max_length=16384, description="What it is to carry; all that it may.")] = ""


class ApiTokenQuery(Body):
    """Where older clients put the API token."""

    # A request line has less room than a form.
    refresh_token: Annotated[str, text(ONE_LINE, max_length=2048, description="Deprecated: better in the form.")] = ""


class ApiTokenForm(Body):
    """Request of an access token for an API token, as CSP has it."""

    api_token: ApiToken = ""
    refresh_token: Annotated[ApiToken, Meta(description="Deprecated: another name of api_token.")] = ""


# --- Replies ----------------------------------------------------------------------------------------------------------


class AuthenticationTokens(Body, rename="camel"):
    """Tokens as Cloud Partner Navigator shows them."""

    access_token: str
    id_token: str | None = None
    refresh_token: str | None = None
    return_url: str | None = None


class AccessTokenDto(Body, kw_only=True):
    """Tokens as CSP shows them. `expires_in` is in seconds."""

    access_token: str
    token_type: Literal["bearer"] = "bearer"  # noqa: S105 - the type of a token
    expires_in: int
    scope: str
    id_token: str | None = None
    refresh_token: str | None = None
