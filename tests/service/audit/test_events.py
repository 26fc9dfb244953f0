# SPDX-License-Identifier: Apache-2.0
"""Every mutation, and every read that reveals a secret, leaves exactly one event, and no secret in it.

An RPC that changes something and has no row here fails.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from grpc import StatusCode
from grpc.aio import AioRpcError

from almoner.v1 import (
    application_pb2,
    application_service_pb2,
    application_service_pb2_grpc,
    directory_pb2,
    directory_service_pb2,
    directory_service_pb2_grpc,
    profile_pb2,
    profile_service_pb2,
    profile_service_pb2_grpc,
)
from tests.conftest import BACKENDS
from tests.running import running
from tests.service.audit.trail import Trail
from tests.service.profiles.desk import Desk, open_desk, own

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    from tests.databases import PostgresTemplate, SqliteTemplate, Template
    from tests.running import Metadata

MARK = "m4rked"
REQUEST_ID = "the-request-1"

STUBS: dict[str, Any] = {
    "ProfileService": profile_service_pb2_grpc.ProfileServiceStub,
    "ApplicationService": application_service_pb2_grpc.ApplicationServiceStub,
    "DirectoryService": directory_service_pb2_grpc.DirectoryServiceStub,
}
MODULES: tuple[Any, ...] = (profile_service_pb2, application_service_pb2, directory_service_pb2)
METHODS = {
    method.name: (STUBS[service.name], module)
    for module in MODULES
    for service in module.DESCRIPTOR.services_by_name.values()
    for method in service.methods
}
READS = {name for name in METHODS if name.startswith(("Get", "List", "WhoAmI", "Watch"))}
REVEALING = {"GetProfile", "GetApplication", "GetAccessToken"}
"""Reads that give secrets away, which some of them do if they are asked to."""
WITHOUT_CALLER = {"RotateOwnSecret", "CompleteAuthorization"}
"""What the event says of them is held where they are."""

_NUMBERS = itertools.count(1)


@dataclass
class Office:
    """An organization in which everything can be done, by name of the RPC."""

    desk: Desk
    trail: Trail

    async def call(self, method: str, by: Metadata | None = None, **members: Any) -> Any:
        """Calls a method as the organization's administrator, or by somebody else."""
        stub, module = METHODS[method]
        request = getattr(module, f"{method}Request")(**members)
        metadata = (*(by or self.desk.chief.by), ("x-request-id", REQUEST_ID))
        return await getattr(stub(self.desk.almoner.channel), method)(request, metadata=metadata)

    async def organization(self) -> Any:
        organization = directory_pb2.Organization(display_name=f"Acme {next(_NUMBERS)}")
        reply = await self.call("CreateOrganization", self.desk.almoner.as_admin_token, organization=organization)
        return reply.organization

    async def role(self) -> Any:
        role = directory_pb2.Role(name="Role", permissions=[directory_pb2.PERMISSION_WEB_UI])
        return (await self.call("CreateRole", role=role)).role

    async def binding(self) -> Any:
        user, role = await self.desk.person(), await self.role()
        binding = directory_pb2.RoleBinding(user_id=user.id, role_id=role.id, organization_id=self.desk.organization.id)
        return (await self.call("CreateRoleBinding", role_binding=binding)).role_binding

    async def api_token(self) -> Any:
        return (await self.call("CreateApiToken", api_token=directory_pb2.ApiToken(name="Token"))).api_token

    async def profile(self) -> Any:
        return await self.desk.create(own())

    async def link(self) -> Any:
        return await self.desk.link(profile_pb2.LINK_KIND_CONNECTION)


class Case(NamedTuple):
    """One call that leaves one event.

    Attributes:
        method: The RPC.
        action: Of the event.
        resource: Of the event; `*` stands for the id that the server chose.
        prepare: Makes what the call needs, and returns the members of its request.
        changes: What the event says at least.
        on_server: Whether only an administrator of the server may call.
    """

    method: str
    action: str
    resource: str
    prepare: Callable[[Office], Awaitable[dict[str, Any]]]
    changes: dict[str, Any]
    on_server: bool = False


