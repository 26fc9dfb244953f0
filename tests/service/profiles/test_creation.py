# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from grpc import StatusCode

from almoner.v1.profile_pb2 import LinkCounts, StoredSecrets
from tests.refusals import refusal_of
from tests.service.profiles.desk import Credentials, P, Profile, open_desk, own

if TYPE_CHECKING:
    from tests.service.profiles.desk import Desk


async def test_a_profile_of_an_application_shows_what_the_application_adds(desk: Desk) -> None:
    application = await desk.application()
    made = await desk.create(
        Profile(name="Weekly", description="for\nthe report", application_number=application.number)
    )
    assert made.id > 0
    assert (made.organization_id, made.organization_number) == (desk.organization.id, desk.organization.number)
    assert (made.owner_id, made.creator_id) == (desk.chief.id, desk.chief.id)
    assert (made.name, made.description) == ("Weekly", "for\nthe report")
    assert made.application_number == application.number
    assert (made.provider, made.client_id) == ("google_analytics", "id-at-the-provider")
    assert made.authorize_uri == "https://accounts.example.com/auth"
    assert made.token_uri == "https://accounts.example.com/token"
    assert made.scope == "analytics.readonly offline"
    assert made.stored == StoredSecrets()
    assert made.link_counts == LinkCounts()
    assert made.etag == '"1"'
    assert made.create_time == made.update_time
    assert made.create_time.seconds > 1_700_000_000
    assert await desk.get(made.id) == made


async def test_a_profile_with_credentials_of_its_own_shows_them_without_the_secret(desk: Desk) -> None:
    made = await desk.create(
        own(provider="hubspot", access_token="a-token", refresh_token="r-token", verification_token="v-token")
    )
    assert made.WhichOneof("source") == "client"
    assert made.client == Credentials(client_id="our-id")
    assert (made.client_id, made.provider) == ("our-id", "hubspot")
    assert (made.authorize_uri, made.token_uri, made.scope) == ("", "", "")
    assert made.stored == StoredSecrets(
        client_secret=True, access_token=True, refresh_token=True, verification_token=True
    )
    assert (made.access_token, made.refresh_token, made.verification_token) == ("", "", "")
    assert await desk.get(made.id) == made


async def test_output_only_members_are_ignored(desk: Desk) -> None:
    moment = Timestamp(seconds=1)
    wanted = own(
        id=70, organization_id="x", organization_number=70, owner_id=70, creator_id=70, client_id="x",
        authorize_uri="x", token_uri="x", scope="x", etag="x", create_time=moment, update_time=moment,
        stored=StoredSecrets(access_token=True), link_counts=LinkCounts(customers=70),
    )  # fmt: skip
    made = await desk.create(wanted)
    plain = await desk.create(own())
    for member in ("id", "create_time", "update_time"):
        made.ClearField(member)
        plain.ClearField(member)
    assert made == plain


async def test_with_an_application_the_provider_is_output_only(desk: Desk) -> None:
    application = await desk.application()
    made = await desk.create(Profile(name="Weekly", provider="hubspot", application_number=application.number))
    assert made.provider == "google_analytics"


async def test_names_need_not_be_unique(desk: Desk) -> None:
    first, second = await desk.create(own("Same")), await desk.create(own("Same"))
    assert first.id != second.id


async def test_any_text_comes_back_as_it_was_given(desk: Desk) -> None:
    text = "Ünï \N{GRINNING FACE} \u202e ' \" -- % _ \\ \N{COMBINING ACUTE ACCENT} ;"
    made = await desk.create(
        own(text, description=text + "\n\t", provider=text, client=Credentials(client_id=text, client_secret=text))
    )
    assert (made.name, made.description, made.provider, made.client_id) == (text, text + "\n\t", text, text)


async def test_members_may_be_as_long_as_the_contract_says(desk: Desk) -> None:
    made = await desk.create(
        own(
            "n" * 255,
            description="d" * 4096,
            provider="p" * 255,
            client=Credentials(client_id="i" * 1024, client_secret="s" * 4096),
            access_token="a" * 16384,
            refresh_token="r" * 16384,
            verification_token="v" * 16384,
        )
    )
    assert len(made.client_id) == 1024


async def test_secrets_are_sealed_for_their_row_and_column(desk: Desk) -> None:
    secret = "one-secret-for-all"
    wanted = own(
        client=Credentials(client_id="i", client_secret=secret),
        access_token=secret,
        refresh_token=secret,
        verification_token=secret,
    )
    rows = [await desk.row(await desk.create(wanted)) for _ in range(2)]
    sealed = [
        getattr(row, column)
        for row in rows
        for column in ("client_secret", "access_token", "refresh_token", "verification_token")
    ]
    assert len(set(sealed)) == 8
    assert all(secret.encode() not in value for value in sealed)


