# SPDX-License-Identifier: Apache-2.0
"""`almoner orgs`: organizations, to which everything else belongs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from service.command import output
from service.command.parsing import add_actions

if TYPE_CHECKING:
    import argparse

    from almoner.v1.directory_pb2 import Organization
    from service.command.administration import Directory
    from service.command.parsing import CommandParser


def configure(parser: CommandParser) -> None:
    """Adds the actions."""
    add = add_actions(parser)
    listing = add("list", "List the organizations: their numbers, and their GUIDs as the id.", _list)
    output.add_json(listing)
    creation = add("create", "Make an organization.", _create)
    creation.add_argument("name", metavar="NAME", help="what it is called")
    creation.add_argument("--description", default="", metavar="TEXT", help="what it is for")
    output.add_json(creation)
    deletion = add("delete", "Delete an organization that has no users, applications and profiles left.", _delete)
    deletion.add_argument("key", metavar="NUMBER|UUID", help="which (see almoner orgs list)")


def _list(options: argparse.Namespace) -> int:
    from almoner.v1.directory_service_pb2 import ListOrganizationsRequest  # noqa: PLC0415 - slow: not for --help
    from service.command.administration import administer, every  # noqa: PLC0415

    async def action(directory: Directory) -> None:
        found = await every(directory.ListOrganizations, ListOrganizationsRequest, "organizations")
        columns = ("number", "id", "display_name", "disabled")
        output.rows([_row(each) for each in found], columns, as_json=options.json)

    return administer(options, action)


def _create(options: argparse.Namespace) -> int:
    from almoner.v1.directory_pb2 import Organization  # noqa: PLC0415 - slow: not for --help
    from almoner.v1.directory_service_pb2 import CreateOrganizationRequest  # noqa: PLC0415
    from service.command.administration import administer  # noqa: PLC0415

    async def action(directory: Directory) -> None:
        wanted = Organization(display_name=options.name, description=options.description)
        made = (await directory.CreateOrganization(CreateOrganizationRequest(organization=wanted))).organization
        done = f"organization {made.number} was made, id {made.id}"
        output.made(_row(made), done, as_json=options.json)

    return administer(options, action)


def _delete(options: argparse.Namespace) -> int:
    from almoner.v1.directory_service_pb2 import DeleteOrganizationRequest  # noqa: PLC0415 - slow: not for --help
    from service.command.administration import administer, organization  # noqa: PLC0415

    async def action(directory: Directory) -> None:
        found = await organization(directory, options.key)
        await directory.DeleteOrganization(DeleteOrganizationRequest(number=found.number))
        output.note(f"organization {found.number}, {found.display_name}, was deleted")

    return administer(options, action)


def _row(organization: Organization) -> output.Row:
    return {
        "number": organization.number,
        "id": organization.id,
        "display_name": organization.display_name,
        "description": organization.description,
        "disabled": organization.disabled,
        "role_ids": list(organization.role_ids),
        "create_time": output.time(organization.create_time),
        "update_time": output.time(organization.update_time),
    }
