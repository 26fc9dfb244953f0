# SPDX-License-Identifier: Apache-2.0
"""A marked secret, stored through every route that takes one, shows nowhere but where it is documented to.

The whole product runs in a process of its own, from its first start on, logging at level debug and exporting spans.
"""

from __future__ import annotations

import asyncio
import base64
import io
import json
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import aiohttp
import asyncpg
import grpc
import pytest
from google.protobuf.field_mask_pb2 import FieldMask

from almoner.v1 import (
    application_pb2,
    application_service_pb2,
    application_service_pb2_grpc,
    directory_pb2,
    directory_service_pb2,
    directory_service_pb2_grpc,
    profile_pb2,
    profile_service_pb2,
    profile_service_pb2_grpc,
    webhook_pb2,
    webhook_service_pb2,
    webhook_service_pb2_grpc,
)
from tests.canary.marks import forms_of, found_in, new_mark
from tests.canary.product import Product, serving, start
from tests.conftest import BACKENDS
from tests.rest import APPLICATIONS, CONNECTIONS, CUSTOM_PROFILES, PROFILES
from tests.running import basic

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable
    from pathlib import Path

    from tests.databases import PostgresTemplate

USERS: Final = "/api/admin/users"
LOGIN: Final = "/vedauth/authorize/oauth"
REFRESH: Final = "/vedauth/authorize/token"
DEVICE: Final = "/vedauth/authorize/device"
VERIFY: Final = "/vedauth/authorize/verify"
REVOKE: Final = "/vedauth/revoke/token"
CONSENT: Final = "/v1/profiles"
CALLBACK: Final = "/v1/oauth/callback"
RETURNS_SECRETS: Final = (PROFILES, APPLICATIONS, LOGIN, REFRESH, DEVICE, CONSENT)
"""Where successful answers about one resource return its secrets, as documented."""


@dataclass
class Run:
    """What a run left behind."""

    mark: str
    generated: list[str] = field(default_factory=list)
    returned: list[bytes] = field(default_factory=list)
    answers: list[tuple[str, bytes]] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    refusals: list[tuple[str, bytes]] = field(default_factory=list)
    metrics: bytes = b""
    product: Product | None = None
    stored: dict[str, bytes] = field(default_factory=dict)

    @property
    def marks(self) -> list[str]:
        return [self.mark, *self.generated]

    def secret(self, name: str) -> str:
        """Returns a secret with the mark in it."""
        return f"{name}{self.mark}{name}"