LONG = "x" * 20_000
INVALID: dict[str, tuple[dict[str, Any], list[str]]] = {
    "no profile": ({}, ["profile"]),
    "nothing in it": ({"profile": Profile()}, ["profile.name", "profile.application_number"]),
    "no name": ({"profile": own("")}, ["profile.name"]),
    "no source": ({"profile": Profile(name="n", provider="p")}, ["profile.application_number"]),
    "empty credentials": ({"profile": own(client=Credentials())}, ["profile.application_number"]),
    "no client id": ({"profile": own(client=Credentials(client_secret="s"))}, ["profile.client.client_id"]),
    "no client secret": ({"profile": own(client=Credentials(client_id="i"))}, ["profile.client.client_secret"]),
    "no provider": ({"profile": own(provider="")}, ["profile.provider"]),
    "only a client id": (
        {"profile": Profile(client=Credentials(client_id="i"))},
        ["profile.name", "profile.client.client_secret", "profile.provider"],
    ),
    "application 0": ({"profile": Profile(name="n", application_number=0)}, ["profile.application_number"]),
    "application -1": ({"profile": Profile(name="n", application_number=-1)}, ["profile.application_number"]),
    "a long name": ({"profile": own("n" * 256)}, ["profile.name"]),
    "a name of two lines": ({"profile": own("a\nb")}, ["profile.name"]),
    "a long description": ({"profile": own(description="d" * 4097)}, ["profile.description"]),
    "NUL in the description": ({"profile": own(description="a\x00b")}, ["profile.description"]),
    "a long provider": ({"profile": own(provider="p" * 256)}, ["profile.provider"]),
    "a long client id": (
        {"profile": own(client=Credentials(client_id="i" * 1025, client_secret="s"))},
        ["profile.client.client_id"],
    ),
    "a long client secret": (
        {"profile": own(client=Credentials(client_id="i", client_secret="s" * 4097))},
        ["profile.client.client_secret"],
    ),
    "a client secret with a control character": (
        {"profile": own(client=Credentials(client_id="i", client_secret="s\x7f"))},
        ["profile.client.client_secret"],
    ),
    "a long access token": ({"profile": own(access_token=LONG)}, ["profile.access_token"]),
    "a long refresh token": ({"profile": own(refresh_token=LONG)}, ["profile.refresh_token"]),
    "a long verification token": ({"profile": own(verification_token=LONG)}, ["profile.verification_token"]),
    "a token of two lines": ({"profile": own(refresh_token="a\r\nb")}, ["profile.refresh_token"]),
    "no such view": ({"profile": own(), "view": 99}, ["view"]),
    "a request id that is no UUID": ({"profile": own(), "request_id": "first"}, ["request_id"]),
    "several at once": (
        {"profile": own("n" * 256, description="d" * 4097), "view": 99},
        ["profile.name", "profile.description", "view"],
    ),
}


@pytest.mark.parametrize(("members", "fields"), INVALID.values(), ids=INVALID)
async def test_a_member_at_fault_is_named_and_nothing_is_stored(
    desk: Desk, members: dict[str, Any], fields: list[str]
) -> None:
    refusal = await refusal_of(desk.call("CreateProfile", **members))
    assert (refusal.code, refusal.reason) == (StatusCode.INVALID_ARGUMENT, "INVALID_FIELD")
    assert sorted(refusal.fields) == sorted(fields)
    assert await desk.names() == []
    assert await desk.events("profile.create") == []


async def test_an_application_that_does_not_exist_cannot_be_used(desk: Desk) -> None:
    refusal = await refusal_of(desk.create(Profile(name="n", application_number=2**63 - 1)))
    assert (refusal.code, refusal.reason) == (StatusCode.NOT_FOUND, "APPLICATION_NOT_FOUND")
    assert refusal.fields == ["profile.application_number"]
    assert refusal.metadata == {"id": str(2**63 - 1)}


async def test_an_application_of_another_organization_does_not_exist(desk: Desk) -> None:
    elsewhere = await open_desk(desk.almoner)
    application = await elsewhere.application()
    refusal = await refusal_of(desk.create(Profile(name="n", application_number=application.number)))
    assert (refusal.code, refusal.reason) == (StatusCode.NOT_FOUND, "APPLICATION_NOT_FOUND")


async def test_applications_of_the_first_organization_serve_all(desk: Desk) -> None:
    application = await desk.application(organization_id="")
    assert application.organization_number == 1
    made = await desk.create(Profile(name="n", application_number=application.number))
    assert made.organization_id == desk.organization.id
    assert made.client_id == "id-at-the-provider"


async def test_a_client_application_is_the_wrong_kind(desk: Desk) -> None:
    application = await desk.client()
    refusal = await refusal_of(desk.create(Profile(name="n", application_number=application.number)))
    assert (refusal.code, refusal.reason) == (StatusCode.FAILED_PRECONDITION, "WRONG_KIND")
    assert refusal.fields == ["profile.application_number"]


async def test_no_permission_on_the_application_is_needed_to_use_it(desk: Desk) -> None:
    application = await desk.application()
    somebody = await desk.person(P.PROFILES_CREATE)
    made = await desk.create(Profile(name="n", application_number=application.number), somebody.by)
    assert made.owner_id == somebody.id


async def test_what_was_created_is_audited_without_secrets(desk: Desk) -> None:
    made = await desk.create(own(description="d", access_token="a-token", verification_token="v-token"))
    (event,) = await desk.events("profile.create")
    assert (event.actor, event.subject, event.resource) == (desk.chief.username, "", f"profiles/{made.id}")
    assert event.changes == {
        "name": [None, "Grant"],
        "description": [None, "d"],
        "provider": [None, "hubspot"],
        "client_id": [None, "our-id"],
        "client_secret": "set",
        "access_token": "set",
        "verification_token": "set",
    }