async def _create_profile(office: Office) -> dict[str, Any]:
    credentials = profile_pb2.ClientCredentials(client_id="id", client_secret=MARK)
    tokens: dict[str, Any] = {"access_token": MARK, "refresh_token": MARK, "verification_token": MARK}
    return {"profile": profile_pb2.Profile(name="After", provider="hubspot", client=credentials, **tokens)}


async def _update_profile(office: Office) -> dict[str, Any]:
    members = await _create_profile(office)
    members["profile"].id = (await office.profile()).id
    return members


async def _of_profile(office: Office) -> dict[str, Any]:
    return {"id": (await office.profile()).id}


async def _use_profile(office: Office) -> dict[str, Any]:
    return {"id": (await office.desk.create(own(access_token=MARK))).id}


async def _begin_consent(office: Office) -> dict[str, Any]:
    return {"id": (await office.profile()).id, "scope": "read"}


async def _reveal_profile(office: Office) -> dict[str, Any]:
    made = await office.desk.create((await _create_profile(office))["profile"])
    return {"id": made.id, "view": profile_pb2.PROFILE_VIEW_TOKENS}


async def _create_link(office: Office) -> dict[str, Any]:
    return {"link": profile_pb2.ProfileLink(kind=profile_pb2.LINK_KIND_CONNECTION, name="After")}


async def _update_link(office: Office) -> dict[str, Any]:
    return {"link": profile_pb2.ProfileLink(id=(await office.link()).id, name="After")}


async def _of_link(office: Office) -> dict[str, Any]:
    return {"id": (await office.link()).id}


async def _create_application(office: Office) -> dict[str, Any]:
    provider = application_pb2.ProviderRegistration(provider="hubspot", client_id="id", client_secret=MARK)
    return {"application": application_pb2.Application(name="After", provider=provider)}


async def _update_application(office: Office) -> dict[str, Any]:
    members = await _create_application(office)
    members["application"].number = (await office.desk.application()).number
    return members


async def _of_application(office: Office) -> dict[str, Any]:
    return {"number": (await office.desk.application()).number}


async def _rotate_secret(office: Office) -> dict[str, Any]:
    return {"application_id": (await office.desk.client()).id, "client_secret": MARK}


async def _revoke_secret(office: Office) -> dict[str, Any]:
    application_id = (await office.desk.client()).id
    (secret,) = (await office.call("ListSecrets", application_id=application_id)).secrets
    return {"application_id": application_id, "secret_id": secret.id}


async def _end_rotation(office: Office) -> dict[str, Any]:
    rotated = await _rotate_secret(office)
    await office.call("RotateSecret", **rotated)
    return {"application_id": rotated["application_id"]}


async def _create_membership(office: Office) -> dict[str, Any]:
    membership = application_pb2.ClientMembership(
        application_id=(await office.desk.client()).id, scopes=["service:analytics:viewer"]
    )
    return {"membership": membership}


async def _of_membership(office: Office) -> dict[str, Any]:
    made = await office.call("CreateClientMembership", **await _create_membership(office))
    return {"application_id": made.membership.application_id}


async def _update_membership(office: Office) -> dict[str, Any]:
    return {**await _of_membership(office), "added_scopes": ["openid"]}


async def _reveal_application(office: Office) -> dict[str, Any]:
    application = await office.desk.application(client_secret=MARK)
    return {"number": application.number, "view": application_pb2.APPLICATION_VIEW_SECRET}


async def _create_organization(office: Office) -> dict[str, Any]:
    return {"organization": directory_pb2.Organization(display_name="After")}


async def _update_organization(office: Office) -> dict[str, Any]:
    organization = await office.organization()
    return {"organization": directory_pb2.Organization(id=organization.id, display_name="After")}


async def _delete_organization(office: Office) -> dict[str, Any]:
    return {"id": (await office.organization()).id}


async def _create_user(office: Office) -> dict[str, Any]:
    return {"user": directory_pb2.User(username=f"user{next(_NUMBERS)}", display_name="After", password=MARK)}


async def _update_user(office: Office) -> dict[str, Any]:
    user = directory_pb2.User(id=(await office.desk.person()).id, display_name="After", password=MARK)
    return {"user": user, "update_mask": FieldMask(paths=["display_name", "password"])}


async def _delete_user(office: Office) -> dict[str, Any]:
    return {"id": (await office.desk.person()).id}


