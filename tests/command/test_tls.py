# SPDX-License-Identifier: Apache-2.0
"""TLS on both listeners, over real connections: certificates, their renewal, client certificates, and refusals."""

from __future__ import annotations

import asyncio
import ssl
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, cast

import grpc
import pytest
import uvloop
from cryptography.hazmat.primitives import serialization
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1._async import HealthServicer

from almoner.v1.directory_service_pb2 import WhoAmIRequest
from almoner.v1.directory_service_pb2_grpc import DirectoryServiceStub
from gateway.app import create_app
from gateway.call import Call, Reply
from gateway.problem import PROBLEM
from gateway.routing import Dialect, Route
from gateway.runner import Runner
from service.clock import system_clock
from service.command import listening
from service.command.certificates import Files, ensure
from service.command.failures import UsageError
from service.command.tls import PemFile, Tls
from service.local_channel import LocalChannel
from tests.command.processes import PATIENCE, until
from tests.command.tls_connections import client_certificate, connected, der, replace, shown_by, trusting
from tests.databases import ADMIN_TOKEN

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from tests.command.processes import Almoner

PROFILES = "/api/mgmt/oauthprofiles"


@pytest.fixture
def make(tmp_path: Path) -> Callable[[str], Files]:
    """Makes a certificate of an authority of its own."""
    return lambda name: ensure(tmp_path / name, system_clock)


@pytest.fixture
def files(make: Callable[[str], Files]) -> Files:
    """The certificate that is served."""
    return make("served")


def tls_of(files: Files, client_ca: Path | None = None) -> Tls:
    return Tls(
        PemFile("ALMONER_TLS_CERTIFICATE_FILE", files.certificate),
        PemFile("ALMONER_TLS_KEY_FILE", files.key),
        None if client_ca is None else PemFile("ALMONER_TLS_CLIENT_CA_FILE", client_ca),
    )


async def show_peer(call: Call[None, None, None]) -> Reply:
    transport = call.request.transport
    assert transport is not None
    certificate = transport.get_extra_info("ssl_object").getpeercert(binary_form=True)
    return Reply(certificate.hex() if certificate else "none")


PEER = Dialect(
    name="peer",
    title="Peer",
    prefixes=("/peer",),
    routes=(Route("GET", "/peer", show_peer, "The certificate of the client", "none", reply=str, anonymous=True),),
    errors=PROBLEM,
)
"""Shows what a handler can know of its client."""


@asynccontextmanager
async def rest(tls: Tls) -> AsyncIterator[str]:
    """A gateway that listens with TLS; yields its address."""
    runner = Runner(create_app(cast("grpc.aio.Channel", LocalChannel(())), dialects=(PEER,)), shutdown_timeout=0)
    await runner.setup()
    try:
        yield await listening.listen_rest(runner, "127.0.0.1:0", share=False, context=tls.context)
    finally:
        await runner.cleanup()


class TestRest:
    @pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "::1"])
    async def test_the_self_signed_certificate_is_for_every_name_of_this_machine(self, files: Files, name: str) -> None:
        async with rest(tls_of(files)) as address, connected(address, trusting(files.ca), name) as connection:
            head, _ = await connection.get("/healthz")
            assert head.startswith("http/1.1 200 ")
            assert "strict-transport-security" not in head

    async def test_it_speaks_http_1_1_to_clients_that_ask(self, files: Files) -> None:
        context = trusting(files.ca)
        context.set_alpn_protocols(["h2", "http/1.1"])
        async with rest(tls_of(files)) as address, connected(address, context) as connection:
            assert connection.ssl.selected_alpn_protocol() == "http/1.1"

    @pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
    async def test_nothing_older_than_tls_1_2_is_spoken(self, files: Files) -> None:
        context = trusting(files.ca)
        context.set_ciphers("DEFAULT:@SECLEVEL=0")  # without this, the client itself would refuse
        context.minimum_version = ssl.TLSVersion.TLSv1
        async with rest(tls_of(files)) as address:
            context.maximum_version = ssl.TLSVersion.TLSv1_2
            async with connected(address, context) as connection:
                assert connection.ssl.version() == "TLSv1.2"
            context.maximum_version = ssl.TLSVersion.TLSv1_1
            with pytest.raises((ssl.SSLError, ConnectionError)):
                await shown_by(address, context)


