# SPDX-License-Identifier: Apache-2.0
"""What is said to whoever asks, or types something wrong. No database is touched."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from service.cli import main
from service.settings import SETTINGS

if TYPE_CHECKING:
    from tests.command.processes import Almoner

ACTIONS = {
    "users": ("list", "create", "set-password", "disable", "enable", "delete"),
    "roles": ("list", "create", "delete"),
    "orgs": ("list", "create", "delete"),
    "tokens": ("list", "create", "revoke"),
    "keys": ("list", "rotate", "reseal", "prune"),
    "audit": ("list", "verify"),
}
COMMANDS = [
    (),
    ("serve",),
    ("serve-grpc",),
    ("serve-gateway",),
    ("migrate",),
    ("export",),
    ("import",),
    ("healthcheck",),
    *((command, *action) for command, actions in ACTIONS.items() for action in ((), *((each,) for each in actions))),
]


@pytest.fixture(autouse=True)
def nothing_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("ALMONER_")]:
        monkeypatch.delenv(name)


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_everything_explains_itself(command: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([*command, "--help"])
    assert ended.value.code == 0
    shown = capsys.readouterr().out
    assert shown.startswith(f"usage: {' '.join(('almoner', *command))} ")


def test_the_help_of_serve_has_every_setting(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["serve", "--help"])
    shown = " ".join(capsys.readouterr().out.split())
    for setting in SETTINGS:
        assert setting.env in shown
        assert f"default: {setting.default}" in shown
        assert setting.flag is None or f"{setting.flag} " in shown


def test_the_version_is_the_packages(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == "almoner 0.1.0\n"


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ((), "almoner: the following arguments are required: COMMAND"),
        (("fly",), "almoner: argument COMMAND: invalid choice: 'fly'"),
        (("serve", "--fast"), "almoner: unrecognized arguments: --fast"),
        (("serve", "--work", "2"), "almoner: unrecognized arguments: --work 2"),
        (("serve", "--workers", "many"), "almoner: --workers: 'many': input should be a valid integer"),
        (("serve", "--workers", "0"), "almoner: --workers: '0': input should be greater than or equal to 1"),
        (("serve", "--rest-listen", "8080"), "almoner: --rest-listen: '8080' is not HOST:PORT"),
        (("serve", "--grpc-listen", "unix:"), "almoner: --grpc-listen: 'unix:' is not unix:PATH"),
        (("serve", "--grpc-listen", "unix:s", "--workers", "2"), "almoner: --grpc-listen: workers cannot share"),
        (("serve", "--log-level", "loud"), "almoner: --log-level: 'loud': input should be 'debug'"),
        (("serve", "--database-url", "mysql://u:geheim@h/d"), "almoner: --database-url: is neither sqlite"),
        (("serve-gateway",), "almoner serve-gateway: the following arguments are required: --service"),
        (("serve-gateway", "--service", "somewhere"), "almoner serve-gateway: argument --service: 'somewhere' is"),
        (("migrate", "--check", "--to", "base"), "almoner migrate: argument --to: not allowed with argument --check"),
        (("export", "--secrets", "clear"), "almoner export: argument --secrets: invalid choice: 'clear'"),
        (("import",), "almoner import: the following arguments are required: FILE"),
        (("users",), "almoner users: the following arguments are required: ACTION"),
        (("users", "create"), "almoner users create: the following arguments are required: NAME"),
        (("roles", "create", "r", "--permission", "fly"), "almoner roles create: argument --permission: 'fly' is no"),
        (("tokens", "create", "--user", "u"), "almoner tokens create: the following arguments are required: --name"),
        (
            ("tokens", "create", "--user", "u", "--name", "n", "--expires", "soon"),
            "almoner tokens create: argument --e",
        ),
        (("tokens", "revoke", "all"), "almoner tokens revoke: argument ID: invalid int value: 'all'"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_a_wrong_use_is_one_line_and_exit_code_2(
    arguments: tuple[str, ...], line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        code: object = main(arguments)
    except SystemExit as ended:
        code = ended.code
    said = capsys.readouterr()
    assert code == 2
    assert said.out == ""
    assert said.err.startswith(line)
    assert said.err.count("\n") == 1
    assert "geheim" not in said.err


@pytest.mark.parametrize(
    ("variable", "line"),
    [
        ("ALMONER_REST_LISTN=h:1", "ALMONER_REST_LISTN is not a setting; did you mean ALMONER_REST_LISTEN?"),
        ("ALMONER_DRAIN=-1", "ALMONER_DRAIN: '-1': input should be greater than or equal to 0"),
        ("ALMONER_BOOTSTRAP_API_TOKEN=kurz", "ALMONER_BOOTSTRAP_API_TOKEN: must have at least 8 characters"),
    ],
)
@pytest.mark.parametrize("where", ["environment", ".env"])
def test_a_wrong_variable_is_one_line_and_exit_code_2(
    variable: str, line: str, where: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    if where == "environment":
        monkeypatch.setenv(*variable.split("="))
    else:
        Path(".env").write_text(variable)
    assert main(["serve"]) == 2
    assert capsys.readouterr().err == f"almoner: {line}\n"
    assert not Path("data").exists()


def test_without_a_database_there_is_nothing_to_administer(new: Almoner) -> None:
    result = new.run("orgs", "list")
    assert result.returncode == 1
    assert result.stderr == "almoner: there is no database data/almoner.db: `almoner serve` makes it\n"
    assert not (new.directory / "data").exists()
