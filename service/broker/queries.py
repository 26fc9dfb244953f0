# SPDX-License-Identifier: Apache-2.0
"""Every statement of the broker over profiles and their OAuth clients, built once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sqlalchemy import and_, bindparam, case, func, or_, select, update

from service.applications.tables import ApplicationRow
from service.profiles.tables import ProfileRow, TokenState
from service.storage.statements import many, one, run
from service.storage.tables import constant, table_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from service.storage.store import Tx


class StoredTokens:
    """A profile as who wants an access token reads it: whose it is, and how its tokens are."""

    id: int
    organization: int
    owner_id: int
    creator_id: int
    access_token: bytes | None
    refresh_token: bytes | None
    token_state: int
    token_expires: int
    token_scope: str
    token_type: str
    token_refreshed: int
    token_next_try: int
    token_failure: str
    fence: int


class StoredClient(StoredTokens):
    """A profile as the broker reads it: also with the OAuth client, and all there is to know of the tokens.

    `application_number` is 0 where the client is the profile's own.
    """

    application_number: int
    provider: str
    client_id: str
    client_secret: bytes | None
    authorize_uri: str
    token_uri: str
    revocation_uri: str
    scope: str
    client_authentication: int
    rotates_refresh_tokens: bool | None
    assumed_token_lifetime: int
    keep_fresh: bool
    token_failures: int
    token_due: int | None
    doubtful: bool
    revision: int


class Open:
    """A claim that is open: somebody refreshes the tokens of a profile, or has died while they did."""

    id: int
    fence: int


_PROFILES = table_of(ProfileRow)
_APPLICATIONS = table_of(ApplicationRow)
_OWN = _PROFILES.c.application_number.is_(None)
_TOKENS: Final = (
    "access_token",
    "refresh_token",
    "keep_fresh",
    "token_state",
    "token_expires",
    "token_scope",
    "token_type",
    "token_refreshed",
    "token_next_try",
    "token_failures",
    "token_failure",
    "token_due",
    "doubtful",
    "fence",
    "revision",
)

_FIND = (
    select(
        _PROFILES.c.id,
        _PROFILES.c.organization,
        _PROFILES.c.owner_id,
        _PROFILES.c.creator_id,
        func.coalesce(_PROFILES.c.application_number, constant(0)).label("application_number"),
        case((_OWN, _PROFILES.c.provider), else_=_APPLICATIONS.c.provider).label("provider"),
        case((_OWN, _PROFILES.c.client_id), else_=_APPLICATIONS.c.client_id).label("client_id"),
        case((_OWN, _PROFILES.c.client_secret), else_=_APPLICATIONS.c.client_secret).label("client_secret"),
        func.coalesce(_APPLICATIONS.c.authorize_uri, constant("")).label("authorize_uri"),
        func.coalesce(_APPLICATIONS.c.token_uri, constant("")).label("token_uri"),
        func.coalesce(_APPLICATIONS.c.revocation_uri, constant("")).label("revocation_uri"),
        func.coalesce(_APPLICATIONS.c.scope, constant("")).label("scope"),
        func.coalesce(_APPLICATIONS.c.client_authentication, constant(0)).label("client_authentication"),
        _APPLICATIONS.c.rotates_refresh_tokens,
        func.coalesce(_APPLICATIONS.c.assumed_token_lifetime, constant(0)).label("assumed_token_lifetime"),
        *(_PROFILES.c[name] for name in _TOKENS),
    )
    .outerjoin(_APPLICATIONS, _APPLICATIONS.c.number == _PROFILES.c.application_number)
    .where(_PROFILES.c.id == bindparam("id"))
)
_TOKENS_OF = select(*(_PROFILES.c[name] for name in StoredTokens.__annotations__)).where(
    _PROFILES.c.id == bindparam("id")
)
_CLAIM_OF = select(_PROFILES.c.token_state, _PROFILES.c.fence).where(_PROFILES.c.id == bindparam("id"))
_DUE = (
    select(_PROFILES.c.id)
    .where(_PROFILES.c.token_due <= bindparam("now"))
    .order_by(_PROFILES.c.token_due)
    .limit(bindparam("most"))
)
_OPEN = select(_PROFILES.c.id, _PROFILES.c.fence).where(
    _PROFILES.c.token_state == constant(TokenState.REFRESHING.value)
)
_UPDATE = update(_PROFILES).where(_PROFILES.c.id == bindparam("profile_id"))
_FAILS = _PROFILES.c.token_state == constant(TokenState.FAILING.value)
_LIES_IDLE = and_(
    _PROFILES.c.keep_fresh,
    _PROFILES.c.token_due.is_(None),
    _PROFILES.c.refresh_token.is_not(None),
    _PROFILES.c.token_state != constant(TokenState.REFRESHING.value),
)
_RETRY = (
    update(_PROFILES)
    .where(_PROFILES.c.application_number == bindparam("number"), or_(_FAILS, _LIES_IDLE))
    .values(
        token_next_try=case((_FAILS, bindparam("now")), else_=_PROFILES.c.token_next_try),
        token_due=case((_PROFILES.c.keep_fresh, bindparam("now")), else_=None),
    )
)


class Claim:
    """Whether a profile is claimed, and by its how-manieth claimant."""

    token_state: int
    fence: int


def find(tx: Tx, profile_id: int) -> StoredClient | None:
    """Returns a profile."""
    return one(tx, StoredClient, _FIND, {"id": profile_id})


def find_tokens(tx: Tx, profile_id: int) -> StoredTokens | None:
    """Returns the tokens of a profile."""
    return one(tx, StoredTokens, _TOKENS_OF, {"id": profile_id})


def find_claim(tx: Tx, profile_id: int) -> Claim | None:
    """Returns whether a profile is claimed."""
    return one(tx, Claim, _CLAIM_OF, {"id": profile_id})


def due(tx: Tx, now: int, most: int) -> list[int]:
    """Returns the ids of the profiles that are due at a time, those first that have been for the longest."""
    return [row[0] for row in many(tx, tuple, _DUE, {"now": now, "most": most})]


def open_claims(tx: Tx) -> list[Open]:
    """Returns all open claims."""
    return many(tx, Open, _OPEN, {})


def change(tx: Tx, profile_id: int, values: Mapping[str, object]) -> None:
    """Writes columns of a profile."""
    run(tx, _UPDATE, {"profile_id": profile_id, **values})


def retry_of_application(tx: Tx, number: int, now: int) -> None:
    """Has the failing profiles of an application tried again, because something about it has changed."""
    run(tx, _RETRY, {"number": number, "now": now})