class TestRenewal:
    async def test_new_connections_get_the_new_certificate_and_open_ones_stay(
        self, files: Files, make: Callable[[str], Files]
    ) -> None:
        tls, new, old_ca = tls_of(files), make("new"), trusting(files.ca)
        async with rest(tls) as address, connected(address, old_ca) as before:
            await before.get("/healthz")
            replace(files, new)
            tls.look()
            assert await shown_by(address, old_ca), "the files may still be changing"
            tls.look()
            assert await shown_by(address, trusting(new.ca)) == der(new.certificate)
            head, _ = await before.get("/healthz")
            assert head.startswith("http/1.1 200 ")

    @pytest.mark.parametrize("spoil", ["certificate", "key", "both", "missing"])
    async def test_files_that_cannot_be_used_change_nothing_and_good_ones_later_do(
        self, files: Files, make: Callable[[str], Files], spoil: str
    ) -> None:
        tls, new, old = tls_of(files), make("new"), der(files.certificate)
        old_ca = trusting(files.ca)
        if spoil == "missing":
            files.key.unlink()
        if spoil in {"certificate", "both"}:
            files.certificate.write_bytes(b"half of a ")
        if spoil in {"key", "both"}:
            files.key.write_bytes(new.key.read_bytes())
        async with rest(tls) as address:
            for _ in range(3):
                tls.look()
                assert await shown_by(address, old_ca) == old
            replace(files, new)
            tls.look()
            tls.look()
            assert await shown_by(address, trusting(new.ca)) == der(new.certificate)

    async def test_grpc_follows_likewise(self, files: Files, make: Callable[[str], Files]) -> None:
        tls, new, old_ca = tls_of(files), make("new"), files.ca.read_bytes()
        server = grpc.aio.server()
        health_pb2_grpc.add_HealthServicer_to_server(HealthServicer(), server)
        address = listening.listen_grpc(server, "127.0.0.1:0", tls)
        await server.start()
        try:
            async with grpc.aio.secure_channel(address, grpc.ssl_channel_credentials(old_ca)) as before:
                assert await is_serving(before)
                replace(files, new)
                tls.look()
                tls.look()
                trusted = grpc.ssl_channel_credentials(new.ca.read_bytes())
                async with grpc.aio.secure_channel(address, trusted) as after:
                    assert await is_serving(after)
                assert await is_serving(before), "a new connection could not be: it trusts the old authority"
                files.certificate.write_bytes(b"")
                tls.look()
                tls.look()
                context = trusting(new.ca)
                context.set_alpn_protocols(["h2"])
                assert await shown_by(address, context) == der(new.certificate)
        finally:
            await server.stop(None)


async def is_serving(channel: grpc.aio.Channel) -> bool:
    stub = health_pb2_grpc.HealthStub(channel)
    reply = await stub.Check(health_pb2.HealthCheckRequest(), timeout=PATIENCE)  # type: ignore[attr-defined]  # the published types leave it out
    return bool(reply.status == health_pb2.HealthCheckResponse.SERVING)


class TestClientCertificates:
    """On uvloop, as the server runs."""

    def test_a_handler_sees_the_one_that_was_verified_and_none_is_needed(
        self, files: Files, make: Callable[[str], Files], tmp_path: Path
    ) -> None:
        clients = make("clients")
        certificate = client_certificate(clients, tmp_path / "client.pem")

        async def ask() -> None:
            async with rest(tls_of(files, clients.ca)) as address:
                context = trusting(files.ca)
                async with connected(address, context) as connection:
                    assert (await connection.get("/peer"))[1] == b'"none"'
                context.load_cert_chain(tmp_path / "client.pem")
                async with connected(address, context) as connection:
                    _, body = await connection.get("/peer")
                    assert body.decode() == f'"{certificate.hex()}"'

        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(ask())

    def test_one_of_another_authority_is_refused(
        self, files: Files, make: Callable[[str], Files], tmp_path: Path
    ) -> None:
        client_certificate(make("others"), tmp_path / "client.pem")

        async def ask() -> None:
            async with rest(tls_of(files, make("clients").ca)) as address:
                context = trusting(files.ca)
                context.load_cert_chain(tmp_path / "client.pem")
                with pytest.raises((OSError, asyncio.IncompleteReadError)):
                    async with connected(address, context) as connection:
                        await connection.get("/peer")

        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(ask())