class Driver:
    """Stores and misuses secrets over REST and gRPC."""

    def __init__(self, run: Run, product: Product, session: aiohttp.ClientSession, channel: grpc.aio.Channel) -> None:
        self.run = run
        self.base = f"http://{product.addresses['REST']}"
        self.address = product.addresses["REST"]
        self.session = session
        self.authorization = basic("admin", run.secret("admin-password"))
        self.metadata = (("authorization", f"Bearer {run.secret('admin-token')}"),)
        self.profiles: Any = profile_service_pb2_grpc.ProfileServiceStub(channel)
        self.applications: Any = application_service_pb2_grpc.ApplicationServiceStub(channel)
        self.webhooks: Any = webhook_service_pb2_grpc.WebhookServiceStub(channel)
        self.directory: Any = directory_service_pb2_grpc.DirectoryServiceStub(channel)

    async def send(
        self, method: str, path: str, body: Any = None, data: bytes | None = None, **headers: Any
    ) -> dict[str, Any]:
        """Sends a request, and files the answer under what it may hold."""
        content = json.dumps(body).encode() if data is None and body is not None else data
        sent = {"Authorization": self.authorization, **{name.replace("_", "-"): each for name, each in headers.items()}}
        async with self.session.request(
            method, self.base + path, data=io.BytesIO(content) if content else None, headers=sent
        ) as response:
            answer = await response.read()
            head = repr(sorted(response.headers.items())).encode()
        self.run.statuses.append(response.status)
        if (
            response.status < 300
            and path.startswith(RETURNS_SECRETS)
            and path not in RETURNS_SECRETS * (method == "GET")
        ):
            self.run.returned.append(answer)
        else:
            self.run.answers.append((f"{method} {path} {response.status}", head + answer))
        shown = json.loads(answer) if answer and "json" in response.content_type else {}
        return shown if isinstance(shown, dict) else {}

    async def refused(self, call: Awaitable[Any]) -> None:
        """Makes a call over gRPC that must be refused, and files the refusal."""
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await call
        error = raised.value
        told = [*(error.trailing_metadata() or ()), *(error.initial_metadata() or ())]
        self.run.refusals.append(
            (error.code().name, repr((error.details(), told, error.debug_error_string())).encode())
        )

    async def raw(self, data: str) -> None:
        """Sends bytes that are no HTTP."""
        host, _, port = self.address.partition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(data.encode("latin-1"))
        self.run.answers.append((data[:20], await reader.read()))
        writer.close()
        await writer.wait_closed()

    async def store_over_rest(self) -> None:
        secret = self.run.secret
        application = {"name": "A", "dataStore": 54, "clientId": "c", "clientSecret": secret("client-secret")}
        number = (await self.send("POST", APPLICATIONS, application))["id"]
        await self.send("PUT", f"{APPLICATIONS}/{number}", {**application, "clientSecret": secret("other-secret")})
        await self.send("GET", f"{APPLICATIONS}/{number}")
        profile = {
            "name": "P",
            "oauthAppId": number,
            "accessToken": secret("access-token"),
            "refreshToken": secret("refresh-token"),
        }
        stored = (await self.send("POST", PROFILES, profile))["id"]
        await self.send("PUT", f"{PROFILES}/{stored}", {**profile, "refreshToken": secret("another-token")})
        await self.send("GET", f"{PROFILES}/{stored}")
        await self.send("GET", f"{PROFILES}/{stored}/stats", X_Forgotten=secret("forgotten"))
        user = {"userName": "ann", "passwordInfo": {"password": secret("password")}, "permissions": {"roles": [2]}}
        ann = (await self.send("POST", USERS, user))["id"]
        await self.send("PUT", f"{USERS}/{ann}", {**user, "passwordInfo": {"password": secret("new-password")}})
        await self.send("GET", PROFILES, Authorization=basic("ann", secret("new-password")))
        data = {"client_id": "c", "client_secret": secret("custom-secret"), "token": secret("verification")}
        custom = (await self.send("POST", CUSTOM_PROFILES, {"name": "C", "provider": "slack", "data": data}))["result"]
        await self.send("PUT", f"{CUSTOM_PROFILES}/{custom['id']}", {"name": "C", "provider": "slack", "data": data})
        await self.send("POST", CONNECTIONS, {"name": "C", "provider": "p", "input": {"password": secret("input")}})
        for path in (PROFILES, APPLICATIONS, USERS, CUSTOM_PROFILES, CONNECTIONS, "/api/users/me", "/openapi.json"):
            await self.send("GET", path)
        self.application, self.profile, self.custom, self.ann = number, stored, custom["id"], ann

    async def use_tokens(self) -> None:
        secret = self.run.secret
        login = {"client_id": "almoner", "username": "local:admin", "password": secret("admin-password")}
        first = await self.send("POST", LOGIN, {**login, "scope": "admin;profiles"})
        refresh = {"client_id": "almoner", "refresh_token": first["refresh_token"]}
        second = await self.send("POST", REFRESH, refresh)
        device = await self.send("POST", DEVICE, {"client_id": "almoner", "scope": "ssh"})
        self.run.generated += [tokens[name] for tokens in (first, second) for name in ("access_token", "refresh_token")]
        self.run.generated.append(device["device_code"])
        bearer = f"Bearer {second['access_token']}"
        await self.send("GET", VERIFY, Authorization=bearer)
        await self.send("GET", "/api/users/me", Authorization=bearer)
        await self.send(
            "POST", "/vedsdk/oauth/getgrants", {"GranteePrefixedUniversal": "local:admin"}, Authorization=bearer
        )
        await self.send("POST", REFRESH, {"client_id": "almoner", "device_code": device["device_code"]})
        # A replay, and what is revoked by it.
        await self.send("POST", REFRESH, refresh)
        for path in (VERIFY, REVOKE, "/vedsdk/", PROFILES):
            await self.send("GET", path, Authorization=bearer)
        wrong = secret("misused")
        for path, body in (
            (LOGIN, {**login, "password": wrong, "scope": "admin"}),
            (LOGIN, {**login, "username": wrong, "scope": "admin"}),
            (LOGIN, {**login, "client_id": "nobody", "scope": "admin"}),
            (LOGIN, {**login, "scope": "nothing:allowed"}),
            (LOGIN, {**login, "client_secret": wrong, "scope": [wrong]}),
            (REFRESH, {"client_id": "almoner", "refresh_token": wrong}),
            (REFRESH, {"client_id": "almoner", "refresh_token": f"{wrong}\x00"}),
            (REFRESH, {"client_id": "almoner", "device_code": wrong}),
            ("/vedauth/authorize/jwt", {"client_id": "almoner", "scope": "ssh", "jwt": f"{wrong}.{wrong}.{wrong}"}),
        ):
            await self.send("POST", path, body)
        for token in (wrong, f"{'A' * 22}==", second["refresh_token"]):
            await self.send("GET", VERIFY, Authorization=f"Bearer {token}")
            await self.send("GET", REVOKE, Authorization=f"Bearer {token}")

    async def store_over_grpc(self) -> None:
        secret, metadata = self.run.secret, self.metadata
        profile = profile_pb2.Profile(
            name="P",
            provider="p",
            client=profile_pb2.ClientCredentials(client_id="c", client_secret=secret("grpc-secret")),
            access_token=secret("grpc-access"),
            refresh_token=secret("grpc-refresh"),
            verification_token=secret("grpc-verification"),
        )
        view = profile_pb2.PROFILE_VIEW_TOKENS
        request = profile_service_pb2.CreateProfileRequest(profile=profile, request_id=str(uuid.uuid4()), view=view)
        await self.profiles.CreateProfile(request, metadata=metadata)
        repeated = await self.profiles.CreateProfile(request, metadata=metadata)
        profile.id = repeated.profile.id
        update = profile_service_pb2.UpdateProfileRequest(
            profile=profile, update_mask=FieldMask(paths=["*"]), view=view
        )
        await self.profiles.UpdateProfile(update, metadata=metadata)
        chosen = application_pb2.Application(name="A", client=application_pb2.ClientApplication())
        create = application_service_pb2.CreateApplicationRequest(application=chosen, request_id=str(uuid.uuid4()))
        generated = await self.applications.CreateApplication(create, metadata=metadata)
        create = application_service_pb2.CreateApplicationRequest(
            application=chosen, client_secret=secret("chosen-secret"), request_id=str(uuid.uuid4())
        )
        made = (await self.applications.CreateApplication(create, metadata=metadata)).application
        await self.rotate_over_grpc(made.id)
        token = await self.directory.CreateApiToken(
            directory_service_pb2.CreateApiTokenRequest(
                api_token=directory_pb2.ApiToken(name="T"), request_id=str(uuid.uuid4())
            ),
            metadata=metadata,
        )
        self.run.generated += [generated.client_secret, token.token]
        await self.profiles.ListProfiles(
            profile_service_pb2.ListProfilesRequest(), metadata=(("authorization", f"Bearer {token.token}"),)
        )
        user = directory_pb2.User(username="bob", password=secret("grpc-password"))
        await self.directory.CreateUser(directory_service_pb2.CreateUserRequest(user=user), metadata=metadata)

    async def hook_over_grpc(self) -> None:
        """Sets secrets of a webhook, which then fails to be told of what the other calls do."""
        chosen = "whsec_" + base64.b64encode(self.run.mark.encode()).decode()
        webhook = webhook_pb2.Webhook(url="https://receiver.invalid/", secret=chosen)
        create = webhook_service_pb2.CreateWebhookRequest(webhook=webhook, request_id=str(uuid.uuid4()))
        made = (await self.webhooks.CreateWebhook(create, metadata=self.metadata)).webhook
        update = webhook_service_pb2.UpdateWebhookRequest(webhook=made, update_mask=FieldMask(paths=["secret"]))
        replaced = await self.webhooks.UpdateWebhook(update, metadata=self.metadata)
        self.run.generated.append(replaced.secret.removeprefix("whsec_"))
        wrong = webhook_service_pb2.UpdateWebhookRequest(
            webhook=webhook_pb2.Webhook(id=made.id, secret=self.run.secret("webhook-secret"))
        )
        await self.refused(self.webhooks.UpdateWebhook(wrong, metadata=self.metadata))

    async def rotate_over_grpc(self, application_id: str) -> None:
        secret, metadata = self.run.secret, self.metadata
        changed = application_service_pb2.UpdateApplicationRequest(
            application=application_pb2.Application(id=application_id), client_secret=secret("replaced-secret")
        )
        await self.applications.UpdateApplication(changed, metadata=metadata)
        rotate = application_service_pb2.RotateSecretRequest(
            application_id=application_id, client_secret=secret("rotated-secret"), request_id=str(uuid.uuid4())
        )
        await self.applications.RotateSecret(rotate, metadata=metadata)
        rotate.client_secret, rotate.request_id = "", str(uuid.uuid4())
        rotated = await self.applications.RotateSecret(rotate, metadata=metadata)
        own = application_service_pb2.RotateOwnSecretRequest(
            client_id=application_id, client_secret=secret("rotated-secret"), new_client_secret=secret("own-secret")
        )
        await self.applications.RotateOwnSecret(own)
        own.client_secret, own.new_client_secret = secret("own-secret"), ""
        generated = await self.applications.RotateOwnSecret(own)
        own.client_secret = self.run.secret("misused")
        await self.refused(self.applications.RotateOwnSecret(own))
        await self.applications.ListSecrets(
            application_service_pb2.ListSecretsRequest(application_id=application_id), metadata=metadata
        )
        self.run.generated += [rotated.client_secret, generated.client_secret]

    async def consent(self) -> None:
        """Begins two consents and ends neither well; deletes a profile whose provider cannot be had."""
        states = [(await self.send("POST", f"{CONSENT}/{self.custom}:authorize", {}))["state"] for _ in range(2)]
        self.run.generated += states
        wrong = self.run.secret("misused")
        await self.send("GET", f"{CALLBACK}?state={states[0]}&error=access_denied")
        for query in (
            f"state={wrong}&code={wrong}",
            f"state={states[1]}",
            f"code={wrong}",
            f"state={wrong * 20}&code=c",
        ):
            await self.send("GET", f"{CALLBACK}?{query}")
        request = profile_service_pb2.CompleteAuthorizationRequest(state=wrong, code=wrong)
        await self.refused(self.profiles.CompleteAuthorization(request))
        registration = application_pb2.ProviderRegistration(
            provider="p",
            client_id="c",
            client_secret=self.run.secret("revoking"),
            revocation_uri="http://127.0.0.1:9/revoke",
        )
        create = application_service_pb2.CreateApplicationRequest(
            application=application_pb2.Application(name="A", provider=registration)
        )
        application = (await self.applications.CreateApplication(create, metadata=self.metadata)).application
        profile = profile_pb2.Profile(
            name="P", application_number=application.number, refresh_token=self.run.secret("revoked")
        )
        made = await self.profiles.CreateProfile(
            profile_service_pb2.CreateProfileRequest(profile=profile), metadata=self.metadata
        )
        delete = profile_service_pb2.DeleteProfileRequest(id=made.profile.id)
        reply = await self.profiles.DeleteProfile(delete, metadata=self.metadata)
        assert reply.revocation == profile_service_pb2.REVOCATION_PENDING

    async def misuse_over_rest(self) -> None:
        secret = self.run.secret("misused")
        profile = {"name": "P", "oauthAppId": self.application, "refreshToken": secret, "accessToken": secret}
        application = {"name": "A", "dataStore": 54, "clientId": "c", "clientSecret": secret}
        data = {"client_id": "c", "client_secret": secret, "token": secret}
        custom = {"name": "C", "provider": "p", "data": data}
        user = {"userName": "carl", "passwordInfo": {"password": secret}}
        odd = [{secret: secret}, [secret], f"{secret}\n", f"{secret}\x00", secret * 400, {"a": {"b": [secret]}}]
        bodies: list[tuple[str, dict[str, Any]]] = [
            *((PROFILES, {**profile, name: value}) for name in ("accessToken", "refreshToken") for value in odd),
            *((APPLICATIONS, {**application, "clientSecret": value}) for value in odd),
            *((CUSTOM_PROFILES, {**custom, "data": {**data, "token": value}}) for value in odd),
            *((CUSTOM_PROFILES, {**custom, "data": value}) for value in (secret, [secret])),
            *((USERS, {**user, "passwordInfo": {"password": value}}) for value in odd),
            # Secrets where something else belongs.
            *((PROFILES, {**profile, name: f"{secret}-"}) for name in ("name", "oauthAppId")),
            (PROFILES, {**profile, "oauthAppId": 999_999}),
            (APPLICATIONS, {**application, "dataStore": secret}),
            (APPLICATIONS, {**application, "authorizeURI": secret}),
            (APPLICATIONS, {**application, "tenantId": secret}),
            (USERS, {**user, "userName": "ann"}),
            (USERS, {**user, "userName": f"{secret}:"}),
            (USERS, {**user, "permissions": {"roles": [secret]}}),
            (USERS, {**user, "passwordInfo": {"password": secret, "passwordExpiration": secret}}),
            (USERS, {**user, "statusInfo": {"status": secret}}),
            (CUSTOM_PROFILES, {**custom, "name": {"": secret}}),
            (CONNECTIONS, {"name": "C", "provider": "p", "input": secret}),
            (CONNECTIONS, {"name": "C", "provider": "p", "folder_id": secret}),
        ]
        for path, body in bodies:
            await self.send("POST", path, body)
        good = json.dumps(profile)
        for text in (
            good[:-3],
            good + secret,
            good.replace('"name"', secret),
            f'"{secret}"',
            f"refreshToken={secret}",
            good[:-1] + ',"x":NaN}',
        ):
            await self.send("POST", PROFILES, data=text.encode())
        await self.send("POST", PROFILES, data=good.encode("utf-16"))
        await self.send("POST", PROFILES, data=good.encode() + b"\xff")
        await self.send("POST", PROFILES, data=good.replace("misused", "\\ud800", 1).encode())
        await self.send("POST", PROFILES, data=(good + secret * 40_000).encode())
        one = f"{PROFILES}/{self.profile}"
        await self.send("PUT", one, profile, If_Match=f'"{secret}"')
        await self.send("PUT", f"{PROFILES}/999999", profile)
        await self.send("POST", one, profile)
        await self.send("PUT", f"{CUSTOM_PROFILES}/999999", custom)
        for query in (f"?access_token={secret}", f"?page={secret}", f"?force={secret}", f"?tenantId={secret}"):
            for path in (CUSTOM_PROFILES, f"{CUSTOM_PROFILES}/{self.custom}", APPLICATIONS):
                await self.send(
                    "DELETE" if path.endswith(str(self.custom)) and "force" in query else "GET", path + query
                )
        await self.send("GET", f"/unknown/{secret}")
        for authorization in (
            basic("admin", secret),
            basic(secret, secret),
            f"Bearer {secret}",
            f"Digest {secret}",
            f"Basic {secret}",
            secret,
        ):
            for path in (PROFILES, CUSTOM_PROFILES):
                await self.send("GET", path, Authorization=authorization)
        for name in (
            "Cookie",
            "X_Api_Key",
            "X_User_Token",
            "Content_Type",
            "traceparent",
            "tracestate",
            "Content_Encoding",
        ):
            await self.send("POST", CUSTOM_PROFILES, data=None, **{name: secret})
        head = "GET / HTTP/1.1\r\nHost: x\r\n"
        for raw in (
            f"Authorization: Bearer {secret}\x00",
            f"Authorization: Bearer {secret * 200}",
            f"Bad {secret}: x",
            secret,
        ):
            await self.raw(f"{head}{raw}\r\n\r\n")

    async def misuse_over_grpc(self) -> None:
        secret, metadata = self.run.secret("misused"), self.metadata
        credentials = profile_pb2.ClientCredentials(client_id="c", client_secret=f"{secret}\n")
        for profile in (
            profile_pb2.Profile(name="P", provider="p", client=credentials),
            profile_pb2.Profile(name="P", application_number=999_999, refresh_token=secret),
            profile_pb2.Profile(name="P", application_number=self.application, refresh_token=secret * 400),
            profile_pb2.Profile(name="", application_number=self.application, access_token=secret),
        ):
            request = profile_service_pb2.CreateProfileRequest(profile=profile)
            await self.refused(self.profiles.CreateProfile(request, metadata=metadata))
        update = profile_service_pb2.UpdateProfileRequest(
            profile=profile_pb2.Profile(id=self.profile, access_token=secret), etag=secret
        )
        await self.refused(self.profiles.UpdateProfile(update, metadata=metadata))
        for listing in (
            profile_service_pb2.ListProfilesRequest(page_token=secret),
            profile_service_pb2.ListProfilesRequest(filter=f'refresh_token = "{secret}"'),
            profile_service_pb2.ListProfilesRequest(filter=f'"{secret}'),
        ):
            await self.refused(self.profiles.ListProfiles(listing, metadata=metadata))
        request = profile_service_pb2.CreateProfileRequest(request_id=secret)
        await self.refused(self.profiles.CreateProfile(request, metadata=metadata))
        registration = application_pb2.ProviderRegistration(provider="p", client_id="c", client_secret=secret)
        application = application_pb2.Application(name="A", provider=registration)
        create = application_service_pb2.CreateApplicationRequest(application=application, client_secret=secret)
        await self.refused(self.applications.CreateApplication(create, metadata=metadata))
        user = directory_pb2.User(username="ann", password=secret)
        await self.refused(
            self.directory.CreateUser(directory_service_pb2.CreateUserRequest(user=user), metadata=metadata)
        )
        for authorization in (basic("admin", secret), f"Bearer {secret}", f"Digest {secret}"):
            listing = profile_service_pb2.ListProfilesRequest()
            await self.refused(self.profiles.ListProfiles(listing, metadata=(("authorization", authorization),)))


