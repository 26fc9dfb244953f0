# SPDX-License-Identifier: Apache-2.0
"""The `almoner` command: finds the subcommand, imports what that one needs, and turns its failures into one line.

Together with service.command the only place that knows both the service and the gateway.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module
from typing import TYPE_CHECKING, Final, NamedTuple

from service.command.failures import CommandError, UsageError
from service.command.parsing import CommandParser

if TYPE_CHECKING:
    from collections.abc import Sequence


class _Command(NamedTuple):
    module: str
    help: str


_COMMANDS: Final = {
    "serve": _Command(
        "service.command.serve", "Run the whole product in one process: the gRPC service and its gateway."
    ),
    "serve-grpc": _Command("service.command.serve_grpc", "Run the gRPC service alone."),
    "serve-gateway": _Command("service.command.serve_gateway", "Run the REST gateway alone, before a gRPC service."),
    "migrate": _Command("service.command.migrate", "Bring the database to the schema of this release."),
    "users": _Command("service.command.users", "Create, list, change and delete users."),
    "roles": _Command("service.command.roles", "Create, list and delete roles."),
    "orgs": _Command("service.command.orgs", "Create, list and delete organizations."),
    "tokens": _Command("service.command.tokens", "Create, list and revoke API tokens."),
    "keys": _Command("service.command.keys", "List and rotate the keys that seal stored secrets."),
    "audit": _Command("service.command.audit", "List the audit trail and verify that nobody changed it."),
    "export": _Command("service.command.export_house", "Write the house, or some organizations of it, to a file."),
    "import": _Command("service.command.import_house", "Make a house of such a file, in a database that is empty."),
    "healthcheck": _Command("service.command.healthcheck", "Ask the server of this machine whether it is ready."),
}

_EPILOG: Final = """\
The commands beside serve* and healthcheck work on the database and the keyring themselves, so they need no password,
only the files, and may be used while servers run. `almoner COMMAND --help` says more about each.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command and returns its exit code: 0 done, 1 failed, 2 used or set up wrongly."""
    arguments = sys.argv[1:] if arguments is None else arguments
    options = _parser(arguments).parse_args(arguments)
    try:
        code: int = options.run(options)
        sys.stdout.flush()
    except UsageError as error:
        return _failed(error, 2)
    except CommandError as error:
        return _failed(error, 1)
    except BrokenPipeError:
        # Whoever read the output has seen enough. Python would complain again when it flushes at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        return 130
    return code


def _parser(arguments: Sequence[str]) -> CommandParser:
    """Returns the parser; of the subcommands only the one that is used gets its arguments, since that imports it."""
    parser = CommandParser(
        prog="almoner",
        description="Almoner keeps OAuth applications and profiles, and decides who may use them.",
        epilog=_EPILOG,
    )
    parser.add_argument("--version", action="store_const", const=_version, dest="run", help="print the version")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required="--version" not in arguments[:1])
    for name, command in _COMMANDS.items():
        chosen = commands.add_parser(name, help=command.help, description=command.help)
        if name in arguments[:1]:
            import_module(command.module).configure(chosen)
    return parser


def _version(_options: object) -> int:
    from importlib.metadata import version  # noqa: PLC0415 - slow, and of use here only

    print(f"almoner {version('almoner')}")
    return 0


def _failed(error: Exception, code: int) -> int:
    print(f"almoner: {error}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
