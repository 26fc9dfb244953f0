# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from google.protobuf.duration_pb2 import Duration
from grpc import StatusCode

from almoner.v1.application_pb2 import (
    GRANT_TYPE_CLIENT_CREDENTIALS,
    GRANT_TYPE_PASSWORD,
    ClientApplication,
    ProviderRegistration,
)
from tests.refusals import refusal_of
from tests.service.applications.registry import SECRET, Application, client, provider

if TYPE_CHECKING:
    from tests.service.applications.registry import Registry

REGISTRATION = Application(
    id="analytics",
    name="Analytics",
    description="old",
    provider=ProviderRegistration(
        provider="google",
        authorize_uri="https://old.example.com/auth",
        token_uri="https://old.example.com/token",
        scope="old",
        client_id="old",
        client_secret="old",
    ),
)
CLIENT = Application(
    id="reports",
    name="Reports",
    description="old",
    client=ClientApplication(
        allowed_scopes=["old"],
        grant_types=[GRANT_TYPE_PASSWORD],
        redirect_uris=["https://old.example.com/"],
        access_token_lifetime=Duration(seconds=1),
        grant_lifetime=Duration(seconds=1),
        renewable=True,
        owner_only_secret_rotation=True,
        secret_rotation_lifetime=Duration(seconds=1),
        required_scopes=["old"],
        vendor="Old, Inc.",
        uri="old.example.com",
    ),
)
NEW_REGISTRATION = ProviderRegistration(
    provider="hubspot",
    authorize_uri="https://new.example.com/auth",
    token_uri="https://new.example.com/token",
    scope="new",
    client_id="new",
    client_secret="new",
)
NEW_CLIENT = ClientApplication(
    allowed_scopes=["new", "newer"],
    grant_types=[GRANT_TYPE_CLIENT_CREDENTIALS],
    redirect_uris=["https://new.example.com/", "https://newer.example.com/"],
    access_token_lifetime=Duration(seconds=2),
    grant_lifetime=Duration(seconds=2),
    renewable=False,
    owner_only_secret_rotation=False,
    secret_rotation_lifetime=Duration(seconds=2),
    required_scopes=["new"],
    vendor="New, Inc.",
    uri="new.example.com",
)

OUTPUT_ONLY = ("number", "organization_id", "organization_number", "owner_id", "create_time", "update_time", "etag")


def changeable(application: Application) -> Application:
    """Returns what of an application can be changed, with its id."""
    rest = Application()
    rest.CopyFrom(application)
    for member in OUTPUT_ONLY:
        rest.ClearField(member)  # type: ignore[arg-type]
    if rest.HasField("client"):
        rest.client.ClearField("secret_count")
    if rest.HasField("provider"):
        rest.provider.ClearField("client_secret_set")
    return rest


async def changed(registry: Registry, before: Application, change: Application, *paths: str) -> Application:
    """Creates an application, changes it, and returns what can be changed of it, its secret included."""
    await registry.add(before)
    return changeable(await registry.update(change, *paths, view=SECRET))


@pytest.mark.parametrize("member", ["provider", "authorize_uri", "token_uri", "scope", "client_id", "client_secret"])
async def test_one_member_of_a_registration_changes_alone(registry: Registry, member: str) -> None:
    expected = Application()
    expected.CopyFrom(REGISTRATION)
    setattr(expected.provider, member, getattr(NEW_REGISTRATION, member))
    change = Application(id="analytics", name="not named", provider=NEW_REGISTRATION)
    assert await changed(registry, REGISTRATION, change, f"provider.{member}") == expected


@pytest.mark.parametrize(
    "member",
    [
        "allowed_scopes",
        "grant_types",
        "redirect_uris",
        "access_token_lifetime",
        "grant_lifetime",
        "renewable",
        "owner_only_secret_rotation",
        "secret_rotation_lifetime",
        "required_scopes",
        "vendor",
        "uri",
    ],
)
async def test_one_member_of_a_client_changes_alone(registry: Registry, member: str) -> None:
    expected = Application()
    expected.CopyFrom(CLIENT)
    expected.client.ClearField(member)  # type: ignore[arg-type]
    selected = ClientApplication()
    selected.CopyFrom(NEW_CLIENT)
    for other in NEW_CLIENT.DESCRIPTOR.fields_by_name:
        if other != member:
            selected.ClearField(other)  # type: ignore[arg-type]
    expected.client.MergeFrom(selected)
    change = Application(id="reports", name="not named", client=NEW_CLIENT)
    assert await changed(registry, CLIENT, change, f"client.{member}") == expected


