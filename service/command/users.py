# SPDX-License-Identifier: Apache-2.0
"""`almoner users`: people and service accounts."""

from __future__ import annotations

import getpass
import sys
from typing import TYPE_CHECKING

from service.command import output
from service.command.failures import UsageError
from service.command.parsing import add_actions

if TYPE_CHECKING:
    import argparse

    from almoner.v1.directory_pb2 import User
    from service.command.administration import Directory
    from service.command.parsing import CommandParser


def configure(parser: CommandParser) -> None:
    """Adds the actions."""
    add = add_actions(parser)
    listing = add("list", "List the users.", _list)
    listing.add_argument("--org", metavar="NUMBER|UUID", help="only those of this organization")
    output.add_json(listing)
    creation = add("create", "Make a user, with a generated password unless another one is given.", _create)
    _add_username(creation)
    creation.add_argument("--org", metavar="NUMBER|UUID", default="1", help="which they belong to; default: 1, System")
    creation.add_argument(
        "--role",
        dest="roles",
        metavar="NAME|ID",
        action="append",
        default=[],
        help="a role in their organization (see almoner roles list); may be given several times",
    )
    creation.add_argument("--display-name", default="", metavar="TEXT", help="their name, as people read it")
    creation.add_argument("--email", default="", metavar="ADDRESS", help="their address")
    choice = _add_password(creation)
    choice.add_argument("--no-password", action="store_true", help="no password: they log in with API tokens only")
    output.add_json(creation)
    replacing = add("set-password", "Give a user another password, generated unless it is given.", _set_password)
    _add_username(replacing)
    _add_password(replacing)
    output.add_json(replacing)
    _add_username(add("disable", "Keep a user from logging in, with whatever credential.", _disable))
    _add_username(add("enable", "Let a user log in again who was disabled.", _enable))
    deletion = add("delete", "Delete a user with their API tokens.", _delete)
    _add_username(deletion)
    deletion.add_argument("--cascade", action="store_true", help="delete the profiles that they own, too")


def _add_username(action: CommandParser) -> None:
    action.add_argument("username", metavar="NAME", help="the name that they log in with")


def _add_password(action: CommandParser) -> argparse._MutuallyExclusiveGroup:
    choice = action.add_mutually_exclusive_group()
    choice.add_argument(
        "--password-stdin", action="store_true", help="read the password from standard input, its first line"
    )
    return choice


def _list(options: argparse.Namespace) -> int:
    from almoner.v1.directory_service_pb2 import ListUsersRequest  # noqa: PLC0415 - slow: not for --help
    from service.command.administration import administer, every, organization_id  # noqa: PLC0415

    async def action(directory: Directory) -> None:
        place = await organization_id(directory, options.org)
        found = await every(directory.ListUsers, ListUsersRequest, "users", organization_id=place)
        columns = ("id", "username", "organization", "role_ids", "disabled", "display_name")
        output.rows([_row(each) for each in found], columns, as_json=options.json)

    return administer(options, action)


def _create(options: argparse.Namespace) -> int:
    from almoner.v1.directory_pb2 import User  # noqa: PLC0415 - slow: not for --help
    from almoner.v1.directory_service_pb2 import CreateUserRequest  # noqa: PLC0415
    from service.command.administration import administer, organization, role  # noqa: PLC0415

    given = "" if options.no_password else _password(options)
    generated = None if options.no_password or options.password_stdin else given

    async def action(directory: Directory) -> None:
        place = await organization(directory, options.org)
        wanted = User(
            organization_id=place.id,
            username=options.username,
            display_name=options.display_name,
            email=options.email,
            password=given,
            role_ids=[(await role(directory, key, place)).id for key in options.roles],
        )
        made = (await directory.CreateUser(CreateUserRequest(user=wanted))).user
        done = f"user {made.username} was made, id {made.id}"
        _tell(made, done, generated, options)

    return administer(options, action)


def _set_password(options: argparse.Namespace) -> int:
    from google.protobuf.field_mask_pb2 import FieldMask  # noqa: PLC0415 - slow: not for --help

    from almoner.v1.directory_pb2 import User  # noqa: PLC0415
    from almoner.v1.directory_service_pb2 import UpdateUserRequest  # noqa: PLC0415
    from service.command.administration import administer, user  # noqa: PLC0415

    given = _password(options)
    generated = None if options.password_stdin else given

    async def action(directory: Directory) -> None:
        found = await user(directory, options.username)
        wanted = User(id=found.id, password=given)
        request = UpdateUserRequest(user=wanted, update_mask=FieldMask(paths=["password"]))
        changed = (await directory.UpdateUser(request)).user
        _tell(changed, f"user {changed.username} has another password", generated, options)

    return administer(options, action)


def _disable(options: argparse.Namespace) -> int:
    return _set_disabled(options, disabled=True)


def _enable(options: argparse.Namespace) -> int:
    return _set_disabled(options, disabled=False)


def _set_disabled(options: argparse.Namespace, *, disabled: bool) -> int:
    from google.protobuf.field_mask_pb2 import FieldMask  # noqa: PLC0415 - slow: not for --help

    from almoner.v1.directory_pb2 import User  # noqa: PLC0415
    from almoner.v1.directory_service_pb2 import UpdateUserRequest  # noqa: PLC0415
    from service.command.administration import administer, user  # noqa: PLC0415

    async def action(directory: Directory) -> None:
        wanted = User(id=(await user(directory, options.username)).id, disabled=disabled)
        await directory.UpdateUser(UpdateUserRequest(user=wanted, update_mask=FieldMask(paths=["disabled"])))
        output.note(f"user {options.username} is {'disabled' if disabled else 'enabled'}")

    return administer(options, action)


def _delete(options: argparse.Namespace) -> int:
    from almoner.v1.directory_service_pb2 import DeleteUserRequest  # noqa: PLC0415 - slow: not for --help
    from service.command.administration import administer  # noqa: PLC0415

    async def action(directory: Directory) -> None:
        await directory.DeleteUser(DeleteUserRequest(username=options.username, cascade=options.cascade))
        output.note(f"user {options.username} was deleted")

    return administer(options, action)


def _password(options: argparse.Namespace) -> str:
    """Returns the password of standard input, asked for if that is a terminal, or a generated one."""
    if not options.password_stdin:
        from service.crypto.tokens import new_client_secret  # noqa: PLC0415 - slow: not for --help

        return new_client_secret()[:24]
    given = getpass.getpass() if sys.stdin.isatty() else sys.stdin.readline().rstrip("\r\n")
    if not given:
        raise UsageError("--password-stdin: there is no password on standard input")
    return given


def _tell(user: User, done: str, generated: str | None, options: argparse.Namespace) -> None:
    row = _row(user) if generated is None else {**_row(user), "password": generated}
    if generated is not None:
        done += "; this password is shown this once:"
    output.made(row, done, as_json=options.json, once=generated)


def _row(user: User) -> output.Row:
    return {
        "id": user.id,
        "username": user.username,
        "organization": user.organization_number,
        "organization_id": user.organization_id,
        "display_name": user.display_name,
        "email": user.email,
        "role_ids": list(user.role_ids),
        "disabled": user.disabled,
        "locked": user.locked,
        "password_set": user.password_set,
        "create_time": output.time(user.create_time),
        "update_time": output.time(user.update_time),
    }
