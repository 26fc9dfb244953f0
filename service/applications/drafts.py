# SPDX-License-Identifier: Apache-2.0
"""What an application says of itself: the members that callers set, by kind, and how they are stored."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Final

import msgspec

from service.applications.tables import ApplicationKind
from service.errors import InvalidField, Violation

if TYPE_CHECKING:
    from service.applications.queries import PlainApplication


@dataclass(frozen=True, slots=True)
class Draft:
    """What a caller wants an application to be, or what it is. Empty members are unset.

    Lifetimes are microseconds. `kind` is 0 where the caller names none. `renewable` is None where the organization's
    policy decides, `secret_rotation_lifetime` where the server's default does, `rotates_refresh_tokens` where what is
    known of the provider does. A draft of a stored application has no `client_secret`.
    """

    kind: int = 0
    name: str = ""
    description: str = ""
    provider: str = ""
    authorize_uri: str = ""
    token_uri: str = ""
    scope: str = ""
    client_id: str = ""
    client_secret: str = ""
    vendor: str = ""
    uri: str = ""
    required_scopes: tuple[str, ...] = ()
    allowed_scopes: tuple[str, ...] = ()
    grant_types: tuple[int, ...] = ()
    redirect_uris: tuple[str, ...] = ()
    access_token_lifetime: int = 0
    grant_lifetime: int = 0
    renewable: bool | None = None
    owner_only_secret_rotation: bool = False
    secret_rotation_lifetime: int | None = None
    client_authentication: int = 0
    revocation_uri: str = ""
    rotates_refresh_tokens: bool | None = None
    assumed_token_lifetime: int = 0

    def __repr__(self) -> str:
        return f"Draft(name={self.name!r})"


SHARED: Final = frozenset({"name", "description"})
"""Names of the members that applications of both kinds have."""

SECRET: Final = "client_secret"  # noqa: S105 - the name of a member
"""Name of the one member that is sealed."""

OF_KIND: Final = {
    ApplicationKind.CLIENT: frozenset(
        {
            "vendor",
            "uri",
            "required_scopes",
            "allowed_scopes",
            "grant_types",
            "redirect_uris",
            "access_token_lifetime",
            "grant_lifetime",
            "renewable",
            "owner_only_secret_rotation",
            "secret_rotation_lifetime",
        }
    ),
    ApplicationKind.PROVIDER: frozenset(
        {
            "provider",
            "authorize_uri",
            "token_uri",
            "scope",
            "client_id",
            SECRET,
            "client_authentication",
            "revocation_uri",
            "rotates_refresh_tokens",
            "assumed_token_lifetime",
        }
    ),
}
"""Names of the members that applications of one kind have."""

MEMBERS: Final = SHARED.union(*OF_KIND.values())
"""Names of everything that can be changed: all but the kind."""

_LISTS: Final = ("required_scopes", "allowed_scopes", "grant_types", "redirect_uris")
_NOTHING: Final = Draft()
_PLAIN: Final = tuple(field.name for field in fields(Draft) if field.name != SECRET)
_decode_texts = msgspec.json.Decoder(tuple[str, ...]).decode
_decode_numbers = msgspec.json.Decoder(tuple[int, ...]).decode


def draft_of(application: PlainApplication) -> Draft:
    """Returns what a stored application says of itself."""
    return Draft(
        kind=application.kind,
        name=application.name,
        description=application.description,
        provider=application.provider,
        authorize_uri=application.authorize_uri,
        token_uri=application.token_uri,
        scope=application.scope,
        client_id=application.client_id,
        vendor=application.vendor,
        uri=application.uri,
        required_scopes=_decode_texts(application.required_scopes),
        allowed_scopes=_decode_texts(application.allowed_scopes),
        grant_types=_decode_numbers(application.grant_types),
        redirect_uris=_decode_texts(application.redirect_uris),
        access_token_lifetime=application.access_token_lifetime,
        grant_lifetime=application.grant_lifetime,
        renewable=application.renewable,
        owner_only_secret_rotation=application.owner_only_secret_rotation,
        secret_rotation_lifetime=application.secret_rotation_lifetime,
        client_authentication=application.client_authentication,
        revocation_uri=application.revocation_uri,
        rotates_refresh_tokens=application.rotates_refresh_tokens,
        assumed_token_lifetime=application.assumed_token_lifetime,
    )


def shown(draft: Draft) -> dict[str, object]:
    """Returns the members without the secret, for the audit trail."""
    return {name: getattr(draft, name) for name in _PLAIN}


def stated(draft: Draft) -> dict[str, object]:
    """Returns the members that are set, without the secret, for the audit trail of a new application."""
    return {name: value for name, value in shown(draft).items() if value != getattr(_NOTHING, name)}


def stored(draft: Draft) -> dict[str, object]:
    """Returns the members without the secret, as the columns of the table `applications`."""
    return shown(draft) | {name: msgspec.json.encode(getattr(draft, name)).decode() for name in _LISTS}


def check(draft: Draft) -> None:
    """Looks for what an application must have.

    Raises:
        InvalidField: the kind, or a member that its kind requires, is missing.
    """
    missing = []
    if not draft.name:
        missing.append("application.name")
    if not draft.kind:
        missing.append("application.kind")
    if draft.kind == ApplicationKind.PROVIDER:
        if not draft.provider:
            missing.append("application.provider.provider")
        if not draft.client_id:
            missing.append("application.provider.client_id")
    if missing:
        raise InvalidField(*(Violation(path, "is required") for path in missing))
