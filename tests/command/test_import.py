# SPDX-License-Identifier: Apache-2.0
"""`almoner import`: what comes out of one house is in the other, whatever happens on the way."""

from __future__ import annotations

import json
import shutil
import signal
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import text

from service.clock import system_clock
from service.crypto.keyring import Keyring
from service.profiles.tables import TokenState
from service.storage.migrate import HEAD
from tests.command.processes import Almoner, basic
from tests.command.transfers import empty_postgresql, house, killed_import, moved, settings_of
from tests.conftest import BACKENDS
from tests.databases import ADMIN_PASSWORD, ADMIN_TOKEN
from tests.service.transfer.house import contents_of, furnish, last_numbers_of, store_of, without_audit

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from tests.command.shell import Shell
    from tests.command.transfers import Lines
    from tests.databases import PostgresTemplate, SqliteTemplate, Template


@pytest.fixture
async def source(template: Template, tmp_path: Path, shell: Shell) -> AsyncIterator[Almoner]:
    """A house of each backend with rows in every table."""
    async with house(template, tmp_path / "source", shell) as command:
        await furnish(settings_of(command))
        yield command


@pytest.fixture
async def blank(postgres_template: PostgresTemplate) -> AsyncIterator[str]:
    """The URL of a PostgreSQL database where no server was started."""
    async with empty_postgresql(postgres_template) as url:
        yield url


@pytest.fixture(params=BACKENDS)
def target(request: pytest.FixtureRequest, tmp_path: Path, shell: Shell) -> Almoner:
    """A database of each backend where no server was started, without a keyring."""
    directory = tmp_path / "target"
    directory.mkdir()
    url = request.getfixturevalue("blank") if request.param == "postgresql" else None
    return Almoner(directory, shell, {"ALMONER_DATABASE_URL": url} if url else {})


@pytest.fixture
async def sqlite_source(sqlite_template: SqliteTemplate, tmp_path: Path, shell: Shell) -> AsyncIterator[Almoner]:
    """A house on SQLite with rows in every table."""
    async with house(sqlite_template, tmp_path / "source", shell) as command:
        await furnish(settings_of(command))
        yield command


@pytest.fixture
def sqlite_target(tmp_path: Path, shell: Shell) -> Almoner:
    """A directory with nothing in it."""
    directory = tmp_path / "target"
    directory.mkdir()
    return Almoner(directory, shell)


def exported(command: Almoner, *flags: str) -> Path:
    file = command.directory / "house.jsonl"
    command.done("export", "--output", str(file), *flags)
    return file


def give_keyring(source: Almoner, target: Almoner) -> None:
    (target.directory / "data").mkdir(mode=0o700, exist_ok=True)
    shutil.copy(source.directory / "data/keyring.json", target.directory / "data/keyring.json")


def refused(command: Almoner, file: Path, *flags: str) -> str:
    """Runs an import that must be refused, and returns what it says behind the name of the file."""
    result = command.run("import", str(file), *flags, "--log-level", "warning")
    assert result.returncode == 1
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1
    return result.stderr.removeprefix(f"almoner: {file}: ").rstrip("\n")


# --- There and back ---------------------------------------------------------------------------------------------------


async def test_every_row_of_every_table_is_there_and_numbers_go_on(source: Almoner, target: Almoner) -> None:
    file = exported(source)
    before, numbers = await contents_of(settings_of(source)), await last_numbers_of(settings_of(source))
    give_keyring(source, target)

    result = target.run("import", str(file), "--log-level", "warning")

    assert result == (0, "", f"imported: {sum(map(len, without_audit(before).values()))} rows of 20 tables\n")
    after = await contents_of(settings_of(target))
    assert without_audit(after) == without_audit(before)
    assert all(without_audit(before).values()), "no table was forgotten"
    went_on = await last_numbers_of(settings_of(target))
    assert went_on.pop("audit_events") == numbers.pop("audit_events") + 1
    assert went_on == numbers
    assert numbers["profiles"] == 5_000, "numbers of rows that are gone are not given again"
    (event,) = after["audit_events"]
    assert (event["actor"], event["action"], event["resource"]) == ("operator", "server.import", "organizations/1")
    assert json.loads(event["changes"])["rows"] == sum(map(len, without_audit(before).values()))