async def test_the_kind_as_a_path_stands_for_all_of_its_members(registry: Registry) -> None:
    expected = Application(id="reports", name="Reports", description="old", client=NEW_CLIENT)
    assert await changed(registry, CLIENT, Application(id="reports", client=NEW_CLIENT), "client") == expected


async def test_without_a_mask_the_populated_members_change(registry: Registry) -> None:
    change = Application(id="analytics", description="new", provider=ProviderRegistration(scope="new"))
    expected = Application()
    expected.CopyFrom(REGISTRATION)
    expected.description = expected.provider.scope = "new"
    assert await changed(registry, REGISTRATION, change) == expected


async def test_a_star_replaces_everything(registry: Registry) -> None:
    change = Application(id="analytics", name="New", provider=ProviderRegistration(provider="hubspot", client_id="new"))
    assert await changed(registry, REGISTRATION, change, "*") == change


async def test_a_star_replaces_everything_of_a_client(registry: Registry) -> None:
    change = Application(id="reports", name="New", client=NEW_CLIENT)
    assert await changed(registry, CLIENT, change, "*") == change


@pytest.mark.parametrize("after", [None, False, True])
@pytest.mark.parametrize("before", [None, False, True])
async def test_whether_a_client_is_renewable_can_be_said_and_left_open(
    registry: Registry, *, before: bool | None, after: bool | None
) -> None:
    await registry.add(Application(id="reports", name="Reports", client=ClientApplication(renewable=before)))
    change = Application(id="reports", client=ClientApplication(renewable=after))
    changed = (await registry.update(change, "client.renewable")).client
    assert (changed.renewable if changed.HasField("renewable") else None) is after


async def test_without_a_mask_a_client_that_shall_not_be_renewable_is_not(registry: Registry) -> None:
    await registry.add(CLIENT)
    after = await registry.update(Application(id="reports", client=ClientApplication(renewable=False)))
    assert after.client.HasField("renewable")
    assert not after.client.renewable
    assert after.client.vendor == "Old, Inc."


async def test_a_secret_that_a_mask_names_and_the_message_lacks_is_cleared(registry: Registry) -> None:
    await registry.add(REGISTRATION)
    after = await registry.update(Application(id="analytics"), "provider.client_secret")
    assert not after.provider.client_secret_set


async def test_a_change_can_name_its_application_by_number(registry: Registry) -> None:
    made = await registry.add(REGISTRATION)
    after = await registry.update(Application(number=made.number, name="New"))
    assert (after.id, after.name) == ("analytics", "New")


WRONG_KIND: dict[str, tuple[Application, Application, tuple[str, ...]]] = {
    "a path": (REGISTRATION, Application(id="analytics"), ("client.renewable",)),
    "a populated member": (REGISTRATION, Application(id="analytics", client=ClientApplication(renewable=True)), ()),
    "everything": (REGISTRATION, Application(id="analytics", name="New", client=ClientApplication()), ("*",)),
    "one path of two": (REGISTRATION, Application(id="analytics", name="New"), ("name", "client")),
    "a path of a registration": (CLIENT, Application(id="reports"), ("provider.scope",)),
    "all of a registration": (CLIENT, Application(id="reports", provider=NEW_REGISTRATION), ("provider",)),
}


@pytest.mark.parametrize(("before", "change", "paths"), WRONG_KIND.values(), ids=WRONG_KIND)
async def test_members_of_the_other_kind_cannot_be_changed(
    registry: Registry, before: Application, change: Application, paths: tuple[str, ...]
) -> None:
    made = await registry.add(before)
    refusal = await refusal_of(registry.update(change, *paths))
    assert (refusal.code, refusal.reason) == (StatusCode.FAILED_PRECONDITION, "WRONG_KIND")
    assert await registry.get(number=made.number) == made


