# SPDX-License-Identifier: Apache-2.0
"""`almoner keys`: new keys take over while servers work with the old ones."""

from __future__ import annotations

import json
import threading
from datetime import datetime, timedelta
from http.client import HTTPConnection
from typing import TYPE_CHECKING, Any

import pytest

from tests.command.processes import PATIENCE, basic, until
from tests.databases import ADMIN_PASSWORD

if TYPE_CHECKING:
    from tests.command.processes import Almoner

PROFILES = "/api/mgmt/oauthprofiles"
APPLICATION = {"name": "app", "dataStore": 54, "clientId": "client", "clientSecret": "of the client"}
HEADERS = {"Authorization": basic("admin", ADMIN_PASSWORD), "Content-Type": "application/json"}


def send(connection: HTTPConnection, method: str, path: str, body: object = None) -> Any:
    connection.request(method, path, None if body is None else json.dumps(body), HEADERS)
    reply = connection.getresponse()
    answer = reply.read()
    assert reply.status in {200, 201}, (method, path, reply.status, answer)
    return json.loads(answer)


def test_a_new_key_takes_over_while_a_server_reads_and_writes(started_on: Almoner) -> None:
    with started_on.serving() as server:
        connection = HTTPConnection(server.rest, timeout=PATIENCE)
        application = send(connection, "POST", "/api/mgmt/oauthapps", APPLICATION)
        profile = {"name": "first", "oauthAppId": application["id"], "refreshToken": "refresh", "accessToken": "access"}
        ids = [send(connection, "POST", PROFILES, {**profile, "name": f"p{n}"})["id"] for n in range(3)]
        written: list[str] = []
        rotated = threading.Event()

        def write() -> None:
            own = HTTPConnection(server.rest, timeout=PATIENCE)
            while not rotated.is_set():
                token = f"token {len(written)}"
                send(own, "PUT", f"{PROFILES}/{ids[0]}", {**profile, "accessToken": token})
                written.append(token)
            own.close()

        writer = threading.Thread(target=write)
        writer.start()
        try:
            until(lambda: len(written) > 3, "it writes")
            shown = started_on.run("keys", "rotate")
        finally:
            rotated.set()
            writer.join(PATIENCE)
        assert shown.returncode == 0
        assert shown.stdout.startswith("key 2 is the active one now\nsealed again with key 2: ")
        assert "sealing again: " in shown.stderr

        assert send(connection, "GET", f"/api/mgmt/oauthapps/{application['id']}")["clientSecret"] == "of the client"
        assert send(connection, "GET", f"{PROFILES}/{ids[0]}")["accessToken"] == written[-1]
        for number in ids:
            assert send(connection, "GET", f"{PROFILES}/{number}")["refreshToken"] == "refresh"
        connection.close()

    keys = {key["id"]: key for key in started_on.rows("keys", "list")}
    # Two tokens of each profile, and the secret of the application.
    assert (keys[1]["active"], keys[1]["sealed_values"]) == (False, 0)
    assert (keys[2]["active"], keys[2]["sealed_values"]) == (True, 7)
    young = started_on.run("keys", "prune")
    assert young.stdout == "removed: none; kept: 1, 2\n"
    assert young.stderr == "key 1 stays until the active one is a minute old: servers may still use it\n"


def test_a_signing_key_takes_over_without_a_restart(started_on: Almoner) -> None:
    (first,) = started_on.rows("keys", "list-signing")
    assert (first["algorithm"], first["state"], first["drop_time"]) == ("ES256", "signs", None)

    with started_on.serving() as server:
        shown = started_on.done("keys", "rotate-signing", "--token-signing-algorithm", "rs256")
        first, second = started_on.rows("keys", "list-signing")
        assert shown == f"key {second['kid']} (RS256) is published now, and signs from {second['sign_time']}\n"
        assert (first["state"], second["state"]) == ("signs", "waits")
        assert after(second["create_time"], second["sign_time"]) == timedelta(minutes=10)
        assert after(second["sign_time"], first["drop_time"]) == timedelta(minutes=305)

        started_on.done("keys", "rotate-signing", "--activate-in", "0s", "--overlap", "1h")
        *_, third = started_on.rows("keys", "list-signing")
        assert after(third["create_time"], third["sign_time"]) == timedelta(seconds=2)
        until(lambda: states(started_on) == ["verifies", "verifies", "signs"], "the third key signs")

        started_on.done("keys", "rotate-signing", "--activate-in", "0s", "--overlap", "0s")
        until(lambda: states(started_on) == ["dropped", "dropped", "dropped", "signs"], "the fourth key signs alone")
        started_on.done("keys", "rotate-signing")
        assert states(started_on) == ["signs", "waits"], "what is dropped leaves the file with the next rotation"
        assert server.get("/readyz").status == 200

    events = [event for event in audited(started_on) if event["action"] == "keyring.rotate_signing"]
    assert [event["changes"]["signing_key"] for event in events[:2]] == [
        [first["kid"], second["kid"]],
        [first["kid"], third["kid"]],
    ]
    assert {event["actor"] for event in events} == {"operator"}


def test_servers_that_start_on_an_old_keyring_give_it_one_signing_key(started: Almoner) -> None:
    path = started.directory / "data" / "keyring.json"
    contents = json.loads(path.read_text())
    del contents["signing_keys"]
    path.write_text(json.dumps(contents))
    assert started.rows("keys", "list-signing") == []

    with started.serving("serve", "--workers", "2", ALMONER_TOKEN_SIGNING_ALGORITHM="EdDSA"):
        (made,) = started.rows("keys", "list-signing")

    assert (made["algorithm"], made["state"]) == ("EdDSA", "signs")
    with started.serving():
        assert started.rows("keys", "list-signing") == [made], "another setting waits for the next rotation"


def test_a_keyring_that_cannot_be_written_does_without_a_signing_key(started: Almoner) -> None:
    path = started.directory / "data" / "keyring.json"
    contents = json.loads(path.read_text())
    del contents["signing_keys"]
    # So long a name that there is no longer one for the file which is to replace it.
    long = path.with_name(250 * "k")
    long.write_text(json.dumps(contents))

    with started.serving("serve", "--keyring-file", str(long)) as server:
        assert server.get("/readyz").status == 200
        assert "keyring.no_signing_key" in server.log

    refused = started.run("keys", "rotate-signing", "--keyring-file", str(long))
    assert (refused.returncode, "cannot be written: File name too long" in refused.stderr) == (1, True)


@pytest.mark.parametrize("flag", ["--activate-in", "--overlap"])
@pytest.mark.parametrize("given", ["soon", "-1s", "10", ""])
def test_what_is_no_duration_is_refused(new: Almoner, flag: str, given: str) -> None:
    refused = new.run("keys", "rotate-signing", f"{flag}={given}")

    assert refused.returncode == 2
    assert f"{given!r} is not a duration" in refused.stderr


def states(almoner: Almoner) -> list[str]:
    return [key["state"] for key in almoner.rows("keys", "list-signing")]


def after(start: str, end: str) -> timedelta:
    return datetime.fromisoformat(end) - datetime.fromisoformat(start)


def audited(almoner: Almoner) -> list[Any]:
    return [json.loads(line) for line in almoner.done("audit", "list").splitlines()]
