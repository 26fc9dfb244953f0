# SPDX-License-Identifier: Apache-2.0
"""Sealed columns: none is forgotten, and each comes under a new key with what it held."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from sqlalchemy import LargeBinary, Select, insert, select, text

from almoner.v1 import application_pb2 as applications
from almoner.v1 import profile_pb2 as profiles
from almoner.v1.application_service_pb2 import CreateApplicationRequest, GetApplicationRequest
from almoner.v1.application_service_pb2_grpc import ApplicationServiceStub
from almoner.v1.profile_service_pb2 import CreateProfileRequest, GetProfileRequest
from almoner.v1.profile_service_pb2_grpc import ProfileServiceStub
from service.clock import system_clock
from service.crypto.keyring import Where
from service.profiles.tables import ProfileRow
from service.resealing import AT_ONCE, SEALED, Resealed, keys_in_use, reseal_everything
from service.rpc.tables import RequestReplyRow
from service.schema import METADATA
from service.storage.tables import table_of

if TYPE_CHECKING:
    from service.storage.store import Tx
    from tests.running import Almoner


PROFILES = table_of(ProfileRow)


def scalar(tx: Tx, statement: Select[Any]) -> bytes:
    (value,) = tx.execute(statement).one()
    return bytes(value)


async def reseal(almoner: Almoner) -> list[Resealed]:
    return [each async for each in reseal_everything(almoner.service.store, almoner.service.keyring)]


async def in_use(almoner: Almoner) -> dict[int, int]:
    return await almoner.service.store.scan(keys_in_use)


async def keep_replies(almoner: Almoner, count: int) -> None:
    keyring = almoner.service.keyring
    ids = [str(uuid4()) for _ in range(count)]
    rows = [
        {
            "user_id": 1,
            "method": "/m",
            "request_id": request_id,
            "request_digest": b"",
            "reply": keyring.seal(request_id, Where("request_replies", "reply", f"1//m/{request_id}")),
            "created": 0,
        }
        for request_id in ids
    ]

    def write(tx: Tx) -> None:
        tx.execute(insert(table_of(RequestReplyRow)), rows)

    await almoner.service.store.write(write)


KEYED_DIGESTS = {
    "grants.access_token",
    "grants.refresh_token",
    "device_authorizations.device_code",
    "device_authorizations.user_code",
}
"""Binary columns that hold a digest whatever they are called."""


def test_every_binary_column_that_is_no_digest_is_listed() -> None:
    binary = {
        f"{table.name}.{column.name}"
        for table in METADATA.tables.values()
        for column in table.columns
        if isinstance(column.type, LargeBinary) and not column.name.endswith("digest")
    }
    assert {str(column) for column in SEALED} == binary - KEYED_DIGESTS
    assert binary >= KEYED_DIGESTS


async def test_everything_comes_under_the_new_key_with_what_it_held(almoner: Almoner) -> None:
    registry, desk = almoner.stub(ApplicationServiceStub), almoner.stub(ProfileServiceStub)
    keyring = almoner.service.keyring
    provider = applications.ProviderRegistration(
        provider="p",
        authorize_uri="https://p.example/a",
        token_uri="https://p.example/t",
        client_id="c",
        client_secret="of app",
    )
    registration = CreateApplicationRequest(
        application=applications.Application(name="a", provider=provider), request_id=str(uuid4())
    )
    application = (await registry.CreateApplication(registration, metadata=almoner.as_admin)).application
    bound = profiles.Profile(
        name="bound", application_number=application.number, access_token="A", refresh_token="R", verification_token="V"
    )
    creation = CreateProfileRequest(profile=bound, request_id=str(uuid4()), view=profiles.PROFILE_VIEW_TOKENS)
    made = await desk.CreateProfile(creation, metadata=almoner.as_admin)
    client = profiles.ClientCredentials(client_id="c", client_secret="of profile")
    inline = CreateProfileRequest(profile=profiles.Profile(name="inline", provider="p", client=client))
    inline_id = (await desk.CreateProfile(inline, metadata=almoner.as_admin)).profile.id
    before = await in_use(almoner)
    assert set(before) == {1}

    assert keyring.rotate(system_clock) == 2
    done = await reseal(almoner)

    assert sum(each.values for each in done) == before[1]
    assert await in_use(almoner) == {2: before[1]}
    seen = GetApplicationRequest(number=application.number, view=applications.APPLICATION_VIEW_SECRET)
    shown = (await registry.GetApplication(seen, metadata=almoner.as_admin)).application
    assert shown.provider.client_secret == "of app"
    opened = GetProfileRequest(id=made.profile.id, view=profiles.PROFILE_VIEW_TOKENS)
    profile = (await desk.GetProfile(opened, metadata=almoner.as_admin)).profile
    assert (profile.access_token, profile.refresh_token) == ("A", "R")
    assert profile.etag == made.profile.etag, "sealing again is no change of the resource"
    assert await desk.CreateProfile(creation, metadata=almoner.as_admin) == made, "the kept reply is readable"
    for profile_id, column, value in (
        (made.profile.id, "verification_token", "V"),
        (inline_id, "client_secret", "of profile"),
    ):
        stored = select(PROFILES.c[column]).where(PROFILES.c.id == profile_id)
        sealed = await almoner.service.store.read(partial(scalar, statement=stored))
        assert keyring.unseal_text(sealed, Where("profiles", column, profile_id)) == value


async def test_it_goes_on_where_a_transaction_ended(almoner: Almoner) -> None:
    await keep_replies(almoner, 2 * AT_ONCE + 1)
    almoner.service.keyring.rotate(system_clock)
    assert [each.values for each in await reseal(almoner)] == [AT_ONCE, AT_ONCE, 1]
    assert await reseal(almoner) == []


async def test_what_does_not_open_is_named_and_holds_up_nothing_else(almoner: Almoner) -> None:
    await keep_replies(almoner, 3)
    await almoner.service.store.write(
        lambda tx: tx.execute(
            text(
                "UPDATE request_replies SET method = '/moved' WHERE request_id = (SELECT MIN(request_id) FROM request_replies)"
            )
        )
    )
    almoner.service.keyring.rotate(system_clock)
    (done,) = await reseal(almoner)
    assert done.values == 2
    (line,) = done.unreadable
    assert "request_replies.reply of row 1//moved/" in line
    assert await in_use(almoner) == {1: 1, 2: 2}
