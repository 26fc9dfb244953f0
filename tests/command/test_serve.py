# SPDX-License-Identifier: Apache-2.0
"""`almoner serve` from its first start to its end."""

from __future__ import annotations

import re
import signal
import socket
import stat
import threading
import time
from http.client import HTTPConnection, HTTPResponse
from typing import TYPE_CHECKING
from urllib.request import urlopen

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from almoner.v1.directory_service_pb2 import WhoAmIRequest
from almoner.v1.directory_service_pb2_grpc import DirectoryServiceStub
from almoner.v1.profile_service_pb2 import WatchProfilesRequest
from almoner.v1.profile_service_pb2_grpc import ProfileServiceStub
from service.settings import host_and_port
from tests.command.processes import PATIENCE, basic, until
from tests.databases import ADMIN_PASSWORD, ADMIN_TOKEN

if TYPE_CHECKING:
    from tests.command.processes import Almoner, Server

PROFILES = "/api/mgmt/oauthprofiles"
SIGNALS = (signal.SIGTERM, signal.SIGINT)


def who_am_i(target: str, authorization: str) -> str:
    with grpc.insecure_channel(target) as channel:
        stub = DirectoryServiceStub(channel)
        reply = stub.WhoAmI(WhoAmIRequest(), metadata=(("authorization", authorization),), timeout=PATIENCE)
    return str(reply.user.username)


def shown(server: Server, name: str) -> str:
    match = re.search(rf"  {name} +(\S+)\n", server.output)
    assert match is not None, server.output
    return match[1]


def is_listening(address: str) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(host_and_port(address)) == 0


class TestTheFirstStart:
    def test_it_shows_credentials_that_work_over_rest_and_grpc_and_later_starts_show_none(self, new: Almoner) -> None:
        with new.serving() as first:
            password, token = shown(first, "Password"), shown(first, "API token")
            assert first.get(PROFILES, authorization=basic("admin", password)).status == 200
            assert first.get(PROFILES, authorization=f"Bearer {token}").status == 200
            assert who_am_i(first.grpc, basic("admin", password)) == "admin"
            assert who_am_i(first.grpc, f"Bearer {token}") == "admin"
            assert first.stop() == 0
            assert password not in first.log
            assert token not in first.log
        data = new.directory / "data"
        assert stat.S_IMODE(data.stat().st_mode) == 0o700, "nobody else may look into it"
        assert stat.S_IMODE((data / "keyring.json").stat().st_mode) == 0o600
        with new.serving() as second:
            assert "First start" not in second.output
            assert second.get(PROFILES, authorization=basic("admin", password)).status == 200

    def test_it_shows_none_that_the_operator_has_chosen(self, new: Almoner) -> None:
        chosen = {"ALMONER_BOOTSTRAP_ADMIN_PASSWORD": ADMIN_PASSWORD, "ALMONER_BOOTSTRAP_API_TOKEN": ADMIN_TOKEN}
        with new.serving(**chosen) as server:
            assert server.get(PROFILES).status == 200
            assert server.get(PROFILES, authorization=f"Bearer {ADMIN_TOKEN}").status == 200
            assert "First start: user admin was made" in server.output
            assert ADMIN_PASSWORD not in server.output + server.log
            assert ADMIN_TOKEN not in server.output + server.log

    def test_on_postgresql_it_wants_the_schema_made_first(self, new: Almoner, postgres_url: str) -> None:
        result = new.run("serve", ALMONER_DATABASE_URL=postgres_url, ALMONER_REST_LISTEN="127.0.0.1:0")
        assert result.returncode == 1
        assert result.stdout == ""
        assert result.stderr.endswith(" has no tables yet: run `almoner migrate`\n")
        assert result.stderr.count("\n") == 1


class TestTheBanner:
    def test_it_says_where_everything_is(self, started_on: Almoner) -> None:
        with started_on.serving() as server:
            assert server.output.startswith("Almoner 0.1.0 is ready.\n")
            assert server.get("/readyz").body == {"status": "ready"}
            assert is_listening(server.grpc)
            database = "postgresql://" if "postgresql" in str(started_on.environment) else "sqlite:///"
            assert f"  Database   {database}" in server.output
            assert "  Keys       data/keyring.json" in server.output


