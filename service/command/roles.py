# SPDX-License-Identifier: Apache-2.0
"""`almoner roles`: named sets of permissions."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from service.access.permissions import Permission
from service.command import output
from service.command.parsing import add_actions

if TYPE_CHECKING:
    from almoner.v1.directory_pb2 import Role
    from service.command.administration import Directory
    from service.command.parsing import CommandParser


def configure(parser: CommandParser) -> None:
    """Adds the actions."""
    add = add_actions(parser)
    listing = add("list", "List the roles; what each allows is in the JSON.", _list)
    listing.add_argument("--org", metavar="NUMBER|UUID", help="only those of this organization")
    output.add_json(listing)
    creation = add("create", "Make a role.", _create)
    creation.add_argument("name", metavar="NAME", help="what it is called")
    creation.add_argument(
        "--permission",
        dest="permissions",
        metavar="PERMISSION",
        action="append",
        default=[],
        type=_permission,
        help="what it allows; may be given several times",
    )
    creation.add_argument("--org", metavar="NUMBER|UUID", default="1", help="which it is for; 1: for all (the default)")
    creation.add_argument("--description", default="", metavar="TEXT", help="what it is for")
    creation.epilog = "permissions:\n" + "\n".join(f"  {permission.name}" for permission in Permission)
    output.add_json(creation)
    deletion = add("delete", "Delete a role. Whoever has it loses what it allowed.", _delete)
    deletion.add_argument("key", metavar="ID|NAME", help="which (see almoner roles list)")
    deletion.add_argument("--org", metavar="NUMBER|UUID", default="1", help="where to look for a NAME; default: 1")


def _list(options: argparse.Namespace) -> int:
    from almoner.v1.directory_service_pb2 import ListRolesRequest  # noqa: PLC0415 - slow: not for --help
    from service.command.administration import administer, every, organization_id  # noqa: PLC0415

    async def action(directory: Directory) -> None:
        place = await organization_id(directory, options.org)
        found = await every(directory.ListRoles, ListRolesRequest, "roles", organization_id=place)
        output.rows([_row(each) for each in found], ("id", "organization", "name", "description"), as_json=options.json)

    return administer(options, action)


def _create(options: argparse.Namespace) -> int:
    from almoner.v1.directory_pb2 import Role  # noqa: PLC0415 - slow: not for --help
    from almoner.v1.directory_service_pb2 import CreateRoleRequest  # noqa: PLC0415
    from service.command.administration import administer, organization  # noqa: PLC0415

    async def action(directory: Directory) -> None:
        wanted = Role(
            organization_id=(await organization(directory, options.org)).id,
            name=options.name,
            description=options.description,
            permissions=options.permissions,
        )
        made = (await directory.CreateRole(CreateRoleRequest(role=wanted))).role
        done = f"role {made.id}, {made.name}, was made for organization {made.organization_number}"
        output.made(_row(made), done, as_json=options.json)

    return administer(options, action)


def _delete(options: argparse.Namespace) -> int:
    from almoner.v1.directory_service_pb2 import DeleteRoleRequest  # noqa: PLC0415 - slow: not for --help
    from service.command.administration import administer, organization, role  # noqa: PLC0415

    async def action(directory: Directory) -> None:
        found = await role(directory, options.key, await organization(directory, options.org))
        await directory.DeleteRole(DeleteRoleRequest(id=found.id))
        output.note(f"role {found.id}, {found.name}, was deleted")

    return administer(options, action)


def _permission(text: str) -> int:
    permission = Permission.__members__.get(text.upper().replace("-", "_"))
    if permission is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no permission")
    return permission.value


def _row(role: Role) -> output.Row:
    return {
        "id": role.id,
        "organization": role.organization_number,
        "organization_id": role.organization_id,
        "name": role.name,
        "description": role.description,
        "permissions": [Permission(number).name for number in role.permissions],
        "built_in": role.built_in,
        "create_time": output.time(role.create_time),
        "update_time": output.time(role.update_time),
    }
