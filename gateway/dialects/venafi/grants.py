# SPDX-License-Identifier: Apache-2.0
"""Grants in Venafi's terms (contract section 4), how many there are, and the scopes that are known."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from msgspec import UNSET

from almoner.v1.grant_service_pb2 import (
    CountGrantsRequest,
    CountGrantsResponse,
    GetTotalsRequest,
    ListGrantsRequest,
    RevokeGrantsRequest,
)
from gateway.call import Call, Reply
from gateway.decoding import INVALID_BODY
from gateway.dialects.venafi import scopes
from gateway.dialects.venafi.applications import found_application
from gateway.dialects.venafi.bodies import (
    CountReply,
    Done,
    GrantPage,
    GrantQuery,
    GrantsReply,
    KnownScope,
    Nothing,
    OneApplication,
    ScopesReply,
    SomeGrants,
    TotalsReply,
    VenafiGrant,
)
from gateway.dialects.venafi.identities import caller_of, entries, prefixed_universal, require_somebody, user_id_of
from gateway.dialects.venafi.moments import moment_of
from gateway.dialects.venafi.paging import order, page_of, quoted
from gateway.failures import REQUIRED, Violation, invalid

if TYPE_CHECKING:
    from almoner.v1.grant_pb2 import Grant

ORDERS: Final = {0: "", 3: "access_token_expire_time", 4: "expire_time"}
"""Fields by OrderBy."""

MEMBERS: Final = {"application_id": "ApplicationId", "user_id": "GranteePrefixedUniversal"}


async def get_grants(call: Call[None, None, GrantQuery]) -> Reply:
    """Lists the grants of a user."""
    return await _grants(call, call.body, call.body.grantee_prefixed_universal)


async def enumerate_grants(call: Call[None, None, GrantPage]) -> Reply:
    """Lists a page of the grants of an application, of a user, or of the two together."""
    body = call.body
    _require_one(body)
    return await _grants(call, body, body.grantee_prefixed_universal)


async def revoke_grants(call: Call[None, None, SomeGrants]) -> Reply:
    """Revokes the grants of an application, of a user, or of the two together. Anybody may revoke their own."""
    body = call.body
    _require_one(body)
    grantee = body.grantee_prefixed_universal
    message = RevokeGrantsRequest(
        application_id=body.application_id or "", user_id=await user_id_of(call, grantee) if grantee else 0
    )
    await call.send(call.services.grants.RevokeGrants, message)
    return Reply(Done())


async def grant_count(call: Call[None, None, OneApplication]) -> Reply:
    """Counts the grants of an application."""
    return Reply(CountReply((await _count(call)).grants))


async def user_count(call: Call[None, None, OneApplication]) -> Reply:
    """Counts the users who have grants of an application."""
    return Reply(CountReply((await _count(call)).users))


async def total_count(call: Call[None, None, Nothing]) -> Reply:
    """Counts applications, rules and grants."""
    totals = await call.send(call.services.grants.GetTotals, GetTotalsRequest())
    body = TotalsReply(application_count=totals.applications, grant_count=totals.grants, rule_count=totals.access_rules)
    return Reply(body)


async def get_scopes(call: Call[None, None, Nothing]) -> Reply:
    """Lists the scopes that are known."""
    await caller_of(call)
    return Reply(ScopesReply(scopes=[KnownScope(list(beyond), scope) for scope, beyond in scopes.KNOWN.items()]))


async def _grants(call: Call[None, None, Any], wanted: GrantQuery | GrantPage, grantee: str | None) -> Reply:
    call = call.demanding("GRANTS_VIEW")
    terms = []
    if wanted.application_id is not None:
        await found_application(call, wanted.application_id)
        terms.append(f"application_id = {quoted(wanted.application_id)}")
    user_id = 0
    if grantee is not None:
        user_id = await user_id_of(call, grantee)
        terms.append(f"user_id = {user_id}")
    message = ListGrantsRequest(
        filter=" AND ".join(terms), order_by=order(ORDERS[wanted.order_by], descending=wanted.descending)
    )
    method = call.services.grants.ListGrants
    grants = await page_of(call, method, message, "grants", start=wanted.start, count=wanted.count)
    if not grants and user_id:
        await require_somebody(call, user_id)
    identities = entries((one.user_id, one.username) for one in grants) if wanted.resolve_identities else UNSET
    return Reply(GrantsReply(grants=[_grant(grant) for grant in grants], identity_entries=identities))


async def _count(call: Call[None, None, OneApplication]) -> CountGrantsResponse:
    application_id = call.body.application_id
    call = call.demanding("GRANTS_VIEW")
    await found_application(call, application_id)
    return await call.send(call.services.grants.CountGrants, CountGrantsRequest(application_id=application_id))


def _require_one(body: GrantPage | SomeGrants) -> None:
    if body.application_id is None and body.grantee_prefixed_universal is None:
        raise invalid(INVALID_BODY, Violation("ApplicationId", f"or GranteePrefixedUniversal {REQUIRED}"))


def _grant(grant: Grant) -> VenafiGrant:
    identity = prefixed_universal(grant.user_id)
    access, expires, issued = map(moment_of, (grant.access_token_issue_time, grant.expire_time, grant.issue_time))
    return VenafiGrant(
        access_issued_on=access.date,
        access_issued_on_iso8601=access.iso8601,
        access_issued_on_unix_time=access.unix_time,
        application=grant.application_id,
        expires=expires.date,
        expires_iso8601=expires.iso8601,
        expires_unix_time=expires.unix_time,
        granted_to_prefixed_universal=identity,
        grantee_prefixed_universal=identity,
        grant_issued_on=issued.date,
        grant_issued_on_iso8601=issued.iso8601,
        grant_issued_on_unix_time=issued.unix_time,
        scope=scopes.text_of(grant.scopes),
        valid_for=expires.unix_time - issued.unix_time,
    )