class TestRefusals:
    @pytest.mark.parametrize(
        ("setting", "content", "problem"),
        [
            ("ALMONER_TLS_CERTIFICATE_FILE", None, "cannot be read: No such file or directory"),
            ("ALMONER_TLS_CERTIFICATE_FILE", b"nonsense", "is no PEM certificate"),
            ("ALMONER_TLS_KEY_FILE", None, "cannot be read: No such file or directory"),
            ("ALMONER_TLS_KEY_FILE", b"nonsense", "is no PEM key"),
            ("ALMONER_TLS_CLIENT_CA_FILE", None, "cannot be read: No such file or directory"),
            ("ALMONER_TLS_CLIENT_CA_FILE", b"nonsense", "is no PEM certificate"),
        ],
    )
    def test_a_file_that_cannot_be_used_is_named_with_its_setting(
        self, files: Files, setting: str, content: bytes | None, problem: str
    ) -> None:
        path = {
            "ALMONER_TLS_CERTIFICATE_FILE": files.certificate,
            "ALMONER_TLS_KEY_FILE": files.key,
            "ALMONER_TLS_CLIENT_CA_FILE": files.ca,
        }[setting]
        path.unlink() if content is None else path.write_bytes(content)
        with pytest.raises(UsageError) as raised:
            tls_of(files, files.ca)
        assert str(raised.value) == f"{setting}: {path} {problem}"

    def test_a_key_of_another_certificate_is_refused(self, files: Files, make: Callable[[str], Files]) -> None:
        files.key.write_bytes(make("another").key.read_bytes())
        with pytest.raises(UsageError, match=r"^ALMONER_TLS_KEY_FILE: .* is not the key of the certificate in "):
            tls_of(files)

    def test_a_key_with_a_password_is_refused(self, files: Files) -> None:
        key = serialization.load_pem_private_key(files.key.read_bytes(), password=None)
        files.key.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.BestAvailableEncryption(b"geheim"),
            )
        )
        with pytest.raises(UsageError, match=r"^ALMONER_TLS_KEY_FILE: .* has a password"):
            tls_of(files)

    @pytest.mark.parametrize("workers", ["1", "2"])
    @pytest.mark.parametrize("command", [("serve",), ("serve-gateway", "--service", "localhost:1")])
    def test_a_server_says_so_in_one_line_and_makes_nothing(
        self, new: Almoner, files: Files, command: tuple[str, ...], workers: str
    ) -> None:
        files.key.write_bytes(b"nonsense")
        result = new.run(
            *command,
            ALMONER_WORKERS=workers,
            ALMONER_REST_LISTEN="127.0.0.1:0",
            ALMONER_GRPC_LISTEN="127.0.0.1:0",
            ALMONER_REST_TLS_LISTEN="127.0.0.1:0",
            ALMONER_TLS_CERTIFICATE_FILE=str(files.certificate),
            ALMONER_TLS_KEY_FILE=str(files.key),
        )
        assert (result.returncode, result.stdout) == (2, "")
        assert result.stderr == f"almoner: ALMONER_TLS_KEY_FILE: {files.key} is no PEM key\n"
        assert not (new.directory / "data").exists()

    @pytest.mark.parametrize("workers", ["1", "2"])
    def test_a_gateway_wants_to_know_whom_it_can_trust(self, new: Almoner, files: Files, workers: str) -> None:
        command = ("serve-gateway", "--service", "localhost:1", "--service-ca-file", str(files.key))
        result = new.run(*command, ALMONER_WORKERS=workers, ALMONER_REST_LISTEN="127.0.0.1:0")
        assert (result.returncode, result.stdout) == (2, "")
        assert result.stderr == f"almoner: ALMONER_SERVICE_CA_FILE: {files.key} is no PEM certificate\n"


class TestServing:
    async def test_workers_share_both_listeners_with_a_certificate_that_they_made(self, started: Almoner) -> None:
        any_ports = {"ALMONER_REST_TLS_LISTEN": "127.0.0.1:0", "ALMONER_GRPC_TLS_LISTEN": "127.0.0.1:0"}
        with started.serving("serve", "--tls-self-signed", "--workers", "2", **any_ports) as server:
            assert "  TLS CA     data/tls/ca.crt  " in server.output
            assert server.get("/readyz").status == 200, "REST without TLS goes on"
            ca = started.directory / "data" / "tls" / "ca.crt"
            for _ in range(8):
                async with connected(server.rest_tls, trusting(ca)) as connection:
                    assert (await connection.get("/readyz"))[1] == b'{"status":"ready"}'
            credentials = grpc.ssl_channel_credentials(ca.read_bytes())
            async with grpc.aio.secure_channel(server.grpc_tls, credentials) as channel:
                metadata = (("authorization", f"Bearer {ADMIN_TOKEN}"),)
                reply = await DirectoryServiceStub(channel).WhoAmI(WhoAmIRequest(), metadata=metadata, timeout=PATIENCE)
                assert reply.user.username == "admin"
            async with connected(server.rest_tls, trusting(ca)) as idle:
                await idle.get("/readyz")
                assert server.stop() == 0, "a connection that is idle holds nothing up"

    async def test_a_gateway_speaks_tls_to_a_service_and_both_follow_their_files(
        self, started: Almoner, files: Files, make: Callable[[str], Files]
    ) -> None:
        certificate = {
            "ALMONER_TLS_CERTIFICATE_FILE": str(files.certificate),
            "ALMONER_TLS_KEY_FILE": str(files.key),
        }
        new = make("new")
        (started.directory / "service-ca.crt").write_bytes(files.ca.read_bytes())
        with (
            started.serving("serve-grpc", ALMONER_GRPC_TLS_LISTEN="127.0.0.1:0", **certificate) as service,
            started.serving(
                "serve-gateway",
                "--service",
                service.grpc_tls,
                "--service-ca-file",
                "service-ca.crt",
                ALMONER_REST_TLS_LISTEN="127.0.0.1:0",
                **certificate,
            ) as gateway,
        ):
            assert gateway.get(PROFILES).status == 200
            replace(files, new)
            until(lambda: "tls.reloaded" in service.log and "tls.reloaded" in gateway.log, "they have noticed")
            assert await shown_by(gateway.rest_tls, trusting(new.ca)) == der(new.certificate)
            assert gateway.get(PROFILES).status == 200, "the connection to the service stayed"
            assert gateway.stop() == 0
            assert service.stop() == 0