async def _create_role(office: Office) -> dict[str, Any]:
    return {"role": directory_pb2.Role(name="After", permissions=[directory_pb2.PERMISSION_WEB_UI])}


async def _update_role(office: Office) -> dict[str, Any]:
    return {"role": directory_pb2.Role(id=(await office.role()).id, name="After")}


async def _delete_role(office: Office) -> dict[str, Any]:
    return {"id": (await office.role()).id}


async def _create_binding(office: Office) -> dict[str, Any]:
    user, role = await office.desk.person(), await office.role()
    place: dict[str, Any] = {"organization_id": office.desk.organization.id}
    return {"role_binding": directory_pb2.RoleBinding(user_id=user.id, role_id=role.id, **place)}


async def _delete_binding(office: Office) -> dict[str, Any]:
    return {"id": (await office.binding()).id}


async def _create_api_token(office: Office) -> dict[str, Any]:
    return {"api_token": directory_pb2.ApiToken(name="After")}


async def _revoke_api_token(office: Office) -> dict[str, Any]:
    return {"id": (await office.api_token()).id}


CASES = {
    "CreateProfile": Case(
        "CreateProfile", "profile.create", "profiles/*", _create_profile,
        {"name": [None, "After"], "client_secret": "set", "refresh_token": "set", "verification_token": "set"},
    ),
    "UpdateProfile": Case(
        "UpdateProfile", "profile.update", "profiles/*", _update_profile,
        {"name": ["Grant", "After"], "client_secret": "replaced", "access_token": "set"},
    ),
    "DeleteProfile": Case("DeleteProfile", "profile.delete", "profiles/*", _of_profile, {"links_released": 0}),
    "GetProfile with tokens": Case("GetProfile", "profile.reveal", "profiles/*", _reveal_profile, {}),
    "GetAccessToken": Case("GetAccessToken", "profile.access_token", "profiles/*", _use_profile, {}),
    "StartAuthorization": Case(
        "StartAuthorization", "profile.ask_consent", "profiles/*", _begin_consent, {"scope": "read"}
    ),
    "CreateProfileLink": Case(
        "CreateProfileLink", "profile_link.create", "links/*", _create_link, {"name": [None, "After"]}
    ),
    "UpdateProfileLink": Case(
        "UpdateProfileLink", "profile_link.update", "links/*", _update_link, {"name": ["", "After"]}
    ),
    "DeleteProfileLink": Case("DeleteProfileLink", "profile_link.delete", "links/*", _of_link, {}),
    "CreateApplication": Case(
        "CreateApplication", "application.create", "applications/*", _create_application,
        {"name": [None, "After"], "client_secret": "set"},
    ),
    "UpdateApplication": Case(
        "UpdateApplication", "application.update", "applications/*", _update_application,
        {"name": ["Analytics", "After"], "client_secret": "replaced"},
    ),
    "DeleteApplication": Case("DeleteApplication", "application.delete", "applications/*", _of_application, {}),
    "GetApplication with its secret": Case(
        "GetApplication", "application.reveal", "applications/*", _reveal_application, {}
    ),
    "RotateSecret": Case(
        "RotateSecret", "application.rotate_secret", "applications/*", _rotate_secret, {"secret": "chosen"}
    ),
    "RevokeSecret": Case("RevokeSecret", "application.revoke_secret", "applications/*", _revoke_secret, {}),
    "EndRotation": Case("EndRotation", "application.end_rotation", "applications/*", _end_rotation, {}),
    "CreateClientMembership": Case(
        "CreateClientMembership", "client_membership.create", "client_memberships/*", _create_membership,
        {"scopes": [None, ["service:analytics:viewer"]]},
    ),
    "UpdateClientMembership": Case(
        "UpdateClientMembership", "client_membership.update", "client_memberships/*", _update_membership,
        {"scopes": [["service:analytics:viewer"], ["service:analytics:viewer", "openid"]]},
    ),
    "DeleteClientMembership": Case(
        "DeleteClientMembership", "client_membership.delete", "client_memberships/*", _of_membership,
        {"scopes": [["service:analytics:viewer"], None]},
    ),
    "CreateOrganization": Case(
        "CreateOrganization", "organization.create", "organizations/*", _create_organization,
        {"display_name": [None, "After"]}, on_server=True,
    ),
    "UpdateOrganization": Case(
        "UpdateOrganization", "organization.update", "organizations/*", _update_organization, {}, on_server=True
    ),
    "DeleteOrganization": Case(
        "DeleteOrganization", "organization.delete", "organizations/*", _delete_organization, {}, on_server=True
    ),
    "CreateUser": Case("CreateUser", "user.create", "users/*", _create_user, {"display_name": [None, "After"]}),
    "UpdateUser": Case("UpdateUser", "user.update", "users/*", _update_user, {"display_name": ["", "After"]}),
    "DeleteUser": Case("DeleteUser", "user.delete", "users/*", _delete_user, {}),
    "CreateRole": Case("CreateRole", "role.create", "roles/*", _create_role, {"name": [None, "After"]}),
    "UpdateRole": Case("UpdateRole", "role.update", "roles/*", _update_role, {"name": ["Role", "After"]}),
    "DeleteRole": Case("DeleteRole", "role.delete", "roles/*", _delete_role, {}),
    "CreateRoleBinding": Case(
        "CreateRoleBinding", "role_binding.create", "role_bindings/*", _create_binding, {}
    ),
    "DeleteRoleBinding": Case(
        "DeleteRoleBinding", "role_binding.delete", "role_bindings/*", _delete_binding, {}
    ),
    "CreateApiToken": Case("CreateApiToken", "api_token.create", "api_tokens/*", _create_api_token, {}),
    "RevokeApiToken": Case("RevokeApiToken", "api_token.revoke", "api_tokens/*", _revoke_api_token, {}),
}  # fmt: skip


