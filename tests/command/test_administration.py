# SPDX-License-Identifier: Apache-2.0
"""People and what they may, set up with the files alone while a server runs, and the trail that it leaves."""

from __future__ import annotations

import json
import sqlite3
from typing import TYPE_CHECKING

import pytest

from tests.command.processes import basic

if TYPE_CHECKING:
    from tests.command.processes import Almoner

KEYRING = json.dumps(
    {"version": 1, "root": "A" * 43 + "=", "active": 1, "keys": [{"id": 1, "key": "A" * 43 + "=", "created": 0}]}
)
PROFILES = "/api/mgmt/oauthprofiles"


def test_people_are_set_up_while_a_server_runs(started: Almoner) -> None:
    with started.serving() as server:
        organization = started.rows("orgs", "create", "Acme")
        assert organization["number"] == 2
        assert {row["id"] for row in started.rows("orgs", "list")} >= {organization["id"]}
        role = started.rows(
            *("roles", "create", "Reader", "--org", organization["id"]),
            *("--permission", "management-api", "--permission", "PROFILES_LIST"),
        )
        assert role["permissions"] == ["MANAGEMENT_API", "PROFILES_LIST"]

        made = started.run("users", "create", "alice", "--org", "2", "--role", "Reader")
        password = made.stdout.rstrip("\n")
        assert len(password) == 24, "the generated password, alone on standard output"
        assert made.stderr == "user alice was made, id 2; this password is shown this once:\n"
        assert server.get(PROFILES, authorization=basic("alice", password)).status == 200

        token = started.rows("tokens", "create", "--user", "alice", "--name", "ci", "--expires", "30d")
        assert server.get(PROFILES, authorization=f"Bearer {token['token']}").status == 200
        started.done("tokens", "revoke", str(token["id"]))
        assert server.get(PROFILES, authorization=f"Bearer {token['token']}").status == 401

        started.done("users", "disable", "alice")
        assert server.get(PROFILES, authorization=basic("alice", password)).status == 401

    actions = [json.loads(line)["action"] for line in started.done("audit", "list").splitlines()]
    assert actions == [
        "server.bootstrap",
        "organization.create",
        "role.create",
        "user.create",
        "api_token.create",
        "api_token.revoke",
        "user.update",
    ]


def test_a_password_comes_from_standard_input_and_is_never_shown(started: Almoner) -> None:
    made = started.run("users", "create", "bob", "--password-stdin", stdin="correct horse\nbattery\n")
    assert (made.returncode, made.stdout) == (0, "")
    assert "correct horse" not in made.stderr
    nothing = started.run("users", "set-password", "bob", "--password-stdin", stdin="\n")
    assert nothing.returncode == 2
    assert nothing.stderr == "almoner: --password-stdin: there is no password on standard input\n"


@pytest.mark.parametrize(
    ("command", "line"),
    [
        (("users", "create", "carol", "--org", "7"), "there is no organization 7"),
        (("users", "create", "carol", "--role", "Cook"), "there is no role 'Cook' for organization 1"),
        (("users", "disable", "admin"), "the last administrator of the server stays one"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_what_the_rules_refuse_is_one_line_and_exit_code_1(
    started: Almoner, command: tuple[str, ...], line: str
) -> None:
    refused = started.run(*command)
    assert refused.returncode == 1
    assert refused.stdout == ""
    assert refused.stderr.startswith(f"almoner: {line}")
    assert refused.stderr.count("\n") == 1


def test_a_database_that_was_migrated_but_never_started_has_nobody_to_administer(new: Almoner) -> None:
    new.done("migrate")
    (new.directory / "data" / "keyring.json").write_text(KEYRING)
    result = new.run("users", "create", "early")
    assert result.returncode == 1
    assert result.stderr == (
        "almoner: the database sqlite:///data/almoner.db is empty: `almoner serve` must start on it first\n"
    )


def test_another_keyring_than_the_databases_is_refused(started: Almoner) -> None:
    (started.directory / "data" / "keyring.json").unlink()
    missing = started.run("keys", "list")
    assert (missing.returncode, missing.stderr) == (
        1,
        "almoner: keyring data/keyring.json: No such file or directory\n",
    )
    serve = started.run("serve", ALMONER_REST_LISTEN="127.0.0.1:0", ALMONER_GRPC_LISTEN="127.0.0.1:0")
    assert serve.returncode == 1
    assert "there is no keyring data/keyring.json" in serve.stderr
    assert not (started.directory / "data" / "keyring.json").exists()


def test_a_changed_audit_event_is_found(started: Almoner) -> None:
    with started.serving() as server:
        assert server.stop() == 0
    database = sqlite3.connect(started.directory / "data" / "almoner.db")
    with database:
        database.execute(
            "INSERT INTO audit_events SELECT 99, time, organization, actor_id, actor, subject_id, subject,"
            " action, resource, changes, request_id, 99 FROM audit_events WHERE id = 1"
        )
    database.close()
    broken = started.run("audit", "verify")
    assert broken.returncode == 1
    assert "the chain is broken at seal" in broken.stderr
