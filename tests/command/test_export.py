# SPDX-License-Identifier: Apache-2.0
"""`almoner export`: what is in the file, what is not, and where the file is."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import pytest

from service.storage.migrate import HEAD
from tests.canary.marks import found_in, new_mark
from tests.command.transfers import settings_of
from tests.service.transfer.house import contents_of, furnish

if TYPE_CHECKING:
    from tests.command.processes import Almoner


def lines_of(data: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in data.splitlines()]


async def test_it_is_a_header_a_line_for_each_row_and_a_footer(started_on: Almoner) -> None:
    await furnish(settings_of(started_on))
    file = started_on.directory / "house.jsonl"

    result = started_on.run("export", "--output", str(file), "--log-level", "warning")

    header, *rows, footer = lines_of(file.read_bytes())
    stored = await contents_of(settings_of(started_on))
    assert result == (0, "", f"exported: {len(rows)} rows of 20 tables\n")
    assert (header["almoner_export"], header["schema"], header["secrets"]) == (1, HEAD, "sealed")
    assert footer["rows"] == {name: len(stored[name]) for name in footer["rows"]}
    assert footer["sha256"] == hashlib.sha256(file.read_bytes().rpartition(b'{"rows"')[0]).hexdigest()
    assert {row.pop("table") for row in rows} == stored.keys() - {"audit_events", "audit_seals"}
    assert [row["username"] for row in rows if "username" in row] == [each["username"] for each in stored["users"]]
    assert file.stat().st_mode & 0o777 == 0o600
    event = (await contents_of(settings_of(started_on)))["audit_events"][-1]
    assert (event["actor"], event["action"]) == ("operator", "server.export")


def test_it_goes_to_standard_output_and_nothing_else_does(started: Almoner) -> None:
    result = started.run("export", "--log-level", "warning")

    header, *rows, footer = lines_of(result.stdout.encode())
    assert header["almoner_export"] == 1
    assert len(rows) == sum(footer["rows"].values())
    assert result.stderr == f"exported: {len(rows)} rows of 7 tables\n"


def test_a_file_is_replaced_by_a_whole_one_or_not_at_all(started: Almoner) -> None:
    file = started.directory / "house.jsonl"
    file.write_text("an older one")

    failed = started.run("export", "--output", str(file), "--organization", "7", "--log-level", "warning")
    assert (failed.returncode, failed.stderr) == (1, "almoner: there is no organization 7\n")
    assert file.read_text() == "an older one"

    started.done("export", "--output", str(file))
    assert "rows" in lines_of(file.read_bytes())[-1]
    assert not list(started.directory.glob(".house*"))


def test_a_file_that_cannot_be_written_is_one_line(started: Almoner) -> None:
    result = started.run("export", "--output", "nowhere/house.jsonl", "--log-level", "warning")
    line = "almoner: nowhere/house.jsonl cannot be written: No such file or directory\n"
    assert (result.returncode, result.stderr) == (1, line)


@pytest.mark.parametrize("flags", [("--organization", "1"), ("--secrets", "omit")])
def test_a_part_of_the_audit_trail_is_none(started: Almoner, flags: tuple[str, ...]) -> None:
    result = started.run("export", "--audit", *flags)
    assert result.returncode == 2
    assert result.stderr.startswith("almoner: --audit takes the whole trail along")


# --- Secrets ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("secrets", ["sealed", "omit"])
def test_no_secret_is_in_it_in_the_clear(started: Almoner, secrets: str) -> None:
    mark = new_mark()
    with started.serving() as server:
        application = {"name": "app", "dataStore": 54, "clientId": "client", "clientSecret": f"s{mark}"}
        made = server.send("POST", "/api/mgmt/oauthapps", application).body
        profile = {"name": "p", "oauthAppId": made["id"], "accessToken": f"a{mark}", "refreshToken": f"r{mark}"}
        assert server.send("POST", "/api/mgmt/oauthprofiles", profile).status in {200, 201}
        started.done("users", "create", "jane", "--password-stdin", stdin=f"p{mark}")
        login = {"username": "jane", "password": f"p{mark}", "client_id": "almoner", "scope": "any"}
        assert server.send("POST", "/vedauth/authorize/oauth", login).status in {200, 400}
    token = started.rows("tokens", "create", "--user", "jane", "--name", "t")["token"]
    file = started.directory / "house.jsonl"

    started.done("export", "--output", str(file), "--secrets", secrets, *(("--audit",) if secrets == "sealed" else ()))

    data = file.read_bytes()
    assert b'"username":"jane"' in data
    assert found_in(data, [mark, token.removeprefix("almoner_")]) == []


async def test_without_secrets_neither_seals_nor_digests_are_read(started_on: Almoner) -> None:
    await furnish(settings_of(started_on))
    file = started_on.directory / "house.jsonl"

    started_on.done("export", "--output", str(file), "--secrets", "omit")

    rows = lines_of(file.read_bytes())[1:-1]
    tables = {row["table"] for row in rows}
    assert not tables & {"api_tokens", "grants", "used_refresh_tokens", "device_authorizations", "request_replies"}
    secrets = {
        (row["table"], name): row[name]
        for row in rows
        for name in row
        if name.endswith(("digest", "_token")) or name == "client_secret"
    }
    kept = secrets.pop(("application_secrets", "digest"))
    assert kept.startswith("$argon2id$"), "a client that has secrets does not become a public one"
    assert secrets.pop(("users", "password_digest")) == ""
    assert set(secrets.values()) == {None}


# --- Organizations ----------------------------------------------------------------------------------------------------


def test_an_organization_comes_with_the_first_one_and_without_the_others(started: Almoner) -> None:
    for name in ("Wanted", "Other"):
        started.done("orgs", "create", name)
    for name, number in (("jane", "2"), ("joe", "3")):
        started.done("users", "create", name, "--org", number, "--role", "User", "--no-password")
        started.done("tokens", "create", "--user", name, "--name", "t")
    wanted = started.rows("orgs", "list")[1]["id"]
    file = started.directory / "house.jsonl"

    started.done("export", "--output", str(file), "--organization", wanted)

    header, *rows, _ = lines_of(file.read_bytes())
    assert header["organizations"] == [2]
    assert header["last_numbers"]["organizations"] == 3, "numbers of the others are not given again"
    assert [row["display_name"] for row in rows if row["table"] == "organizations"] == ["System", "Wanted"]
    users = {row["id"]: row["username"] for row in rows if row["table"] == "users"}
    assert list(users.values()) == ["admin", "jane"]
    for table in ("role_bindings", "api_tokens"):
        assert [users[row["user_id"]] for row in rows if row["table"] == table] == ["admin", "jane"]
