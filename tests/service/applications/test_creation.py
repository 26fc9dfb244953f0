# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import asyncio
import uuid
from typing import TYPE_CHECKING, Any

import pytest
from google.protobuf.duration_pb2 import Duration
from grpc import StatusCode

from almoner.v1.application_pb2 import GRANT_TYPE_CLIENT_CREDENTIALS, GRANT_TYPE_REFRESH_TOKEN, ClientApplication
from service.applications.secrets import CLIENT_SECRET_DIGEST
from tests.refusals import refusal_of
from tests.service.applications.registry import SECRET, Application, client, provider

if TYPE_CHECKING:
    from tests.service.applications.registry import Registry


async def test_a_provider_registration_is_stored_with_all_its_members(registry: Registry) -> None:
    wanted = provider(
        authorize_uri="https://accounts.example.com/auth",
        token_uri="https://accounts.example.com/token",
        scope="analytics.readonly offline",
    )
    wanted.description = "for the weekly report"
    made = (await registry.create(wanted)).application
    assert made.name == wanted.name
    assert made.description == wanted.description
    assert made.number == 2
    assert made.organization_number == 1
    assert made.owner_id == 1
    assert made.etag == '"1"'
    assert made.create_time == made.update_time
    wanted.provider.ClearField("client_secret")
    wanted.provider.client_secret_set = True
    assert made.provider == wanted.provider
    assert await registry.get(number=made.number) == made


async def test_a_client_application_is_stored_with_all_its_members(registry: Registry) -> None:
    wanted = client(
        allowed_scopes=["read", "write all"],
        grant_types=[GRANT_TYPE_CLIENT_CREDENTIALS, GRANT_TYPE_REFRESH_TOKEN],
        redirect_uris=["https://reports.example.com/callback"],
        access_token_lifetime=Duration(seconds=300, nanos=500_000_000),
        grant_lifetime=Duration(seconds=315_360_000),
        renewable=True,
        required_scopes=["read"],
        vendor="Example, Inc.",
        uri="help.example.com",
    )
    made = (await registry.create(wanted)).application
    wanted.client.secret_count = 1
    assert made.client == wanted.client
    assert await registry.get(number=made.number) == made


@pytest.mark.parametrize("renewable", [None, False, True])
async def test_a_client_may_leave_open_whether_it_is_renewable(registry: Registry, *, renewable: bool | None) -> None:
    made = await registry.add(client(renewable=renewable))
    assert made.client == ClientApplication(renewable=renewable, secret_count=1)


async def test_members_of_a_client_that_are_not_given_stay_unset(registry: Registry) -> None:
    made = await registry.add(client())
    assert made.client == ClientApplication(secret_count=1)


async def test_a_registration_needs_no_client_secret(registry: Registry) -> None:
    made = await registry.add(provider(client_secret=""))
    assert not made.provider.client_secret_set


async def test_output_only_members_are_ignored(registry: Registry) -> None:
    wanted = provider()
    wanted.number, wanted.owner_id, wanted.etag, wanted.provider.client_secret_set = 70, 70, "x", True
    made = await registry.add(wanted)
    assert (made.number, made.owner_id, made.etag) == (2, 1, '"1"')


async def test_the_secret_of_a_registration_is_sealed_for_its_row(registry: Registry) -> None:
    first, second = [await registry.add(provider()) for _ in range(2)]
    sealed = [(await registry.row(made)).client_secret for made in (first, second)]
    assert sealed[0] != sealed[1]
    assert all(b"s3cret" not in value for value in sealed)


async def test_a_generated_secret_is_returned_once_and_only_its_digest_is_kept(registry: Registry) -> None:
    reply = await registry.create(client())
    assert len(reply.client_secret) == 43
    (stored,) = await registry.secrets(reply.application)
    digest = registry.almoner.service.keyring.digest(CLIENT_SECRET_DIGEST, reply.client_secret.encode())
    assert (stored.generated, stored.digest) == (True, digest.hex())
    assert reply.client_secret not in str(await registry.get(number=reply.application.number, view=SECRET))


async def test_a_chosen_secret_is_hashed_and_not_repeated(registry: Registry) -> None:
    reply = await registry.create(client(), client_secret="chosen by me")
    assert reply.client_secret == ""
    assert reply.application.client.secret_count == 1
    (stored,) = await registry.secrets(reply.application)
    assert not stored.generated
    assert await registry.almoner.service.passwords.verify(stored.digest, "chosen by me")


async def test_a_public_client_has_no_secret(registry: Registry) -> None:
    reply = await registry.create(client(), public=True)
    assert reply.client_secret == ""
    assert reply.application.client.secret_count == 0


