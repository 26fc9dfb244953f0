# SPDX-License-Identifier: Apache-2.0
"""What is known of providers: their endpoints and how they differ from RFC 6749. A new provider is an entry here.

Facts are those of each provider's published documentation. An application overrides any of them for itself.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from service.applications.tables import ClientAuthentication
from service.clock import HOUR

if TYPE_CHECKING:
    from collections.abc import Mapping

INVALID_GRANT: Final = "invalid_grant"
"""What a refresh token or a code that is of no use is refused by (RFC 6749 section 5.2)."""


@dataclass(frozen=True, slots=True)
class Provider:
    """An authorization server. The defaults are what is taken for granted of one that nothing is known of.

    Attributes:
        authorize_uri: Authorization endpoint; empty: the application must name it.
        token_uri: Token endpoint; empty likewise.
        revocation_uri: Revocation endpoint (RFC 7009); empty: there is none.
        client_authentication: How the client shows who it is.
        rotates: Whether a refresh token is spent once it was used. If in doubt it is: then a lost answer is not taken
            lightly.
        lifetime: Microseconds for which an access token is good whose answer does not say so; 0: it has no end.
        asks: Further parameters of the authorization request, without which there would be no refresh token.
        means: The error of RFC 6749 section 5.2 that a word of the provider's own stands for.
        separator: What is between two scopes.
    """

    authorize_uri: str = ""
    token_uri: str = ""
    revocation_uri: str = ""
    client_authentication: ClientAuthentication = ClientAuthentication.BASIC
    rotates: bool = True
    lifetime: int = HOUR
    asks: Mapping[str, str] = field(default_factory=dict)
    means: Mapping[str, str] = field(default_factory=dict)
    separator: str = " "


_GOOGLE = Provider(
    authorize_uri="https://accounts.google.com/o/oauth2/v2/auth",
    token_uri="https://oauth2.googleapis.com/token",  # noqa: S106 - an address
    revocation_uri="https://oauth2.googleapis.com/revoke",
    client_authentication=ClientAuthentication.POST,
    rotates=False,
    asks={"access_type": "offline", "prompt": "consent"},
)
# The session's time-out, which an answer does not tell and an administrator may change, is two hours at first.
_SALESFORCE = Provider(
    authorize_uri="https://login.salesforce.com/services/oauth2/authorize",
    token_uri="https://login.salesforce.com/services/oauth2/token",  # noqa: S106 - an address
    revocation_uri="https://login.salesforce.com/services/oauth2/revoke",
    client_authentication=ClientAuthentication.POST,
    rotates=False,
    lifetime=2 * HOUR,
)
_HUBSPOT = Provider(
    authorize_uri="https://app.hubspot.com/oauth/authorize",
    token_uri="https://api.hubapi.com/oauth/v1/token",  # noqa: S106 - an address
    client_authentication=ClientAuthentication.POST,
    rotates=False,
    lifetime=HOUR // 2,
    means={"BAD_REFRESH_TOKEN": INVALID_GRANT, "BAD_AUTH_CODE": INVALID_GRANT},
)
# It answers 200 whatever happens. Without rotation switched on there is neither an end nor a refresh token.
_SLACK = Provider(
    authorize_uri="https://slack.com/oauth/v2/authorize",
    token_uri="https://slack.com/api/oauth.v2.access",  # noqa: S106 - an address
    lifetime=0,
    means={
        "invalid_refresh_token": INVALID_GRANT,
        "token_expired": INVALID_GRANT,
        "token_revoked": INVALID_GRANT,
        "account_inactive": INVALID_GRANT,
        "invalid_code": INVALID_GRANT,
        "code_already_used": INVALID_GRANT,
        "invalid_client_id": "invalid_client",
        "bad_client_secret": "invalid_client",
        "ratelimited": "temporarily_unavailable",
        "service_unavailable": "temporarily_unavailable",
        "internal_error": "server_error",
        "fatal_error": "server_error",
    },
    separator=",",
)
# A refresh brings another refresh token, and the one before stays good.
_MICROSOFT = Provider(
    authorize_uri="https://login.microsoftonline.com/common/oauth2/v2.0/authorize",
    token_uri="https://login.microsoftonline.com/common/oauth2/v2.0/token",  # noqa: S106 - an address
    client_authentication=ClientAuthentication.POST,
    rotates=False,
    means={"interaction_required": INVALID_GRANT, "consent_required": INVALID_GRANT},
)
# It answers 200 to what it refuses, too. Tokens of its OAuth apps have no end, those of its GitHub Apps say theirs.
_GITHUB = Provider(
    authorize_uri="https://github.com/login/oauth/authorize",
    token_uri="https://github.com/login/oauth/access_token",  # noqa: S106 - an address
    client_authentication=ClientAuthentication.POST,
    lifetime=0,
    means={
        "bad_refresh_token": INVALID_GRANT,
        "bad_verification_code": INVALID_GRANT,
        "incorrect_client_credentials": "invalid_client",
    },
)
_ZOOM = Provider(
    authorize_uri="https://zoom.us/oauth/authorize",
    token_uri="https://zoom.us/oauth/token",  # noqa: S106 - an address
    revocation_uri="https://zoom.us/oauth/revoke",
)
_XERO = Provider(
    authorize_uri="https://login.xero.com/identity/connect/authorize",
    token_uri="https://identity.xero.com/connect/token",  # noqa: S106 - an address
    revocation_uri="https://identity.xero.com/connect/revocation",
    lifetime=HOUR // 2,
)
_DOCUSIGN = Provider(
    authorize_uri="https://account.docusign.com/oauth/auth",
    token_uri="https://account.docusign.com/oauth/token",  # noqa: S106 - an address
    lifetime=8 * HOUR,
)

PROVIDERS: Final[Mapping[str, Provider]] = MappingProxyType(
    {
        "google_analytics": _GOOGLE,
        "google_bigquery": _GOOGLE,
        "salesforce": _SALESFORCE,
        "hubspot": _HUBSPOT,
        "slack": _SLACK,
        "microsoft": _MICROSOFT,
        "github": _GITHUB,
        "zoom": _ZOOM,
        "xero": _XERO,
        "docusign": _DOCUSIGN,
    }
)
"""Known providers by their slug."""

UNKNOWN: Final = Provider()
"""What is taken for granted of every other one."""