class TestListening:
    @pytest.mark.parametrize(("name", "workers"), [("REST", "2"), ("gRPC", "1")])
    def test_a_port_in_use_is_one_line_and_nothing_is_made(self, new: Almoner, name: str, workers: str) -> None:
        with socket.create_server(("127.0.0.1", 0), reuse_port=True) as taken:
            address = f"127.0.0.1:{taken.getsockname()[1]}"
            listen = {"ALMONER_REST_LISTEN": "127.0.0.1:0", "ALMONER_GRPC_LISTEN": "127.0.0.1:0"}
            result = new.run("serve", "--workers", workers, **{**listen, f"ALMONER_{name.upper()}_LISTEN": address})
        assert result.returncode == 1
        assert result.stderr == f"almoner: {name} cannot listen on {address}: address already in use\n"
        assert not (new.directory / "data").exists()

    def test_grpc_listens_on_a_socket_path_that_a_dead_process_left_and_on_none_that_is_used(
        self, started: Almoner
    ) -> None:
        target = f"unix:{started.directory}/s"
        with started.serving(ALMONER_GRPC_LISTEN=target) as server:
            second = started.run("serve", ALMONER_GRPC_LISTEN=target, ALMONER_REST_LISTEN="127.0.0.1:0")
            assert second.returncode == 1
            assert second.stderr == f"almoner: gRPC cannot listen on {target}: another process does\n"
            server.stop(signal.SIGKILL)
        with started.serving(ALMONER_GRPC_LISTEN=target):
            assert who_am_i(target, f"Bearer {ADMIN_TOKEN}") == "admin"

    def test_metrics_have_a_listener_of_their_own_where_one_is_wanted(self, started: Almoner) -> None:
        with started.serving("serve", "--metrics-listen", "127.0.0.1:0") as server:
            server.get(PROFILES)
            match = re.search(r"metrics +(http://\S+)", server.output)
            assert match is not None
            with urlopen(match[1], timeout=PATIENCE) as reply:  # noqa: S310 - the address is our own server's
                assert b"almoner_rpc_duration_seconds_count{" in reply.read()


class TestTheEnd:
    @pytest.mark.parametrize("number", SIGNALS)
    def test_it_finishes_the_request_that_runs_and_takes_no_other(self, started: Almoner, number: int) -> None:
        body = b'{"name": "Late"}'
        with started.serving() as server, socket.create_connection(host_and_port(server.rest)) as connection:
            head = (
                "POST /api/admin/tenants HTTP/1.1\r\nHost: almoner\r\nExpect: 100-continue\r\n"
                f"Authorization: {basic('admin', ADMIN_PASSWORD)}\r\nContent-Length: {len(body)}\r\n\r\n"
            )
            connection.sendall(head.encode())
            assert connection.recv(64).startswith(b"HTTP/1.1 100 ")
            server.process.send_signal(number)
            until(lambda: not is_listening(server.rest), "the listener is closed")
            assert server.process.poll() is None
            connection.sendall(body)
            reply = HTTPResponse(connection)
            reply.begin()
            assert reply.status == 201, reply.read()
            assert server.wait() == 0

    def test_a_watching_client_is_told_and_does_not_hold_it_up(self, started: Almoner) -> None:
        with started.serving(ALMONER_SHUTDOWN_GRACE="0.2") as server, grpc.insecure_channel(server.grpc) as channel:
            watch = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest())  # type: ignore[attr-defined]  # the published types leave it out
            assert next(watch).status == health_pb2.HealthCheckResponse.SERVING
            server.process.send_signal(signal.SIGTERM)
            assert next(watch).status == health_pb2.HealthCheckResponse.NOT_SERVING
            assert server.wait() == 0

    def test_a_client_that_watches_profiles_is_sent_away_and_does_not_hold_it_up(self, started: Almoner) -> None:
        with started.serving(ALMONER_SHUTDOWN_GRACE="30") as server, grpc.insecure_channel(server.grpc) as channel:
            credentials = (("authorization", f"Bearer {ADMIN_TOKEN}"),)
            watch = ProfileServiceStub(channel).WatchProfiles(WatchProfilesRequest(), metadata=credentials)
            assert next(watch).cursor
            begun = time.monotonic()
            assert server.stop(signal.SIGTERM) == 0
            assert time.monotonic() - begun < 20
            with pytest.raises(grpc.RpcError) as raised:
                next(watch)
            assert raised.value.code() == grpc.StatusCode.UNAVAILABLE

    def test_while_it_drains_it_answers_but_is_not_ready(self, started: Almoner) -> None:
        with started.serving(ALMONER_DRAIN="30") as server:
            server.process.send_signal(signal.SIGTERM)
            until(lambda: server.get("/readyz").status == 503, "it is not ready")
            assert server.get(PROFILES).status == 200
            assert server.stop(signal.SIGTERM) == 128 + signal.SIGTERM, "a second signal ends it at once"

    def test_what_was_answered_survives_a_kill(self, started: Almoner) -> None:
        made: list[str] = []
        with started.serving() as server:

            def write() -> None:
                connection = HTTPConnection(server.rest, timeout=PATIENCE)
                headers = {"Authorization": f"Bearer {ADMIN_TOKEN}", "Content-Type": "application/json"}
                try:
                    for number in range(100_000):
                        name = f"tenant-{number}"
                        connection.request("POST", "/api/admin/tenants", f'{{"name": "{name}"}}', headers)
                        reply = connection.getresponse()
                        assert reply.status == 201, reply.read()
                        reply.read()
                        made.append(name)
                except OSError:
                    pass
                finally:
                    connection.close()

            writer = threading.Thread(target=write)
            writer.start()
            until(lambda: len(made) > 20, "some were written")
            server.stop(signal.SIGKILL)
            writer.join(PATIENCE)
        with started.serving() as server:
            assert set(made) <= {tenant["name"] for tenant in server.get("/api/admin/tenants").body["tenants"]}
            assert "the chain is whole" in started.done("audit", "verify")