async def test_the_audit_trail_goes_along_when_asked_for(source: Almoner, target: Almoner) -> None:
    file = exported(source, "--audit")
    before = await contents_of(settings_of(source))
    give_keyring(source, target)

    target.done("import", str(file))

    after = await contents_of(settings_of(target))
    assert after["audit_events"][:-1] == before["audit_events"]
    assert after["audit_seals"] == before["audit_seals"] != []
    assert target.done("audit", "verify").endswith("the chain is whole\n")


async def test_a_house_is_served_after_the_move(
    sqlite_template: SqliteTemplate, tmp_path: Path, shell: Shell, sqlite_target: Almoner
) -> None:
    profile = {"name": "moved", "oauthAppId": 0, "accessToken": "access", "refreshToken": "refresh"}
    application = {"name": "app", "dataStore": 54, "clientId": "client", "clientSecret": "of the client"}
    async with house(sqlite_template, tmp_path / "source", shell) as source:
        with source.serving() as server:
            made = server.send("POST", "/api/mgmt/oauthapps", application).body
            profile["oauthAppId"] = made["id"]
            profile_id = server.send("POST", "/api/mgmt/oauthprofiles", profile).body["id"]
            file = exported(source)  # while it serves
        give_keyring(source, sqlite_target)

    sqlite_target.done("import", str(file))

    with sqlite_target.serving() as server:
        assert server.get(f"/api/mgmt/oauthprofiles/{profile_id}").body["accessToken"] == "access"
        assert server.get("/api/mgmt/oauthapps", authorization=f"Bearer {ADMIN_TOKEN}").status == 200
        again = server.send("POST", "/api/mgmt/oauthprofiles", {**profile, "name": "next"}).body
        assert again["id"] == profile_id + 1


# --- kill -9 ----------------------------------------------------------------------------------------------------------


async def test_an_import_that_is_killed_goes_on_where_it_was(sqlite_source: Almoner, target: Almoner) -> None:
    file = exported(sqlite_source, "--audit")
    before = await contents_of(settings_of(sqlite_source))
    give_keyring(sqlite_source, target)

    assert killed_import(target, file, 9) == -signal.SIGKILL
    halfway = await contents_of(settings_of(target))
    assert 0 < sum(map(len, halfway.values())) < sum(map(len, before.values()))
    assert killed_import(target, file, 5, "--resume") == -signal.SIGKILL
    assert sum(map(len, (await contents_of(settings_of(target))).values())) > sum(map(len, halfway.values()))
    target.done("import", str(file), "--resume")

    after = await contents_of(settings_of(target))
    assert after["audit_events"].pop()["action"] == "server.import"
    assert after == before
    again = target.run("import", str(file), "--resume", "--log-level", "warning")
    assert (again.returncode, again.stderr) == (0, "the file was imported already\n")


async def test_nobody_is_served_from_a_part_of_a_house(sqlite_source: Almoner, sqlite_target: Almoner) -> None:
    file = exported(sqlite_source)
    give_keyring(sqlite_source, sqlite_target)
    assert killed_import(sqlite_target, file, 9) == -signal.SIGKILL

    line = (
        "almoner: an import into the database sqlite:///data/almoner.db is not finished: `almoner import --resume` goes "
        "on\n"
    )
    assert sqlite_target.run("serve", "--log-level", "warning").stderr == line
    assert sqlite_target.run("users", "list", "--log-level", "warning").stderr == line
    assert refused(sqlite_target, file) == (
        "an import was begun and not finished: go on with --resume, or empty the database"
    )
    other = moved(file, lambda lines: lines[-2].update(used=1), sqlite_source.directory / "data/keyring.json")
    assert refused(sqlite_target, other, "--resume") == "the import that was begun is of another file"


# --- What is refused --------------------------------------------------------------------------------------------------