async def columns_of(url: str) -> dict[str, bytes]:
    """Returns every column of every table of a PostgreSQL database."""
    connection = await asyncpg.connect(url.replace("postgresql+asyncpg", "postgresql"))
    stored: dict[str, bytes] = {}
    try:
        tables = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        for (table,) in tables:
            for row in await connection.fetch(f'SELECT * FROM "{table}"'):  # noqa: S608 - the names are our own
                for column, value in row.items():
                    name = f"{table}.{column}"
                    text = value if isinstance(value, bytes) else str(value).encode()
                    stored[name] = stored.get(name, b"") + b"\n" + text
    finally:
        await connection.close()
    return stored


async def drive(run: Run, product: Product) -> None:
    async with (
        aiohttp.ClientSession() as session,
        grpc.aio.insecure_channel(product.addresses["gRPC"]) as channel,
    ):
        driver = Driver(run, product, session, channel)
        await driver.store_over_rest()
        await driver.use_tokens()
        await driver.hook_over_grpc()
        await driver.store_over_grpc()
        await driver.consent()
        await driver.misuse_over_rest()
        await driver.misuse_over_grpc()
        async with session.get(f"http://{product.addresses['metrics']}/metrics") as response:
            run.metrics = await response.read()


@pytest.fixture(scope="module")
async def empty_database(postgres_template: PostgresTemplate) -> AsyncIterator[str]:
    name = f"canary_{uuid.uuid4().hex}"
    await postgres_template.run(f"CREATE DATABASE {name}")
    yield postgres_template.url_of(name)
    await postgres_template.run(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="module", params=BACKENDS)