async def _running(template: Template, directory: Path) -> AsyncIterator[Office]:
    async with running(template, directory) as almoner:
        yield Office(await open_desk(almoner), Trail(almoner.service))


@pytest.fixture(scope="module")
async def office_on_sqlite(
    sqlite_template: SqliteTemplate, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Office]:
    async for office in _running(sqlite_template, tmp_path_factory.mktemp("office")):
        yield office


@pytest.fixture(scope="module")
async def office_on_postgresql(
    postgres_template: PostgresTemplate, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Office]:
    async for office in _running(postgres_template, tmp_path_factory.mktemp("office")):
        yield office


@pytest.fixture(params=BACKENDS)
def office(request: pytest.FixtureRequest) -> Office:
    found: Office = request.getfixturevalue(f"office_on_{request.param}")
    return found


def caller_of(office: Office, case: Case) -> tuple[int, str, Metadata]:
    if case.on_server:
        return 1, "admin", office.desk.almoner.as_admin_token
    return office.desk.chief


def test_every_rpc_that_changes_something_has_a_row() -> None:
    assert {case.method for case in CASES.values()} - READS == set(METHODS) - READS - WITHOUT_CALLER


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
async def test_a_call_leaves_one_event(office: Office, case: Case) -> None:
    actor_id, actor, by = caller_of(office, case)
    members = await case.prepare(office)
    before = await office.trail.last()
    clock = office.trail.service.clock
    started = clock()

    await office.call(case.method, by, **members)

    (event,) = await office.trail.events(before)
    assert (event.actor_id, event.actor, event.subject_id, event.subject) == (actor_id, actor, 0, "")
    assert event.action == case.action
    collection, _, identifier = event.resource.partition("/")
    assert (f"{collection}/*", identifier.isdigit()) == (case.resource, True)
    assert event.request_id == REQUEST_ID
    assert started <= event.time <= clock()
    if not case.on_server:
        assert event.organization == office.desk.organization.number
    changes = msgspec.json.decode(event.changes)
    assert {name: changes.get(name) for name in case.changes} == case.changes


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
async def test_no_event_holds_a_secret(office: Office, case: Case) -> None:
    _, _, by = caller_of(office, case)
    members = await case.prepare(office)
    reply = await office.call(case.method, by, **members)

    texts = "\n".join(str(tuple(event)) for event in await office.trail.events())
    assert MARK not in texts
    for generated in ("client_secret", "token"):
        if value := getattr(reply, generated, ""):
            assert value not in texts


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
async def test_a_refused_call_leaves_no_event(office: Office, case: Case) -> None:
    members = await case.prepare(office)
    nobody = await office.desk.person()
    before = await office.trail.last()
    for by in (nobody.by, (("authorization", "Bearer nonsense"),)):
        with pytest.raises(AioRpcError) as refused:
            await office.call(case.method, by, **members)
        assert refused.value.code() in {
            StatusCode.PERMISSION_DENIED, StatusCode.UNAUTHENTICATED, StatusCode.NOT_FOUND,
        }  # fmt: skip
    assert await office.trail.events(before) == []