@pytest.mark.parametrize("path", ["id", "number", "organization_id", "kind", "etag", "client.secret_count", "nothing"])
async def test_a_path_that_cannot_be_changed_is_refused(registry: Registry, path: str) -> None:
    await registry.add(REGISTRATION)
    refusal = await refusal_of(registry.update(Application(id="analytics", name="New"), "name", path))
    assert (refusal.code, refusal.reason) == (StatusCode.INVALID_ARGUMENT, "INVALID_UPDATE_MASK")
    assert (refusal.metadata, refusal.fields) == ({"path": path}, ["update_mask"])
    assert await registry.names() == ["Analytics"]


@pytest.mark.parametrize("path", ["name", "provider.provider", "provider.client_id"])
async def test_a_required_member_cannot_be_cleared(registry: Registry, path: str) -> None:
    await registry.add(REGISTRATION)
    refusal = await refusal_of(registry.update(Application(id="analytics"), path))
    assert (refusal.code, refusal.reason, refusal.fields) == (
        StatusCode.INVALID_ARGUMENT,
        "INVALID_FIELD",
        [f"application.{path}"],
    )


async def test_an_application_that_does_not_exist_cannot_be_changed(registry: Registry) -> None:
    refusal = await refusal_of(registry.update(Application(id="unknown", name="New")))
    assert (refusal.code, refusal.reason) == (StatusCode.NOT_FOUND, "APPLICATION_NOT_FOUND")


async def test_a_change_makes_a_new_revision(registry: Registry) -> None:
    made = await registry.add(REGISTRATION)
    after = await registry.update(Application(id="analytics", name="New"))
    assert (made.etag, after.etag) == ('"1"', '"2"')
    assert after.create_time == made.create_time
    assert after.update_time.ToMicroseconds() > made.update_time.ToMicroseconds()


async def test_a_change_with_an_old_etag_is_refused(registry: Registry) -> None:
    made = await registry.add(REGISTRATION)
    await registry.update(Application(id="analytics", name="New"), etag=made.etag)
    refusal = await refusal_of(registry.update(Application(id="analytics", name="Newer"), etag=made.etag))
    assert (refusal.code, refusal.reason) == (StatusCode.ABORTED, "ETAG_MISMATCH")
    assert refusal.metadata == {"etag": '"2"'}
    assert await registry.names() == ["New"]


async def test_of_changes_at_once_with_one_etag_one_wins(registry: Registry) -> None:
    made = await registry.add(client())
    results = await asyncio.gather(
        *(registry.update(Application(id=made.id, description=str(number)), etag=made.etag) for number in range(6)),
        return_exceptions=True,
    )
    assert sum(isinstance(result, BaseException) for result in results) == 5
    assert (await registry.get(id=made.id)).etag == '"2"'


async def test_a_change_is_audited_without_secrets(registry: Registry) -> None:
    await registry.add(CLIENT)
    await registry.add(REGISTRATION)
    await registry.update(Application(id="reports", name="New", client=NEW_CLIENT), "name", "client.allowed_scopes")
    for secret in ("second s3cret", "", "third s3cret"):
        change = Application(id="analytics", provider=ProviderRegistration(client_secret=secret))
        await registry.update(change, "provider.client_secret")
    events = await registry.events("application.update")
    assert [(event.resource, event.changes) for event in events] == [
        ("applications/2", {"name": ["Reports", "New"], "allowed_scopes": [["old"], ["new", "newer"]]}),
        ("applications/3", {"client_secret": "replaced"}),
        ("applications/3", {"client_secret": "cleared"}),
        ("applications/3", {"client_secret": "set"}),
    ]


async def test_a_refused_change_is_not_audited(registry: Registry) -> None:
    await registry.add(provider())
    await refusal_of(registry.update(Application(number=2, name="New"), etag='"9"'))
    assert await registry.events("application.update") == []
