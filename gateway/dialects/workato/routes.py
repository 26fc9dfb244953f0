# SPDX-License-Identifier: Apache-2.0
"""The table of Workato's routes."""

from __future__ import annotations

from gateway.dialects.workato import connections, profiles, workspace
from gateway.dialects.workato.bodies import (
    Assignment,
    ById,
    Connection,
    ConnectionBody,
    ConnectionChange,
    CustomProfileBody,
    Forcing,
    Paging,
    ProfileListResult,
    ProfileResult,
    Success,
    SuccessResult,
    Workspace,
)
from gateway.routing import Route

DOCUMENT = "Workato Developer API, Custom OAuth profiles"
PROFILE = f"{profiles.COLLECTION}/{{id}}"
CONNECTION = f"{connections.COLLECTION}/{{id}}"

PROFILE_ROUTES = (
    Route(
        "GET",
        profiles.COLLECTION,
        profiles.list_profiles,
        "List custom OAuth profiles",
        DOCUMENT,
        reply=ProfileListResult,
        query=Paging,
    ),
    Route(
        "POST",
        profiles.COLLECTION,
        profiles.create_profile,
        "Create a custom OAuth profile",
        DOCUMENT,
        reply=ProfileResult,
        body=CustomProfileBody,
        etag=True,
    ),
    Route(
        "GET",
        PROFILE,
        profiles.get_profile,
        "Get a custom OAuth profile",
        DOCUMENT,
        reply=ProfileResult,
        path_parameters=ById,
        resource=profiles.NOT_FOUND,
        etag=True,
    ),
    Route(
        "PUT",
        PROFILE,
        profiles.update_profile,
        "Update a custom OAuth profile",
        DOCUMENT,
        reply=ProfileResult,
        path_parameters=ById,
        body=CustomProfileBody,
        resource=profiles.NOT_FOUND,
        etag=True,
        conditional=True,
    ),
    Route(
        "DELETE",
        PROFILE,
        profiles.delete_profile,
        "Delete a custom OAuth profile",
        DOCUMENT,
        reply=SuccessResult,
        path_parameters=ById,
        query=Forcing,
        resource=profiles.NOT_FOUND,
        conditional=True,
    ),
)

ASSIGNMENT_ROUTES = (
    Route(
        "POST",
        f"{profiles.ASSIGNMENTS}/assign",
        profiles.assign_profile,
        "Assign a custom OAuth profile to a customer",
        "Workato contract section 1, Embedded",
        reply=SuccessResult,
        path_parameters=Assignment,
        resource=profiles.NOT_FOUND,
    ),
    Route(
        "DELETE",
        f"{profiles.ASSIGNMENTS}/unassign",
        profiles.unassign_profile,
        "Unassign a custom OAuth profile from a customer",
        "Workato contract section 1, Embedded",
        reply=SuccessResult,
        path_parameters=Assignment,
        query=Forcing,
        resource=profiles.NOT_FOUND,
    ),
)

CONNECTION_ROUTES = (
    Route(
        "GET",
        connections.COLLECTION,
        connections.list_connections,
        "List connections",
        "Workato contract section 10",
        reply=list[Connection],
    ),
    Route(
        "POST",
        connections.COLLECTION,
        connections.create_connection,
        "Create a connection",
        "Workato contract section 10",
        reply=Connection,
        body=ConnectionBody,
        etag=True,
    ),
    Route(
        "PUT",
        CONNECTION,
        connections.update_connection,
        "Update a connection",
        "Workato contract section 10",
        reply=Connection,
        path_parameters=ById,
        body=ConnectionChange,
        resource=connections.NOT_FOUND,
        etag=True,
        conditional=True,
    ),
    Route(
        "DELETE",
        CONNECTION,
        connections.delete_connection,
        "Delete a connection",
        "Workato contract section 10",
        reply=Success,
        path_parameters=ById,
        resource=connections.NOT_FOUND,
        conditional=True,
    ),
)

WORKSPACE_ROUTES = (
    Route(
        "GET",
        workspace.PATH,
        workspace.get_workspace,
        "Get the workspace of the caller",
        "Workato contract section 12",
        reply=Workspace,
    ),
)

ROUTES = (*PROFILE_ROUTES, *ASSIGNMENT_ROUTES, *CONNECTION_ROUTES, *WORKSPACE_ROUTES)
