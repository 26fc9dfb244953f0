# SPDX-License-Identifier: Apache-2.0
"""Builds the service from its parts: what `almoner serve` runs, and what tests run in its place."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

import grpc
import structlog
from grpc_health.v1 import health_pb2_grpc
from grpc_health.v1._async import HealthServicer
from grpc_reflection.v1alpha import reflection

from almoner.v1 import (
    application_service_pb2,
    application_service_pb2_grpc,
    directory_service_pb2,
    directory_service_pb2_grpc,
    grant_service_pb2,
    grant_service_pb2_grpc,
    profile_service_pb2,
    profile_service_pb2_grpc,
    token_service_pb2,
    token_service_pb2_grpc,
    webhook_service_pb2,
    webhook_service_pb2_grpc,
)
from service.access.authentication import Authenticator
from service.access.signed_tokens import SignedTokens
from service.applications.rpc import ApplicationServicer
from service.applications.secret_uses import SecretUses
from service.applications.secrets import ClientAuthenticator
from service.background import Background
from service.broker.broker import Broker
from service.broker.refresher import Refresher
from service.changes.feed import ChangeFeed
from service.clock import Clock, system_clock
from service.consent.exchanges import Exchanges
from service.consent.revoker import Revoker
from service.crypto.credential_cache import CredentialCache
from service.crypto.keyring import Keyring
from service.crypto.keyring_file import KeyringError
from service.crypto.passwords import COST, Cost, PasswordHasher
from service.crypto.shared_checks import SharedChecks
from service.crypto.signing import TokenSigner
from service.crypto.tokens import new_api_token
from service.directory.bootstrap import FirstCredentials, bootstrap, is_empty
from service.directory.logins import DirectoryLogins
from service.directory.rpc import DirectoryServicer
from service.grants.credentials import Credentials
from service.grants.grant_rpc import GrantServicer
from service.grants.issuers import IssuerKeys
from service.grants.token_rpc import TokenServicer
from service.local_channel import LocalChannel
from service.outgoing import Outgoing
from service.profile_service import ProfileService
from service.rpc import interceptors
from service.rpc.gathering import IDLE_TURNS_IN_PROCESS, Gathering, TogetherInterceptor
from service.rpc.units import Units
from service.storage.database_clock import DatabaseClock
from service.storage.facts import IMPORT_FACT, KEYRING_FACT, find_fact, state_fact
from service.storage.sqlite import SqliteStore
from service.webhooks.dispatcher import WebhookDispatcher
from service.webhooks.rpc import WebhookServicer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from service.settings import Settings
    from service.storage.store import Store, Tx

SERVICES: Final = tuple(
    module.DESCRIPTOR.services_by_name[name].full_name
    for module, name in (
        (profile_service_pb2, "ProfileService"),
        (application_service_pb2, "ApplicationService"),
        (directory_service_pb2, "DirectoryService"),
        (grant_service_pb2, "GrantService"),
        (token_service_pb2, "TokenService"),
        (webhook_service_pb2, "WebhookService"),
    )
)
"""Full names of the services of the API."""

CALLBACK: Final = "/v1/oauth/callback"
"""Where the gateway takes the answers of providers' authorization endpoints."""

_LOG = structlog.get_logger(__name__)


class KeyringMismatchError(Exception):
    """The database was written with another keyring: what is sealed in it could not be read."""


class UnfinishedImportError(Exception):
    """An import into the database has been begun, and not finished: nobody may be served from a part of a house."""


@dataclass(frozen=True, slots=True)
class FirstStart:
    """Credentials that the first start generated, to be shown once; None where the operator had chosen them."""

    password: str | None
    api_token: str | None

    def __repr__(self) -> str:
        return "FirstStart(***)"


