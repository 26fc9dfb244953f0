# SPDX-License-Identifier: Apache-2.0
"""TokenService: from messages to rules and back. Most of its methods have no caller: their message is the credential."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeAlias

import grpc
from typing_extensions import override

from almoner.v1 import token_service_pb2
from service.access.authorization import denied
from service.access.permissions import Permission
from service.errors import DomainError, Reason
from service.grants import devices, introspection, issuing, refreshing, revocation
from service.grants import token_messages as messages
from service.grants.client_token_rpc import ClientTokenMethods
from service.grants.grant_messages import grant_message
from service.grants.guesses import Guesses
from service.grants.issuing import Tokens, Wanted
from service.grants.scopes import check_wanted
from service.grants.tables import GrantType
from service.rpc.call import current_call, current_caller
from service.rpc.times import to_duration, to_timestamp

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from service.access.caller import Caller
    from service.access.signed_tokens import SignedTokens
    from service.applications.clients import Client
    from service.applications.secrets import ClientAuthenticator
    from service.clock import Clock
    from service.crypto.signing import TokenSigner
    from service.grants.credentials import Credentials
    from service.grants.device_queries import StoredDevice
    from service.rpc.call import Call
    from service.rpc.units import Units
    from service.work import AnonymousWork, Work

Context: TypeAlias = grpc.aio.ServicerContext[Any, Any]

IN_PROCESS: Final = "inprocess:"
"""Peer of the gateway in this process, which has seen the TLS handshake of the certificate that it hands over."""

_WAYS: Final = {
    "password": GrantType.PASSWORD,
    "jwt": GrantType.JWT_BEARER,
    "certificate": GrantType.CERTIFICATE,
    "device_code": GrantType.DEVICE_CODE,
    "user_id": GrantType.CLIENT_CREDENTIALS,
}
"""The grant type of each credential. A user's id is client credentials for "another resource owner that has been
previously arranged" (RFC 6749 section 4.4): by the access rule."""

QUICK_TOKENS: Final = 50
"""Tokens that are introspected at once, on the event loop."""


