# SPDX-License-Identifier: Apache-2.0
"""Grant rules in Venafi's terms (contract section 3): who may have tokens of which application."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from google.protobuf.field_mask_pb2 import FieldMask
from grpc import aio
from msgspec import UNSET

from almoner.v1.grant_pb2 import AccessRule, AccessRulePair
from almoner.v1.grant_service_pb2 import (
    CreateAccessRuleRequest,
    DeleteAccessRuleRequest,
    DeleteAccessRulesRequest,
    ListAccessRulesRequest,
    UpdateAccessRuleRequest,
)
from gateway.call import Call, Reply
from gateway.decoding import INVALID_BODY
from gateway.dialects.venafi import scopes
from gateway.dialects.venafi.applications import found_application
from gateway.dialects.venafi.bodies import (
    Done,
    NewRule,
    OneRule,
    Rule,
    RuleChange,
    RulePage,
    RuleQuery,
    RuleReply,
    RulesReply,
    RuleUpdate,
    SomeRules,
)
from gateway.dialects.venafi.identities import entries, prefixed_universal, require_somebody, user_id_of
from gateway.dialects.venafi.lifetimes import duration_of, seconds_of
from gateway.dialects.venafi.paging import order, page_of, quoted, slice_of
from gateway.failures import REQUIRED, Violation, from_rpc, invalid

if TYPE_CHECKING:
    from collections.abc import Sequence

NOT_FOUND: Final = "ACCESS_RULE_NOT_FOUND"
REPLACED: Final = ("allowed_scopes", "description", "access_token_lifetime", "grant_lifetime", "renewable")
"""All of a rule but what it joins."""

ORDERS: Final = {0: "", 3: "access_token_lifetime", 4: "grant_lifetime"}
"""Fields by OrderBy."""

MEMBERS: Final = {
    "access_rule.application_id": "ApplicationId",
    "access_rule.user_id": "TrusteePrefixedUniversal",
    "access_rule.allowed_scopes": "MaximumScope",
    "access_rule.description": "Description",
    "access_rule.access_token_lifetime": "AccessValidity",
    "access_rule.grant_lifetime": "GrantValidity",
    "access_rule.renewable": "Renewable",
    "pair.application_id": "ApplicationId",
}


async def create_rule(call: Call[None, None, NewRule]) -> Reply:
    """Lets a user have tokens of an application."""
    message = CreateAccessRuleRequest(access_rule=await _message(call, call.body))
    created = (await call.send(call.services.grants.CreateAccessRule, message)).access_rule
    return Reply(RuleReply(rule=_rule(created)), etag=created.etag)


async def update_rule(call: Call[None, None, RuleUpdate]) -> Reply:
    """Replaces a rule."""
    body = call.body.rule
    message = UpdateAccessRuleRequest(
        access_rule=await _message(call, body), update_mask=FieldMask(paths=REPLACED), etag=call.if_match
    )
    try:
        updated = (await call.send(call.services.grants.UpdateAccessRule, message)).access_rule
    except aio.AioRpcError as error:
        await _blame_application(call, error, body.application_id)
        raise
    return Reply(Done(), etag=updated.etag)


async def get_rules(call: Call[None, None, RuleQuery]) -> Reply:
    """Lists the rules of an application, of users, or of both."""
    body = call.body
    trustees = [*([body.trustee_prefixed_universal] if body.trustee_prefixed_universal else ())]
    trustees += body.trustee_prefixed_universals or []
    if body.application_id is None and not trustees:
        raise invalid(INVALID_BODY, Violation("ApplicationId", f"or TrusteePrefixedUniversal {REQUIRED}"))
    call = call.demanding("RULES_VIEW")
    rules = await _rules(call, body, trustees)
    return _several(rules, resolve=body.resolve_identities)


async def enumerate_rules(call: Call[None, None, RulePage]) -> Reply:
    """Lists a page of the rules of an application, of a user, or of the two together."""
    body = call.body
    trustee = body.grantee_prefixed_universal or body.trustee_prefixed_universal
    if body.application_id is None and trustee is None:
        raise invalid(INVALID_BODY, Violation("ApplicationId", f"or GranteePrefixedUniversal {REQUIRED}"))
    rules = await _rules(call.demanding("RULES_VIEW"), body, [trustee] if trustee else [], body)
    return _several(rules, resolve=body.resolve_identities)


async def delete_rule(call: Call[None, None, OneRule]) -> Reply:
    """Deletes a rule."""
    body = call.body
    pair = AccessRulePair(
        application_id=body.application_id, user_id=await user_id_of(call, body.trustee_prefixed_universal)
    )
    try:
        message = DeleteAccessRuleRequest(pair=pair, etag=call.if_match)
        await call.send(call.services.grants.DeleteAccessRule, message)
    except aio.AioRpcError as error:
        await _blame_application(call, error, body.application_id)
        raise
    return Reply(Done())


async def delete_rules(call: Call[None, None, SomeRules]) -> Reply:
    """Deletes all rules of an application, of a user, or of the two together."""
    body = call.body
    if body.application_id is None and body.trustee_prefixed_universal is None:
        raise invalid(INVALID_BODY, Violation("ApplicationId", f"or TrusteePrefixedUniversal {REQUIRED}"))
    trustee = body.trustee_prefixed_universal
    message = DeleteAccessRulesRequest(
        application_id=body.application_id or "", user_id=await user_id_of(call, trustee) if trustee else 0
    )
    await call.send(call.services.grants.DeleteAccessRules, message)
    return Reply(Done())


async def _message(call: Call[None, None, Any], body: NewRule | RuleChange) -> AccessRule:
    return AccessRule(
        application_id=body.application_id,
        allowed_scopes=scopes.read("MaximumScope", body.maximum_scope),
        user_id=await user_id_of(call, body.trustee_prefixed_universal),
        description=body.description,
        access_token_lifetime=duration_of(body.access_validity),
        grant_lifetime=duration_of(body.grant_validity),
        renewable=body.renewable,
    )


async def _blame_application(call: Call[None, None, Any], error: aio.AioRpcError, application_id: str) -> None:
    """Where there is no such rule, says so of its application if there is none either."""
    if from_rpc(error, {}).reason == NOT_FOUND:
        await found_application(call, application_id)


async def _rules(
    call: Call[None, None, Any], wanted: RuleQuery | RulePage, trustees: Sequence[str], page: RulePage | None = None
) -> Sequence[AccessRule]:
    """Returns the rules that are wanted, or one page of them."""
    maximum = set(scopes.read("MaximumScope", wanted.maximum_scope or ""))
    if wanted.application_id is not None:
        await found_application(call, wanted.application_id)
    users = [await user_id_of(call, trustee) for trustee in trustees]
    message = ListAccessRulesRequest(filter=_filter(wanted, users))
    if page is not None:
        message.order_by = order(ORDERS[page.order_by], descending=page.descending)
    method, member = call.services.grants.ListAccessRules, "access_rules"
    rules: Sequence[AccessRule]
    if page is not None and not maximum and wanted.renewable is None:
        rules = await page_of(call, method, message, member, start=page.start, count=page.count)
    else:
        # By these two the service's lists cannot be filtered.
        every = await page_of(call, method, message, member)
        rules = [
            rule for rule in every if maximum <= set(rule.allowed_scopes) and _is_as(rule, renewable=wanted.renewable)
        ]
        rules = rules if page is None else slice_of(rules, page.start, page.count)
    if not rules:
        for user_id in users:
            await require_somebody(call, user_id)
    return rules


def _is_as(rule: AccessRule, *, renewable: bool | None) -> bool:
    """Whether a rule says of itself that it is renewable, or not, where that is asked for."""
    return renewable is None or (rule.HasField("renewable") and rule.renewable == renewable)


def _filter(wanted: RuleQuery | RulePage, users: Sequence[int]) -> str:
    terms = []
    if wanted.application_id is not None:
        terms.append(f"application_id = {quoted(wanted.application_id)}")
    if users:
        terms.append("(" + " OR ".join(f"user_id = {user_id}" for user_id in users) + ")")
    if wanted.no_expire is not None:
        terms.append(f"grant_lifetime {'=' if wanted.no_expire else '!='} 0")
    return " AND ".join(terms)


def _several(rules: Sequence[AccessRule], *, resolve: bool) -> Reply:
    identities = entries((rule.user_id, rule.username) for rule in rules) if resolve else UNSET
    return Reply(RulesReply(rules=[_rule(rule) for rule in rules], identity_entries=identities))


def _rule(rule: AccessRule) -> Rule:
    return Rule(
        access_validity=seconds_of(rule.access_token_lifetime),
        application_id=rule.application_id,
        description=rule.description or UNSET,
        grant_validity=seconds_of(rule.grant_lifetime),
        maximum_scope=scopes.text_of(rule.allowed_scopes) or UNSET,
        renewable=rule.renewable if rule.HasField("renewable") else UNSET,
        trustee_prefixed_universal=prefixed_universal(rule.user_id),
    )