class Service:
    """One running service: its store, its keys, its servicers behind their interceptors."""

    def __init__(
        self, settings: Settings, store: Store, keyring: Keyring, clock: Clock, *, password_cost: Cost = COST
    ) -> None:
        """Puts the parts together; nothing runs yet."""
        self.settings = settings
        self.store = store
        self.keyring = keyring
        self.clock = clock
        self.passwords = PasswordHasher(waiting=settings.password_checks_waiting, cost=password_cost)
        self.health = HealthServicer()
        checks = SharedChecks(self.passwords)
        signer = TokenSigner(keyring)
        tokens = SignedTokens(signer, issuer=settings.token_issuer, audience=settings.token_audience)
        authenticator = Authenticator(
            logins=DirectoryLogins(store),
            keyring=keyring,
            checks=checks,
            cache=CredentialCache(clock),
            tokens=tokens,
            clock=clock,
        )
        self._outgoing = Outgoing(
            allow_http=settings.outgoing_allow_http, allow_private=settings.outgoing_allow_private
        )
        self._issuers = IssuerKeys(self._outgoing, clock)
        self.feed = ChangeFeed(store)
        time_of_all = DatabaseClock(store, clock)
        self.exchanges = Exchanges(
            store=store,
            keyring=keyring,
            clock=time_of_all,
            outgoing=self._outgoing,
            provider_timeout=settings.provider_timeout,
        )
        self.revoker = Revoker(store=store, keyring=keyring, clock=time_of_all, outgoing=self._outgoing)
        self.broker = Broker(
            store=store,
            keyring=keyring,
            clock=time_of_all,
            outgoing=self._outgoing,
            provider_timeout=settings.provider_timeout,
            wrote=self.feed.wake,
        )
        authentication = interceptors.AuthenticationInterceptor(authenticator)
        self.interceptors = (
            interceptors.TelemetryInterceptor(access_log=settings.access_log),
            interceptors.ErrorInterceptor(),
            interceptors.DeadlineInterceptor(settings.rpc_timeout),
            authentication,
            interceptors.ValidationInterceptor(),
        )
        self._units = Units(store, keyring, clock, wrote=self.feed.wake)
        uses = SecretUses(store)
        clients = ClientAuthenticator(
            store=store, keyring=keyring, checks=checks, cache=CredentialCache(clock), uses=uses, clock=clock
        )
        self._applications = ApplicationServicer(self._units, passwords=self.passwords, clients=clients, uses=uses)
        self._profiles = ProfileService(
            self._units,
            broker=self.broker,
            feed=self.feed,
            exchanges=self.exchanges,
            revoker=self.revoker,
            keyring=keyring,
            find_caller=authentication.caller_of,
            redirect_uri=settings.token_issuer.rstrip("/") + CALLBACK,
        )
        self._tokens = TokenServicer(
            units=self._units,
            clients=clients,
            credentials=Credentials(store=store, authenticator=authenticator, issuers=self._issuers, clock=clock),
            find_caller=authentication.caller_of,
            signer=signer,
            tokens=tokens,
            clock=clock,
        )
        # Connections of its own: receivers that hang are nobody else's affair.
        self._receivers = Outgoing(
            allow_http=settings.outgoing_allow_http,
            allow_private=settings.outgoing_allow_private,
            keep_connections=True,
        )
        dispatcher = WebhookDispatcher(
            store=store, keyring=keyring, clock=time_of_all, outgoing=self._receivers, feed=self.feed
        )
        self._webhooks = WebhookServicer(self._units, dispatcher, self._receivers.objection)
        self.background = Background(
            store=store,
            keyring=keyring,
            clock=clock,
            health=self.health,
            uses=uses,
            feed=self.feed,
            database_clock=time_of_all,
            refresher=Refresher(store, self.broker),
            revoker=self.revoker,
            dispatcher=dispatcher,
            keep_replies=settings.request_id_retention,
            keep_grants=settings.grant_retention,
            keep_changes=settings.change_retention,
        )

    def local_channel(self) -> LocalChannel:
        """Returns the service as a channel in this process."""
        channel = LocalChannel((TogetherInterceptor(Gathering(IDLE_TURNS_IN_PROCESS)), *self.interceptors))
        self._add_servicers(channel)
        return channel

    def grpc_server(self, *, share_port: bool = False, on_one_core: bool = False) -> grpc.aio.Server:
        """Returns the service as a server, without a port.

        Args:
            share_port: Whether other processes may listen on the same port, as workers do.
            on_one_core: Whether all threads of this process share a core.
        """
        server = grpc.aio.server(
            interceptors=(TogetherInterceptor(Gathering(on_one_core=on_one_core)), *self.interceptors),
            options=(
                ("grpc.so_reuseport", int(share_port)),
                ("grpc.max_receive_message_length", self.settings.max_body_bytes),
                # Beyond this some calls are refused at random; the 8 KiB that it is otherwise are a long header's alone.
                ("grpc.max_metadata_size", 16 * 1024),
                ("grpc.http2.min_recv_ping_interval_without_data_ms", 30_000),
                ("grpc.keepalive_permit_without_calls", 1),
                ("grpc.max_connection_age_ms", 30 * 60_000),
                ("grpc.max_connection_age_grace_ms", 60_000),
            ),
        )
        by_name = cast("grpc.aio.Server", _ByName(server))
        self._add_servicers(by_name)
        if self.settings.reflection:
            reflection.enable_server_reflection((*SERVICES, reflection.SERVICE_NAME), by_name)
        return server

    async def bootstrap(self) -> FirstStart | None:
        """Makes what an empty server needs, and checks that database and keyring belong together.

        Returns:
            The credentials of user `admin`, if this was the first start.

        Raises:
            KeyringMismatchError: the database was written with another keyring.
            UnfinishedImportError: only a part of what is imported into the database is there yet.
            StorageUnavailable: the database does not answer.
        """
        await self.store.read(_require_whole)
        fingerprint = self.keyring.fingerprint
        stated = await self.store.read(lambda tx: find_fact(tx, KEYRING_FACT))
        if stated is not None and stated != fingerprint:
            raise KeyringMismatchError
        self._ensure_signing_key()
        if not await self.store.read(is_empty):
            return None
        given_password = self.settings.bootstrap_admin_password
        given_token = self.settings.bootstrap_api_token
        password = given_password.get_secret_value() if given_password else new_api_token().partition("_")[2][:24]
        token = given_token.get_secret_value() if given_token else new_api_token()
        credentials = FirstCredentials(await self.passwords.hash(password), token)

        def first_start(tx: Tx) -> bool:
            _require_whole(tx)
            made = bootstrap(tx, self.keyring, self.clock(), credentials)
            if made:
                state_fact(tx, KEYRING_FACT, fingerprint)
            return made

        if not await self.store.write(first_start):
            return None
        return FirstStart(None if given_password else password, None if given_token else token)

    def end_streams(self) -> None:
        """Ends the calls that would go on for ever, so that a server that finishes its calls does not wait for them."""
        self.feed.close()

    async def close(self) -> None:
        """Ends what runs, after the calls have ended."""
        self.end_streams()
        await self.background.stop()
        await self.broker.finish()
        await self.exchanges.finish()
        await self._issuers.close()
        await self._outgoing.close()
        await self._receivers.close()
        self.passwords.close()
        await self.store.close()

    def _ensure_signing_key(self) -> None:
        try:
            self.keyring.ensure_signing_key(self.settings.token_signing_algorithm, self.clock)
        except KeyringError as error:
            # A keyring from before there were signing keys, mounted read-only: everything but tokens goes on.
            _LOG.warning("keyring.no_signing_key", error=str(error))

    def _add_servicers(self, server: grpc.aio.Server | LocalChannel) -> None:
        to = cast("Any", server)
        profile_service_pb2_grpc.add_ProfileServiceServicer_to_server(self._profiles, to)
        application_service_pb2_grpc.add_ApplicationServiceServicer_to_server(self._applications, to)
        directory_service_pb2_grpc.add_DirectoryServiceServicer_to_server(
            DirectoryServicer(self._units, self.passwords), to
        )
        grant_service_pb2_grpc.add_GrantServiceServicer_to_server(GrantServicer(self._units), to)
        token_service_pb2_grpc.add_TokenServiceServicer_to_server(self._tokens, to)
        webhook_service_pb2_grpc.add_WebhookServiceServicer_to_server(self._webhooks, to)
        health_pb2_grpc.add_HealthServicer_to_server(self.health, to)