def cut(data: bytes) -> bytes:
    return data[: len(data) // 2]


def last_line_cut(data: bytes) -> bytes:
    return data[:-20]


def last_line_gone(data: bytes) -> bytes:
    return data[: data.rindex(b"\n", 0, -1) + 1]


def one_line_gone(data: bytes) -> bytes:
    lines = data.splitlines(keepends=True)
    return b"".join(lines[:5] + lines[6:])


def one_letter_changed(data: bytes) -> bytes:
    return data.replace(b"System Administrator", b"System administrator")


NO_END = "the file has no end: it was cut off"
DIFFERS = "the file is not what was written: its digest differs"


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (cut, NO_END),
        (last_line_cut, NO_END),
        (last_line_gone, NO_END),
        (one_line_gone, DIFFERS),
        (one_letter_changed, DIFFERS),
        (lambda _: b"", "line 1: was cut off"),
        (lambda _: b'{"a": 1}\n', "line 1: no header of an export: Object missing required field `almoner_export`"),
    ],
)
async def test_a_damaged_file_is_refused_before_anything_is_made(
    damage: Callable[[bytes], bytes], said: str, sqlite_source: Almoner, sqlite_target: Almoner
) -> None:
    file = exported(sqlite_source)
    file.write_bytes(damage(file.read_bytes()))

    assert refused(sqlite_target, file) == said
    assert not (sqlite_target.directory / "data").exists()


def user(lines: Lines) -> dict[str, Any]:
    return next(line for line in lines if line.get("username") == "admin")


OLD = (
    f"the file was written at schema 0001, and this release has {HEAD}: import it with the release that wrote it, and "
    "migrate then"
)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            lambda lines: lines[0].update(almoner_export=2),
            "line 1: the file has format 2, and this release reads format 1",
        ),
        (
            lambda lines: lines[0].update(schema="0001"),
            OLD,
        ),
        (lambda lines: lines[0].update(secrets="clear"), "line 1: secrets is neither sealed nor omit"),
        (lambda lines: lines[2].update(number="2"), "line 3: Expected `int`, got `str` - at `$.number`"),
        (lambda lines: lines[2].update(colour=1), "line 3: Object contains unknown field `colour`"),
        (lambda lines: lines[2].pop("disabled"), "line 3: Object missing required field `disabled`"),
        (lambda lines: lines[2].update(table="facts"), "line 3: Invalid value 'facts' - at `$.table`"),
        (
            lambda lines: lines[3].update(number=1),
            "line 4: the database refuses the row: UNIQUE constraint failed: organizations.number",
        ),
        (
            lambda lines: lines.pop(-2),
            "the file does not have as many rows as its last line says",
        ),
    ],
)
async def test_a_wrong_line_is_named(
    change: Callable[[Lines], object], said: str, sqlite_source: Almoner, sqlite_target: Almoner
) -> None:
    give_keyring(sqlite_source, sqlite_target)
    file = moved(exported(sqlite_source), change, sqlite_source.directory / "data/keyring.json")

    assert refused(sqlite_target, file) == said


async def test_a_row_that_the_database_refuses_is_named_without_its_values(
    sqlite_source: Almoner, target: Almoner
) -> None:
    give_keyring(sqlite_source, target)
    numbers: list[int] = []

    def twice(lines: Lines) -> None:
        other = next(n for n, line in enumerate(lines) if line.get("table") == "users" and line["id"] != 1)
        lines[other]["username"] = "admin"
        numbers.append(other + 1)

    said = refused(target, moved(exported(sqlite_source), twice, sqlite_source.directory / "data/keyring.json"))

    assert said.startswith(f"line {numbers[0]}: the database refuses the row: ")
    assert "username" in said
    assert "(admin)" not in said


async def test_a_file_that_somebody_else_has_changed_is_refused(
    sqlite_source: Almoner, sqlite_target: Almoner, tmp_path: Path
) -> None:
    """Whoever has no keyring can make the digest anew, and nothing more."""
    give_keyring(sqlite_source, sqlite_target)
    Keyring.open_or_create(tmp_path / "other.json", system_clock)

    file = moved(exported(sqlite_source), lambda lines: user(lines).update(locked=True), tmp_path / "other.json")

    assert refused(sqlite_target, file) == "the file was changed by somebody who does not have the keyring"
    assert not (sqlite_target.directory / "data/almoner.db").exists()


