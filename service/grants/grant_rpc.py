# SPDX-License-Identifier: Apache-2.0
"""GrantService: from messages to rules and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeAlias

import grpc
from typing_extensions import override

from almoner.v1 import grant_service_pb2 as pb
from almoner.v1 import grant_service_pb2_grpc
from service.grants import access_rules, grants, jwt_mappings, policies
from service.grants import grant_messages as messages
from service.grants.access_rules import Pair
from service.grants.jwt_mappings import Which
from service.rpc.masks import members_of

if TYPE_CHECKING:
    from service.rpc.units import Units
    from service.work import Work

Context: TypeAlias = grpc.aio.ServicerContext[Any, Any]

_RULE_PATHS: Final = {name: frozenset({name}) for name in access_rules.MEMBERS}
_MAPPING_PATHS: Final = {name: frozenset({name}) for name in jwt_mappings.MEMBERS}
_POLICY_PATHS: Final = {name: frozenset({name}) for name in policies.MEMBERS}


class GrantServicer(grant_service_pb2_grpc.GrantServiceServicer):
    """Serves access rules, grants, JWT mappings and token policies."""

    def __init__(self, units: Units) -> None:
        self._units = units

    @override
    async def CreateAccessRule(
        self, request: pb.CreateAccessRuleRequest, context: Context
    ) -> pb.CreateAccessRuleResponse:
        wanted = request.access_rule
        draft = messages.rule_draft(wanted)

        def rule(work: Work) -> pb.CreateAccessRuleResponse:
            created = access_rules.create(work, Pair(wanted.application_id, wanted.user_id), draft)
            return pb.CreateAccessRuleResponse(access_rule=messages.rule_message(created))

        return await self._units.write_once(request, pb.CreateAccessRuleResponse, rule)

    @override
    async def GetAccessRule(self, request: pb.GetAccessRuleRequest, context: Context) -> pb.GetAccessRuleResponse:
        key = messages.rule_key(request)
        rule = await self._units.read(lambda work: access_rules.get(work, key))
        return pb.GetAccessRuleResponse(access_rule=messages.rule_message(rule))

    @override
    async def ListAccessRules(self, request: pb.ListAccessRulesRequest, context: Context) -> pb.ListAccessRulesResponse:
        page = await self._units.page(
            request, lambda work, query: access_rules.page(work, request.organization_id, query)
        )
        return pb.ListAccessRulesResponse(
            access_rules=[messages.rule_message(row) for row in page.rows], next_page_token=page.next_page_token
        )

    @override
    async def UpdateAccessRule(
        self, request: pb.UpdateAccessRuleRequest, context: Context
    ) -> pb.UpdateAccessRuleResponse:
        wanted = request.access_rule
        key = wanted.id or Pair(wanted.application_id, wanted.user_id)
        draft = messages.rule_draft(wanted)
        members = members_of(request.update_mask, wanted, _RULE_PATHS)
        rule = await self._units.write(lambda work: access_rules.update(work, key, draft, members, request.etag))
        return pb.UpdateAccessRuleResponse(access_rule=messages.rule_message(rule))

    @override
    async def DeleteAccessRule(
        self, request: pb.DeleteAccessRuleRequest, context: Context
    ) -> pb.DeleteAccessRuleResponse:
        key = messages.rule_key(request)
        await self._units.write(lambda work: access_rules.delete(work, key, request.etag))
        return pb.DeleteAccessRuleResponse()

    @override
    async def DeleteAccessRules(
        self, request: pb.DeleteAccessRulesRequest, context: Context
    ) -> pb.DeleteAccessRulesResponse:
        deleted = await self._units.sweep(
            lambda work: access_rules.delete_all(work, request.application_id, request.user_id)
        )
        return pb.DeleteAccessRulesResponse(deleted=deleted)

    @override
    async def GetGrant(self, request: pb.GetGrantRequest, context: Context) -> pb.GetGrantResponse:
        grant = await self._units.read(lambda work: grants.get(work, request.id))
        return pb.GetGrantResponse(grant=messages.grant_message(grant))

    @override
    async def ListGrants(self, request: pb.ListGrantsRequest, context: Context) -> pb.ListGrantsResponse:
        page = await self._units.page(
            request, lambda work, query: grants.page(work, request.organization_id, query), sparse=True
        )
        return pb.ListGrantsResponse(
            grants=[messages.grant_message(row) for row in page.rows], next_page_token=page.next_page_token
        )

    @override
    async def CountGrants(self, request: pb.CountGrantsRequest, context: Context) -> pb.CountGrantsResponse:
        count = await self._units.scan(lambda work: grants.count(work, request.application_id, request.user_id))
        return pb.CountGrantsResponse(grants=count.grants, users=count.users)

    @override
    async def RevokeGrant(self, request: pb.RevokeGrantRequest, context: Context) -> pb.RevokeGrantResponse:
        await self._units.write(lambda work: grants.revoke(work, request.id))
        return pb.RevokeGrantResponse()

    @override
    async def RevokeGrants(self, request: pb.RevokeGrantsRequest, context: Context) -> pb.RevokeGrantsResponse:
        revoked = await self._units.sweep(lambda work: grants.revoke_all(work, request.application_id, request.user_id))
        return pb.RevokeGrantsResponse(revoked=revoked)

    @override
    async def GetTotals(self, request: pb.GetTotalsRequest, context: Context) -> pb.GetTotalsResponse:
        totals = await self._units.scan(grants.totals)
        return pb.GetTotalsResponse(**totals._asdict())

    @override
    async def CreateJwtMapping(
        self, request: pb.CreateJwtMappingRequest, context: Context
    ) -> pb.CreateJwtMappingResponse:
        wanted = request.jwt_mapping
        which = Which(wanted.organization_id, wanted.name)
        draft = messages.mapping_draft(wanted)

        def rule(work: Work) -> pb.CreateJwtMappingResponse:
            created = jwt_mappings.create(work, which, draft)
            return pb.CreateJwtMappingResponse(jwt_mapping=messages.mapping_message(created))

        return await self._units.write_once(request, pb.CreateJwtMappingResponse, rule)

    @override
    async def GetJwtMapping(self, request: pb.GetJwtMappingRequest, context: Context) -> pb.GetJwtMappingResponse:
        mapping = await self._units.read(
            lambda work: jwt_mappings.get(work, Which(request.organization_id, request.name))
        )
        return pb.GetJwtMappingResponse(jwt_mapping=messages.mapping_message(mapping))

    @override
    async def ListJwtMappings(self, request: pb.ListJwtMappingsRequest, context: Context) -> pb.ListJwtMappingsResponse:
        page = await self._units.page(
            request, lambda work, query: jwt_mappings.page(work, request.organization_id, query)
        )
        return pb.ListJwtMappingsResponse(
            jwt_mappings=[messages.mapping_message(row) for row in page.rows], next_page_token=page.next_page_token
        )

    @override
    async def UpdateJwtMapping(
        self, request: pb.UpdateJwtMappingRequest, context: Context
    ) -> pb.UpdateJwtMappingResponse:
        wanted = request.jwt_mapping
        which = Which(wanted.organization_id, wanted.name)
        draft = messages.mapping_draft(wanted)
        members = members_of(request.update_mask, wanted, _MAPPING_PATHS)
        mapping = await self._units.write(lambda work: jwt_mappings.update(work, which, draft, members, request.etag))
        return pb.UpdateJwtMappingResponse(jwt_mapping=messages.mapping_message(mapping))

    @override
    async def DeleteJwtMapping(
        self, request: pb.DeleteJwtMappingRequest, context: Context
    ) -> pb.DeleteJwtMappingResponse:
        which = Which(request.organization_id, request.name)
        await self._units.write(lambda work: jwt_mappings.delete(work, which, request.etag))
        return pb.DeleteJwtMappingResponse()

    @override
    async def GetTokenPolicy(self, request: pb.GetTokenPolicyRequest, context: Context) -> pb.GetTokenPolicyResponse:
        found = await self._units.read(lambda work: policies.get(work, request.organization_id))
        return pb.GetTokenPolicyResponse(token_policy=messages.policy_message(found))

    @override
    async def UpdateTokenPolicy(
        self, request: pb.UpdateTokenPolicyRequest, context: Context
    ) -> pb.UpdateTokenPolicyResponse:
        wanted = request.token_policy
        draft = messages.policy_draft(wanted)
        members = members_of(request.update_mask, wanted, _POLICY_PATHS)
        found = await self._units.write(
            lambda work: policies.update(work, wanted.organization_id, draft, members, request.etag)
        )
        return pb.UpdateTokenPolicyResponse(token_policy=messages.policy_message(found))