async def run(request: pytest.FixtureRequest, empty_database: str, tmp_path_factory: pytest.TempPathFactory) -> Run:
    directory: Path = tmp_path_factory.mktemp("product")
    run = Run(new_mark())
    environment = {
        "ALMONER_BOOTSTRAP_ADMIN_PASSWORD": run.secret("admin-password"),
        "ALMONER_BOOTSTRAP_API_TOKEN": run.secret("admin-token"),
        "ALMONER_REST_LISTEN": "127.0.0.1:0",
        "ALMONER_GRPC_LISTEN": "127.0.0.1:0",
        "ALMONER_METRICS_LISTEN": "127.0.0.1:0",
        "ALMONER_LOG_LEVEL": "debug",
        "ALMONER_LOG_FORMAT": "json",
        "ALMONER_ACCESS_LOG": "true",
    }
    if request.param == "postgresql":
        environment["ALMONER_DATABASE_URL"] = empty_database
        assert await (await start(directory, environment, "migrate")).wait() == 0
    async with serving(directory, environment) as run.product:
        await drive(run, run.product)
        if request.param == "sqlite":
            run.stored = {path.name: path.read_bytes() for path in (directory / "data").iterdir()}
        else:
            run.stored = await columns_of(empty_database)
            run.stored |= {path.name: path.read_bytes() for path in (directory / "data").iterdir()}
    return run