WITH_ETAG = [
    name for name, case in CASES.items() if case.method.startswith(("Update", "Delete", "Revoke", "Rotate", "End"))
]


@pytest.mark.parametrize("name", WITH_ETAG)
async def test_a_call_with_an_old_etag_leaves_no_event(office: Office, name: str) -> None:
    case = CASES[name]
    _, _, by = caller_of(office, case)
    members = await case.prepare(office)
    before = await office.trail.last()
    with pytest.raises(AioRpcError) as refused:
        await office.call(case.method, by, **members, etag='"70"')
    assert refused.value.code() == StatusCode.ABORTED
    assert await office.trail.events(before) == []


@pytest.mark.parametrize("method", sorted(READS - REVEALING - {"WatchProfiles"}))
async def test_a_read_leaves_no_event(office: Office, method: str) -> None:
    made = {
        "GetProfileLink": await _of_link(office),
        "GetOrganization": {"id": office.desk.organization.id},
        "GetUser": {"id": office.desk.chief.id},
        "GetRole": {"id": 2},
        "GetRoleBinding": await _delete_binding(office),
        "ListSecrets": {"application_id": (await office.desk.client()).id},
        "GetClientMembership": await _of_membership(office),
    }
    before = await office.trail.last()
    await office.call(method, **made.get(method, {}))
    assert await office.trail.events(before) == []


async def test_a_read_without_the_secret_leaves_no_event(office: Office) -> None:
    profile, application = await _of_profile(office), await _of_application(office)
    before = await office.trail.last()
    await office.call("GetProfile", **profile)
    await office.call("GetApplication", **application)
    assert await office.trail.events(before) == []


@pytest.mark.parametrize("name", ["CreateProfile", "UpdateProfile", "DeleteProfile", "GetProfile with tokens"])
async def test_an_event_names_the_actor_and_for_whom_they_acted(office: Office, name: str) -> None:
    case = CASES[name]
    chief, subject = office.desk.chief, await office.desk.user()
    members = await _create_profile(office)
    made = await office.desk.create(members["profile"], chief.acting_for(subject))
    requests: dict[str, dict[str, Any]] = {
        "UpdateProfile": {"profile": profile_pb2.Profile(id=made.id, name="After")},
        "DeleteProfile": {"id": made.id},
        "GetProfile": {"id": made.id, "view": profile_pb2.PROFILE_VIEW_TOKENS},
    }
    before = await office.trail.last()
    await office.call(case.method, chief.acting_for(subject), **requests.get(case.method, members))
    (event,) = await office.trail.events(before)
    assert (event.actor_id, event.actor) == (chief.id, chief.username)
    assert (event.subject_id, event.subject) == (subject.id, subject.username)


async def test_a_deletion_that_takes_others_along_leaves_an_event_of_each(office: Office) -> None:
    application = await office.desk.application()
    made = [
        await office.desk.create(profile_pb2.Profile(name="n", application_number=application.number)) for _ in range(2)
    ]
    before = await office.trail.last()
    await office.call("DeleteApplication", number=application.number, cascade=True)
    events = [(event.action, event.resource) for event in await office.trail.events(before)]
    assert events == [
        *(("profile.delete", f"profiles/{profile.id}") for profile in made),
        ("application.delete", f"applications/{application.number}"),
    ]


async def test_a_repeated_request_leaves_no_second_event(office: Office) -> None:
    members = await _create_profile(office)
    request_id = "0e0f5f5e-8f0a-4d3a-9a51-6a3f1f1a0001"
    await office.call("CreateProfile", **members, request_id=request_id)
    before = await office.trail.last()
    await office.call("CreateProfile", **members, request_id=request_id)
    assert await office.trail.events(before) == []