class TokenServicer(ClientTokenMethods):
    """Serves tokens."""

    def __init__(
        self,
        *,
        units: Units,
        clients: ClientAuthenticator,
        credentials: Credentials,
        find_caller: Callable[[Call], Awaitable[Caller]],
        signer: TokenSigner,
        tokens: SignedTokens,
        clock: Clock,
    ) -> None:
        """`find_caller` finds who calls a method, for those credentials that are only as good as who brings them."""
        super().__init__(units=units, clients=clients, signer=signer, tokens=tokens, clock=clock)
        self._credentials = credentials
        self._find_caller = find_caller
        self._guesses = Guesses(clock)

    @override
    async def IssueToken(
        self, request: token_service_pb2.IssueTokenRequest, context: Context
    ) -> token_service_pb2.IssueTokenResponse:
        kind = request.WhichOneof("credential") or ""
        if kind != "device_code":
            check_wanted(request.scopes)
        client = await self._clients.authenticate(request.client_id, request.client_secret)
        if kind == "device_code":
            tokens = _outcome(
                await self._units.write_anonymous(lambda work: devices.poll(work, client.id, request.device_code))
            )
        else:
            wanted = await self._wanted(request, kind, client, context)
            tokens = await self._units.write_anonymous(lambda work: issuing.issue(work, wanted))
        return token_service_pb2.IssueTokenResponse(tokens=messages.tokens_message(tokens))

    @override
    async def RefreshToken(
        self, request: token_service_pb2.RefreshTokenRequest, context: Context
    ) -> token_service_pb2.RefreshTokenResponse:
        client = await self._clients.authenticate(request.client_id, request.client_secret)

        def rule(work: AnonymousWork) -> Tokens | DomainError:
            return refreshing.refresh(work, client.id, request.refresh_token)

        tokens = _outcome(await self._units.write_anonymous(rule))
        return token_service_pb2.RefreshTokenResponse(tokens=messages.tokens_message(tokens))

    @override
    async def IntrospectTokens(
        self, request: token_service_pb2.IntrospectTokensRequest, context: Context
    ) -> token_service_pb2.IntrospectTokensResponse:
        run = self._units.read if len(request.tokens) <= QUICK_TOKENS else self._units.scan
        found = await run(lambda work: introspection.introspect(work, request.tokens))
        return token_service_pb2.IntrospectTokensResponse(
            introspections=[messages.introspection_message(grant) for grant in found]
        )

    @override
    async def VerifyToken(
        self, request: token_service_pb2.VerifyTokenRequest, context: Context
    ) -> token_service_pb2.VerifyTokenResponse:
        grant = await self._units.read_anonymous(lambda work: introspection.verify(work, request.access_token))
        return token_service_pb2.VerifyTokenResponse(grant=grant_message(grant))

    @override
    async def RevokeToken(
        self, request: token_service_pb2.RevokeTokenRequest, context: Context
    ) -> token_service_pb2.RevokeTokenResponse:
        grant = await self._units.write_anonymous(lambda work: revocation.revoke(work, request.token))
        return token_service_pb2.RevokeTokenResponse(grant=grant_message(grant))

    @override
    async def StartDeviceAuthorization(
        self, request: token_service_pb2.StartDeviceAuthorizationRequest, context: Context
    ) -> token_service_pb2.StartDeviceAuthorizationResponse:
        client = await self._clients.authenticate(request.client_id, request.client_secret)
        started = await self._units.write_anonymous(lambda work: devices.start(work, client.id, request.scopes))
        return token_service_pb2.StartDeviceAuthorizationResponse(
            device_code=started.device_code,
            user_code=started.user_code,
            lifetime=to_duration(devices.LIFETIME),
            interval=to_duration(devices.INTERVAL),
            expire_time=to_timestamp(started.expires),
        )

    @override
    async def GetDeviceAuthorization(
        self, request: token_service_pb2.GetDeviceAuthorizationRequest, context: Context
    ) -> token_service_pb2.GetDeviceAuthorizationResponse:
        device = await self._guess(self._units.read, lambda work: devices.get(work, request.user_code))
        return token_service_pb2.GetDeviceAuthorizationResponse(
            application_id=device.application_id,
            application_name=device.application_name,
            scopes=device.scopes.split(),
            expire_time=to_timestamp(device.expires),
        )

    @override
    async def DecideDeviceAuthorization(
        self, request: token_service_pb2.DecideDeviceAuthorizationRequest, context: Context
    ) -> token_service_pb2.DecideDeviceAuthorizationResponse:
        device = await self._guess(
            self._units.write, lambda work: devices.decide(work, request.user_code, approve=request.approve)
        )
        return token_service_pb2.DecideDeviceAuthorizationResponse(
            application_id=device.application_id, application_name=device.application_name
        )

    async def _wanted(
        self, request: token_service_pb2.IssueTokenRequest, kind: str, client: Client, context: Context
    ) -> Wanted:
        """Finds out who is to have tokens; a way that is closed to the application is not gone at all."""
        grant_type = _WAYS[kind]
        await self._units.read_anonymous(lambda work: issuing.require_way(work.tx, client, grant_type))
        actor = None
        if kind == "password":
            user_id = await self._credentials.by_password(request.password.username, request.password.password)
        elif kind == "jwt":
            user_id = await self._credentials.by_jwt(client, request.jwt)
        elif kind == "certificate":
            await self._require_trusted(context)
            user_id = await self._credentials.by_certificate(client, request.certificate)
        else:
            actor = await self._find_caller(current_call())
            issuing.require_may_issue(actor, client)
            user_id = request.user_id
        return Wanted(client.id, user_id, tuple(request.scopes), grant_type, actor)

    async def _require_trusted(self, context: Context) -> None:
        if context.peer() == IN_PROCESS:
            return
        caller = await self._find_caller(current_call())
        if Permission.TOKENS_ISSUE not in caller.holds_on_server():
            raise denied(Permission.TOKENS_ISSUE)

    async def _guess(
        self,
        run: Callable[[Callable[[Work], StoredDevice]], Awaitable[StoredDevice]],
        rule: Callable[[Work], StoredDevice],
    ) -> StoredDevice:
        """Runs a rule that looks for a user code, which callers may try to guess only so often."""
        user_id = current_caller().user_id
        self._guesses.check(user_id)
        try:
            return await run(rule)
        except DomainError as error:
            if error.reason is Reason.DEVICE_CODE_EXPIRED:
                self._guesses.note_wrong(user_id)
            raise


def _outcome(outcome: Tokens | DomainError) -> Tokens:
    """Raises the error that a rule returned, now that what it wrote is committed."""
    if isinstance(outcome, DomainError):
        raise outcome
    return outcome