class _ByName:
    """A server to add servicers to, whose methods are found by their names when they are called.

    grpc.aio awaits the next call of each method that is registered beside the others', and begins and ends all of these
    waits anew at every call: with as many methods as there are here that takes longer than most calls themselves.
    """

    def __init__(self, server: grpc.aio.Server) -> None:
        self._server = server

    def add_generic_rpc_handlers(self, handlers: Sequence[grpc.GenericRpcHandler]) -> None:
        self._server.add_generic_rpc_handlers(handlers)

    def add_registered_method_handlers(self, service: str, handlers: Mapping[str, object]) -> None:
        """Does nothing: `add_generic_rpc_handlers` brings the same methods."""


def _require_whole(tx: Tx) -> None:
    if find_fact(tx, IMPORT_FACT) is not None:
        raise UnfinishedImportError


def open_store(settings: Settings) -> Store:
    """Returns the store that the settings name. The schema must be there.

    Raises:
        StorageUnavailable: an SQLite file cannot be opened.
    """
    path = settings.sqlite_path
    if path is not None:
        return SqliteStore(Path(path))
    # Ten megabytes that the embedded store does without.
    from service.storage.postgresql import PostgresStore  # noqa: PLC0415

    return PostgresStore(settings.database_url, pool_size=settings.postgres_pool_size)


def open_service(settings: Settings, clock: Clock = system_clock, *, password_cost: Cost = COST) -> Service:
    """Returns a service over the settings' store and keyring, which is made if it is missing.

    Args:
        settings: What it runs with.
        clock: Tells it the time.
        password_cost: Of the digests that it makes. No setting: nothing but a test has a reason to change it.

    Raises:
        StorageUnavailable: an SQLite file cannot be opened.
        KeyringError: the keyring cannot be read or made.
    """
    keyring = Keyring.open_or_create(settings.keyring_file, clock)
    return Service(settings, open_store(settings), keyring, clock, password_cost=password_cost)