def test_the_run_did_what_it_was_to_do(run: Run) -> None:
    returned = b"".join(run.returned)
    for name in ("client-secret", "other-secret", "access-token", "refresh-token", "another-token"):
        assert run.secret(name).encode() in returned
    assert len(run.generated) == 12
    assert all(token.encode() in returned for token in run.generated[:5])
    assert all(run.generated)
    assert set(run.statuses) >= {200, 201, 400, 401, 404, 405, 409, 412, 413}
    assert max(run.statuses) < 500
    assert len(run.refusals) >= 12


def test_no_answer_holds_it_where_none_should(run: Run) -> None:
    assert [(what, found) for what, answer in run.answers if (found := found_in(answer, run.marks))] == []


def test_no_refusal_over_grpc_holds_it(run: Run) -> None:
    assert [(what, found) for what, told in run.refusals if (found := found_in(told, run.marks))] == []


def test_no_log_holds_it(run: Run) -> None:
    assert run.product is not None
    lines = run.product.logs.splitlines()
    assert len(lines) > 100
    assert all(json.loads(line) for line in lines)
    assert [line for line in lines if found_in(line, run.marks)] == []


def test_standard_output_does_not_hold_what_the_operator_chose(run: Run) -> None:
    assert run.product is not None
    assert found_in(run.product.output, run.marks) == []


def test_no_span_holds_it(run: Run) -> None:
    assert run.product is not None
    assert b"/almoner.v1.ProfileService/CreateProfile" in run.product.spans
    assert found_in(run.product.spans, run.marks) == []


def test_no_metric_holds_it(run: Run) -> None:
    assert b"almoner_rpc_duration_seconds" in run.metrics
    assert found_in(run.metrics, run.marks) == []


def test_nothing_stored_holds_it(run: Run) -> None:
    assert any(b"grant.replay" in content for content in run.stored.values())
    assert any(b"profile.create" in content for content in run.stored.values())
    assert {name: found for name, content in run.stored.items() if (found := found_in(content, run.marks))} == {}


@pytest.mark.parametrize("form", list(forms_of(new_mark())))
def test_the_search_finds_every_form(form: str) -> None:
    mark = new_mark()

    assert any(form in found for found in found_in(b"x" + forms_of(mark)[form] + b"y", [mark]))


@pytest.mark.parametrize("before", ["", "a", "ab", "admin:", "user:pass"])
def test_the_search_finds_basic_credentials(before: str) -> None:
    mark = new_mark()
    user, _, password = before.partition(":")

    assert found_in(basic(user, f"{password}{mark}{before}").encode(), [mark])
