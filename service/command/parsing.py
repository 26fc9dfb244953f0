# SPDX-License-Identifier: Apache-2.0
"""Arguments: a parser that complains in one line, flags for settings, and values that are not plain text.

The settings are imported only when a command has flags for them.
"""

from __future__ import annotations

import argparse
import re
from typing import TYPE_CHECKING, Final, NoReturn, Protocol

from typing_extensions import override

from service.command.failures import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Container

    from service.settings import Setting, Settings

DATABASE: Final = frozenset({"data_dir", "database_url", "keyring_file", "log_level", "log_format"})
"""Settings of every command that opens the database."""

_METAVARS: Final = {
    "rest_listen": "HOST:PORT",
    "grpc_listen": "HOST:PORT",
    "metrics_listen": "HOST:PORT",
    "rest_tls_listen": "HOST:PORT",
    "grpc_tls_listen": "HOST:PORT",
    "rpc_timeout": "SECONDS",
    "shutdown_grace": "SECONDS",
    "provider_timeout": "SECONDS",
    "drain": "SECONDS",
    "workers": "N",
    "password_checks_waiting": "N",
    "postgres_pool_size": "N",
    "request_id_retention": "HOURS",
    "grant_retention": "HOURS",
    "change_retention": "HOURS",
}

_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_DURATION: Final = re.compile(r"([0-9]{1,9})([smhd])")


class CommandParser(argparse.ArgumentParser):
    """A parser whose complaint is one line, and which takes no abbreviations: scripts would depend on them."""

    def __init__(self, **options: object) -> None:
        defaults = {"allow_abbrev": False, "formatter_class": argparse.RawDescriptionHelpFormatter}
        super().__init__(**{**defaults, **options})  # type: ignore[arg-type]  # argparse's own many types

    @override
    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message} (see {self.prog} --help)\n")


class AddAction(Protocol):
    """Adds an action to a command."""

    def __call__(
        self,
        name: str,
        help_text: str,
        run: Callable[[argparse.Namespace], int],
        settings: frozenset[str] = DATABASE,
        /,
    ) -> CommandParser:
        """Returns the parser of the arguments of an action, given its name, its help, what runs it and its settings."""


def add_actions(parser: CommandParser) -> AddAction:
    """Gives a command actions, as in `almoner users create`, and returns what adds one."""
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)

    def add(
        name: str,
        help_text: str,
        run: Callable[[argparse.Namespace], int],
        settings: frozenset[str] = DATABASE,
        /,
    ) -> CommandParser:
        action = actions.add_parser(name, help=help_text, description=help_text)
        action.set_defaults(run=run)
        add_settings(action, settings)
        return action

    return add


def add_settings(parser: CommandParser, names: Container[str]) -> None:
    """Adds a flag for each of these settings, and a list of those that only the environment can give."""
    from service.settings import SETTINGS  # noqa: PLC0415 - see the module's docstring

    group = parser.add_argument_group(
        "settings", "Each is a flag, or a variable in the environment or in the file .env; the flag wins."
    )
    unflagged = []
    for setting in SETTINGS:
        if setting.name not in names:
            continue
        if setting.flag is None:
            unflagged.append(setting)
        elif setting.boolean:
            group.add_argument(
                setting.flag, dest=setting.name, action=argparse.BooleanOptionalAction, help=_help(setting)
            )
        else:
            group.add_argument(setting.flag, dest=setting.name, metavar=_metavar(setting), help=_help(setting))
    if unflagged:
        lines = [f"  {setting.env}\n      {setting.help} (default: {setting.default})" for setting in unflagged]
        parser.epilog = "variables without a flag, since other users see command lines:\n" + "\n".join(lines)


def settings_of(options: argparse.Namespace) -> Settings:
    """Returns the settings that flags, environment and .env file give.

    Raises:
        UsageError: one of them cannot be used.
    """
    from service.settings import SETTINGS, SettingsError, load_settings  # noqa: PLC0415 - see the module's docstring

    given = vars(options)
    try:
        return load_settings({setting.name: given.get(setting.name) for setting in SETTINGS})
    except SettingsError as error:
        raise UsageError(str(error)) from None


def duration(text: str) -> int:
    """Reads a number with a unit: 90s, 15m, 12h or 30d. Returns seconds, at least one."""
    seconds = duration_or_none(text)
    if not seconds:
        raise _no_duration(text)
    return seconds


def duration_or_none(text: str) -> int:
    """Reads a duration that may be none at all: 0s. Returns seconds."""
    match = _DURATION.fullmatch(text)
    if match is None:
        raise _no_duration(text)
    return int(match[1]) * _UNITS[match[2]]


def _no_duration(text: str) -> argparse.ArgumentTypeError:
    return argparse.ArgumentTypeError(f"{text!r} is not a duration such as 90s, 15m, 12h or 30d")


def _metavar(setting: Setting) -> str:
    """Returns what stands for the value: its choices, its unit, or the last word of the setting (FILE, DIR, URL)."""
    if setting.choices:
        return f"{{{','.join(setting.choices)}}}"
    return _METAVARS.get(setting.name) or setting.name.rpartition("_")[2].upper()


def _help(setting: Setting) -> str:
    return f"{setting.help} [{setting.env}, default: {setting.default}]".replace("%", "%%")
