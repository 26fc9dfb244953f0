# SPDX-License-Identifier: Apache-2.0
"""`almoner tokens`: API tokens, which let their bearer be a user."""

from __future__ import annotations

from typing import TYPE_CHECKING

from service.clock import SECOND, system_clock
from service.command import output
from service.command.parsing import add_actions, duration

if TYPE_CHECKING:
    import argparse

    from almoner.v1.directory_pb2 import ApiToken
    from service.command.administration import Directory
    from service.command.parsing import CommandParser


def configure(parser: CommandParser) -> None:
    """Adds the actions."""
    add = add_actions(parser)
    listing = add("list", "List the API tokens. Their values are not stored.", _list)
    listing.add_argument("--user", metavar="NAME", help="only those of this user")
    output.add_json(listing)
    creation = add("create", "Make an API token and print it, this once.", _create)
    creation.add_argument("--user", metavar="NAME", required=True, help="whom its bearer is")
    creation.add_argument("--name", metavar="TEXT", required=True, help="what it is for")
    creation.add_argument(
        "--expires", metavar="DURATION", type=duration, help="when it ends: 12h, 30d; default: when it is revoked"
    )
    output.add_json(creation)
    revocation = add("revoke", "End an API token at once.", _revoke)
    revocation.add_argument("id", metavar="ID", type=int, help="which (see almoner tokens list)")


def _list(options: argparse.Namespace) -> int:
    from almoner.v1.directory_service_pb2 import ListApiTokensRequest, ListUsersRequest  # noqa: PLC0415 - slow
    from service.command.administration import administer, every, user  # noqa: PLC0415

    async def action(directory: Directory) -> None:
        of_user = f"user_id = {(await user(directory, options.user)).id}" if options.user else ""
        found = await every(
            directory.ListApiTokens, ListApiTokensRequest, "api_tokens", organization_id="-", filter=of_user
        )
        users = await every(directory.ListUsers, ListUsersRequest, "users", organization_id="-")
        names = {each.id: each.username for each in users}
        shown = [_row(each, names.get(each.user_id, "")) for each in found]
        output.rows(shown, ("id", "user", "name", "expire_time", "create_time"), as_json=options.json)

    return administer(options, action)


def _create(options: argparse.Namespace) -> int:
    from almoner.v1.directory_pb2 import ApiToken  # noqa: PLC0415 - slow: not for --help
    from almoner.v1.directory_service_pb2 import CreateApiTokenRequest  # noqa: PLC0415
    from service.command.administration import administer, user  # noqa: PLC0415
    from service.rpc.times import to_timestamp  # noqa: PLC0415

    async def action(directory: Directory) -> None:
        owner = await user(directory, options.user)
        expires = system_clock() + options.expires * SECOND if options.expires else 0
        wanted = ApiToken(user_id=owner.id, name=options.name, expire_time=to_timestamp(expires))
        reply = await directory.CreateApiToken(CreateApiTokenRequest(api_token=wanted))
        made = reply.api_token
        row = {**_row(made, owner.username), "token": reply.token}
        done = f"API token {made.id} of {owner.username} was made; it is shown this once:"
        output.made(row, done, as_json=options.json, once=reply.token)

    return administer(options, action)


def _revoke(options: argparse.Namespace) -> int:
    from almoner.v1.directory_service_pb2 import RevokeApiTokenRequest  # noqa: PLC0415 - slow: not for --help
    from service.command.administration import administer  # noqa: PLC0415

    async def action(directory: Directory) -> None:
        await directory.RevokeApiToken(RevokeApiTokenRequest(id=options.id))
        output.note(f"API token {options.id} was revoked")

    return administer(options, action)


def _row(token: ApiToken, username: str) -> output.Row:
    return {
        "id": token.id,
        "user": username,
        "user_id": token.user_id,
        "name": token.name,
        "expire_time": output.time(token.expire_time),
        "create_time": output.time(token.create_time),
    }
