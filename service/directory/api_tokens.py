# SPDX-License-Identifier: Apache-2.0
"""What may be done with API tokens: bearer credentials of users, kept as keyed digests."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from service.access.authentication import API_TOKEN_DIGEST
from service.access.authorization import authorize, denied, reaches
from service.access.permissions import Permission
from service.audit import rules as audit
from service.crypto.tokens import new_api_token
from service.directory import api_token_queries as queries
from service.directory.escalation import require_all_of
from service.directory.scopes import EVERY_ORGANIZATION, number_of, scope_of
from service.directory.targets import user_target
from service.directory.users import reach
from service.errors import InvalidField, NotFound, Reason, Violation
from service.etags import require_etag
from service.listing.listing import PageContext

if TYPE_CHECKING:
    from service.directory.api_token_queries import StoredApiToken
    from service.listing.listing import Page, PageQuery
    from service.work import Work

REVISION: Final = 1
"""A token is made and revoked, and never changes."""

_OWN: Final = Permission.OWN_API_TOKENS


@dataclass(frozen=True, slots=True)
class Draft:
    """A token that a caller wants; `user_id` 0: for themselves."""

    user_id: int
    name: str
    expires: int


class Created(NamedTuple):
    """A new token: what is kept of it, and its value, which is told once."""

    stored: StoredApiToken
    value: str

    def __repr__(self) -> str:
        return f"Created(id={self.stored.id})"


def create(work: Work, draft: Draft) -> Created:
    """Makes a token, which lets its bearer be the user.

    Raises:
        PermissionDenied: OWN_API_TOKENS, or for another's USERS_UPDATE, is missing; or the user holds more than the
            caller.
        NotFound: there is no such user for the caller.
        InvalidField: the name is missing, or the token has expired already.
    """
    user_id = draft.user_id or work.caller.user_id
    user = reach(work, user_id, _needed(work, user_id))
    _check_draft(draft, work.now)
    require_all_of(work, user_id)
    value = new_api_token()
    digest = work.keyring.digest(API_TOKEN_DIGEST, value.encode())
    values = {"user_id": user_id, "name": draft.name, "expires": draft.expires, "created": work.now}
    token_id = queries.add(work.tx, {**values, "digest": digest})
    shown = {"user_id": user_id, "name": draft.name, "expires": draft.expires}
    changes = audit.stated(shown)
    audit.record(work, "api_token.create", f"api_tokens/{token_id}", user.organization, changes)
    stored = queries.find(work.tx, token_id)
    if stored is None:
        raise LookupError(f"API token {token_id} is gone, in the transaction that wrote it")
    return Created(stored, value)


def page(work: Work, organization_id: str, query: PageQuery) -> Page[StoredApiToken]:
    """Returns a page of the tokens that the caller sees: their own, and those of the users whom they may view.

    Raises:
        PermissionDenied: both OWN_API_TOKENS and USERS_VIEW are missing.
        NotFound: there is no such organization for the caller.
        Invalid: the query is not one of this list.
    """
    scope = scope_of(work, organization_id, _needed_to_list(work, organization_id), Permission.USERS_VIEW)
    context = PageContext(organization_id, str(work.caller.user_id))
    return queries.API_TOKENS.page(work.tx, work.keyring, query, scope=scope, context=context)


def revoke(work: Work, token_id: int, etag: str) -> None:
    """Ends a token at once. It takes no more than USERS_UPDATE, whoever it belongs to: it may have leaked.

    Raises:
        PermissionDenied: OWN_API_TOKENS, or for another's USERS_UPDATE, is missing.
        NotFound: there is no such token for the caller.
        EtagMismatch: the etag is none that a token has.
    """
    caller = work.caller
    if not caller.holds_anywhere(_OWN) and not caller.holds_anywhere(Permission.USERS_UPDATE):
        raise denied(_OWN)
    token = queries.find(work.tx, token_id)
    target = user_target(token.user_id, token.organization) if token else None
    if token is None or target is None or not reaches(caller, target):
        raise NotFound(Reason.API_TOKEN_NOT_FOUND, f"there is no API token {token_id}", metadata={"id": str(token_id)})
    authorize(caller, _needed(work, token.user_id), target, None)
    require_etag(etag, REVISION)
    queries.remove(work.tx, token_id)
    changes = {"user_id": [token.user_id, None], "name": [token.name, None]}
    audit.record(work, "api_token.revoke", f"api_tokens/{token_id}", token.organization, changes)


def _needed(work: Work, user_id: int) -> Permission:
    """Returns what it takes to make or revoke a token of a user."""
    caller = work.caller
    own = user_id == caller.user_id and Permission.USERS_UPDATE not in caller.holds(caller.organization)
    return _OWN if own else Permission.USERS_UPDATE


def _needed_to_list(work: Work, organization_id: str) -> Permission:
    """Returns USERS_VIEW where the caller views users, and else what it takes to see one's own tokens."""
    caller, views = work.caller, Permission.USERS_VIEW
    if organization_id != EVERY_ORGANIZATION and caller.holds_anywhere(_OWN):
        organization = number_of(work, organization_id) if organization_id else caller.organization
        return views if views in caller.holds(organization) else _OWN
    return views if caller.holds_anywhere(views) else _OWN


def _check_draft(draft: Draft, now: int) -> None:
    if not draft.name:
        raise InvalidField(Violation("api_token.name", "is required"))
    if draft.expires and draft.expires <= now:
        raise InvalidField(Violation("api_token.expire_time", "has passed already"))