async def test_sealed_secrets_need_their_keyring(sqlite_source: Almoner, sqlite_target: Almoner) -> None:
    file = exported(sqlite_source)
    assert "keyring data/keyring.json: No such file or directory" in sqlite_target.run("import", str(file)).stderr

    there = Keyring.open_or_create(sqlite_target.directory / "data/keyring.json", system_clock).fingerprint
    here = Keyring.open(sqlite_source.directory / "data/keyring.json").fingerprint

    assert refused(sqlite_target, file) == (
        f"the secrets in the file are sealed with keyring {here}, and this house has {there}: put that keyring in its "
        "place first"
    )
    assert not (sqlite_target.directory / "data/almoner.db").exists()


async def test_a_house_where_a_server_was_started_is_refused(source: Almoner) -> None:
    before = await contents_of(settings_of(source))

    said = refused(source, exported(source))

    assert said.endswith(" in the database already: an import needs one that no server was started on")
    assert without_audit(await contents_of(settings_of(source))) == without_audit(before)


def test_a_file_that_is_not_there_is_named(sqlite_target: Almoner) -> None:
    result = sqlite_target.run("import", "nowhere")
    assert (result.returncode, result.stderr) == (1, "almoner: nowhere cannot be read: No such file or directory\n")


# --- Without secrets --------------------------------------------------------------------------------------------------


async def test_without_secrets_another_house_starts_with_a_keyring_of_its_own(
    sqlite_source: Almoner, target: Almoner
) -> None:
    file = exported(sqlite_source, "--secrets", "omit")
    before = await contents_of(settings_of(sqlite_source))

    target.done("import", str(file))

    after = await contents_of(settings_of(target))
    assert all(not each["password_digest"] for each in after["users"])
    assert [each["name"] for each in after["profiles"]] == [each["name"] for each in before["profiles"]]
    for name in ("client_secret", "access_token", "refresh_token", "verification_token"):
        assert {each[name] for each in after["profiles"]} == {None}
    assert {each["token_state"] for each in after["profiles"]} == {TokenState.NEEDS_CONSENT}
    gone = {"api_tokens", "grants", "used_refresh_tokens", "device_authorizations", "request_replies", "webhooks"}
    gone |= {"authorizations", "revocations"}
    assert {name for name, rows in after.items() if not rows and before[name]} == gone | {"audit_seals"}


async def test_without_secrets_nobody_gets_in_until_a_password_is_set(
    sqlite_template: SqliteTemplate, tmp_path: Path, shell: Shell, sqlite_target: Almoner
) -> None:
    async with house(sqlite_template, tmp_path / "source", shell) as source:
        file = exported(source, "--secrets", "omit")
    sqlite_target.done("import", str(file))

    with sqlite_target.serving() as server:
        for authorization in (basic("admin", ADMIN_PASSWORD), basic("admin", ""), f"Bearer {ADMIN_TOKEN}"):
            assert server.get("/api/mgmt/oauthapps", authorization=authorization).status == 401
        sqlite_target.done("users", "set-password", "admin", "--password-stdin", stdin="another password")
        assert server.get("/api/mgmt/oauthapps", authorization=basic("admin", "another password")).status == 200


# --- Organizations ----------------------------------------------------------------------------------------------------


async def test_a_part_of_a_house_refers_to_nothing_that_stayed_behind(source: Almoner, target: Almoner) -> None:
    settings = settings_of(source)
    whole = await contents_of(settings)
    one, other = [each for each in whole["profiles"] if each["application_number"]]
    async with store_of(settings) as store:
        await store.write(
            lambda tx: tx.execute(
                text("UPDATE profiles SET application_number = :number WHERE id = :id"),
                {"number": other["application_number"], "id": one["id"]},
            )
        )
    give_keyring(source, target)

    file = exported(source, "--organization", str(one["organization"]))
    target.done("import", str(file))

    part = await contents_of(settings_of(target))
    assert {each["organization"] for each in part["users"]} == {1, one["organization"]}
    assert part["profiles"] == [], "the profile's application is of the other organization"
    assert [each["profile_id"] for each in part["profile_links"]] == [], "and so does its link"
