# SPDX-License-Identifier: Apache-2.0
"""`almoner keys`: a new key takes over while a server reads and writes what the old one sealed."""

from __future__ import annotations

import json
import threading
from http.client import HTTPConnection
from typing import TYPE_CHECKING, Any

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