INVALID: dict[str, tuple[Application, dict[str, Any], list[str]]] = {
    "no kind": (Application(name="neither"), {}, ["application.kind"]),
    "no name": (client(""), {}, ["application.name"]),
    "neither name nor kind": (Application(), {}, ["application.name", "application.kind"]),
    "no provider": (provider(provider=""), {}, ["application.provider.provider"]),
    "no client id": (provider(client_id=""), {}, ["application.provider.client_id"]),
    "a secret to verify for a registration": (provider(), {"client_secret": "chosen"}, ["client_secret"]),
    "a public registration": (provider(), {"public": True}, ["public"]),
    "a public client with a secret": (client(), {"public": True, "client_secret": "chosen"}, ["client_secret"]),
    "an id with a space": (Application(id="a b", name="x", client=ClientApplication()), {}, ["application.id"]),
    "no grant type": (client(grant_types=[0]), {}, ["application.client.grant_types[0]"]),
    "no time": (client(access_token_lifetime=Duration()), {}, ["application.client.access_token_lifetime"]),
    "no web address": (provider(token_uri="ftp://example.com"), {}, ["application.provider.token_uri"]),
}


@pytest.mark.parametrize(("application", "members", "fields"), INVALID.values(), ids=INVALID)
async def test_a_member_at_fault_is_named_and_nothing_is_stored(
    registry: Registry, application: Application, members: dict[str, Any], fields: list[str]
) -> None:
    refusal = await refusal_of(registry.create(application, **members))
    assert (refusal.code, refusal.reason, refusal.fields) == (StatusCode.INVALID_ARGUMENT, "INVALID_FIELD", fields)
    assert await registry.names() == []


async def test_an_id_can_be_chosen(registry: Registry) -> None:
    wanted = client()
    wanted.id = "Reports~2.0"
    assert (await registry.add(wanted)).id == "Reports~2.0"


async def test_an_id_that_is_not_chosen_is_a_uuid(registry: Registry) -> None:
    made = await registry.add(client())
    assert str(uuid.UUID(made.id)) == made.id


async def test_an_id_is_taken_once(registry: Registry) -> None:
    wanted = client()
    wanted.id = "reports"
    await registry.create(wanted)
    refusal = await refusal_of(registry.create(wanted))
    assert (refusal.code, refusal.reason) == (StatusCode.ALREADY_EXISTS, "ALREADY_EXISTS")
    assert refusal.metadata == {"id": "reports"}
    assert refusal.fields == ["application.id"]


async def test_of_many_who_want_an_id_at_once_one_gets_it(registry: Registry) -> None:
    wanted = client()
    wanted.id = "reports"
    results = await asyncio.gather(*(registry.create(wanted) for _ in range(6)), return_exceptions=True)
    refused = [result.code() for result in results if isinstance(result, BaseException) and hasattr(result, "code")]
    assert refused == [StatusCode.ALREADY_EXISTS] * 5
    assert await registry.names() == ["Reports"]


async def test_a_repeated_request_id_gets_the_same_reply_with_the_same_secret(registry: Registry) -> None:
    request_id = str(uuid.uuid4())
    first = await registry.create(client(), request_id=request_id)
    again = await registry.create(client(), request_id=request_id)
    assert again == first
    assert await registry.names() == ["Reports"]


async def test_a_request_id_is_for_one_payload(registry: Registry) -> None:
    request_id = str(uuid.uuid4())
    await registry.create(client(), request_id=request_id)
    refusal = await refusal_of(registry.create(client("Other"), request_id=request_id))
    assert (refusal.code, refusal.reason) == (StatusCode.ALREADY_EXISTS, "REQUEST_ID_REUSED")


async def test_an_application_can_be_made_in_another_organization(registry: Registry) -> None:
    acme = await registry.almoner.organization("Acme")
    wanted = client()
    wanted.organization_id = acme.id
    made = await registry.add(wanted)
    assert (made.organization_id, made.organization_number) == (acme.id, acme.number)


async def test_an_organization_that_does_not_exist_is_named(registry: Registry) -> None:
    wanted = client()
    wanted.organization_id = str(uuid.uuid4())
    refusal = await refusal_of(registry.create(wanted))
    assert (refusal.code, refusal.reason) == (StatusCode.NOT_FOUND, "ORGANIZATION_NOT_FOUND")
    assert refusal.metadata == {"id": wanted.organization_id}


async def test_a_creation_can_be_answered_with_the_secret(registry: Registry) -> None:
    reply = await registry.create(provider(), view=SECRET)
    assert reply.application.provider.client_secret == "s3cret"
    assert [event.resource for event in await registry.events("application.reveal")] == ["applications/2"]


async def test_a_creation_is_audited_without_secrets(registry: Registry) -> None:
    generated = (await registry.create(client())).client_secret
    await registry.create(client(), client_secret="chosen by me")
    await registry.create(client(), public=True)
    await registry.create(provider())
    events = await registry.events("application.create")
    assert [(event.actor, event.resource, event.organization) for event in events] == [
        ("admin", f"applications/{number}", 1) for number in (2, 3, 4, 5)
    ]
    assert [event.changes.get("secret") for event in events] == ["generated", "chosen", None, None]
    assert events[3].changes == {
        "kind": [None, 2],
        "name": [None, "Analytics"],
        "provider": [None, "google_analytics"],
        "client_id": [None, "id at the provider"],
        "client_secret": "set",
    }
    assert not any(secret in str(events) for secret in (generated, "chosen by me", "s3cret"))
