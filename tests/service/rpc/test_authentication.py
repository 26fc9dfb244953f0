# SPDX-License-Identifier: Apache-2.0
"""What the metadata of a call says about its caller, as far as no single RPC decides it."""

from __future__ import annotations

import asyncio
import base64
from typing import TYPE_CHECKING, Any

import pytest
from grpc import StatusCode

from almoner.v1.directory_service_pb2 import WhoAmIRequest, WhoAmIResponse
from service.access.permissions import Permission
from service.rpc.call import current_call, current_caller
from tests.refusals import refusal_of
from tests.service.profiles.desk import P, person
from tests.service.rpc.fakes import faking

if TYPE_CHECKING:
    from tests.running import Almoner, Metadata


async def who(almoner: Almoner, metadata: Metadata) -> str:
    reply = await almoner.directory.WhoAmI(WhoAmIRequest(), metadata=metadata)
    return str(reply.user.username)


@pytest.mark.parametrize(
    "authorization",
    [
        "Bearer test-api-token-of-admin",
        "bearer test-api-token-of-admin",
        "BEARER  test-api-token-of-admin ",
        "basic " + base64.b64encode(b"admin:correct horse battery staple").decode(),
    ],
)
async def test_schemes_are_named_in_any_case(served: Almoner, authorization: str) -> None:
    assert await who(served, (("authorization", authorization),)) == "admin"


@pytest.mark.parametrize(
    ("authorization", "reason"),
    [
        ("", "CREDENTIALS_MISSING"),
        ("Bearer", "CREDENTIALS_MISSING"),
        ("Bearer ", "CREDENTIALS_MISSING"),
        ("Basic", "CREDENTIALS_MISSING"),
        ("Basic ???", "CREDENTIALS_MISSING"),
        ("Basic " + base64.b64encode(b"admin").decode(), "CREDENTIALS_MISSING"),
        ("Basic " + base64.b64encode(b"\xff\xff:x").decode(), "CREDENTIALS_MISSING"),
        ("Basic " + base64.b64encode(b"ad\x00min:x").decode(), "CREDENTIALS_MISSING"),
        ("Digest username=admin", "CREDENTIALS_MISSING"),
        ("test-api-token-of-admin", "CREDENTIALS_MISSING"),
        ("Bearer Test-api-token-of-admin", "CREDENTIALS_INVALID"),
        ("Bearer test-api-token-of-admin2", "CREDENTIALS_INVALID"),
        ("Basic " + base64.b64encode(b"nobody:x").decode(), "CREDENTIALS_INVALID"),
        ("Basic " + base64.b64encode(b"admin:").decode(), "CREDENTIALS_INVALID"),
    ],
)
async def test_what_is_wrong_with_credentials_is_told_apart_from_their_lack(
    served: Almoner, local: Almoner, authorization: str, reason: str
) -> None:
    metadata = (("authorization", authorization),) if authorization else ()
    for almoner in (served, local):
        refusal = await refusal_of(who(almoner, metadata))
        assert (refusal.code, refusal.reason) == (StatusCode.UNAUTHENTICATED, reason)


@pytest.mark.parametrize("scheme", ["Bearer", "Basic"])
async def test_credentials_have_a_bound(local: Almoner, scheme: str) -> None:
    """A socket may refuse them before: gRPC counts 8 KiB of metadata."""
    refusal = await refusal_of(who(local, (("authorization", f"{scheme} {'x' * 9000}"),)))
    assert (refusal.code, refusal.reason) == (StatusCode.UNAUTHENTICATED, "CREDENTIALS_MISSING")


async def test_a_method_outside_the_api_needs_no_credentials(served: Almoner, *, over_grpc: bool) -> None:
    async def answer(_request: WhoAmIRequest, _context: Any) -> WhoAmIResponse:
        with pytest.raises(LookupError):
            current_caller()
        return WhoAmIResponse()

    async with faking(served.service, answer, over_grpc=over_grpc) as fake:
        assert await fake.call() == WhoAmIResponse()


async def test_a_method_of_the_api_knows_its_caller(served: Almoner, *, over_grpc: bool) -> None:
    seen = []

    async def answer(_request: WhoAmIRequest, _context: Any) -> WhoAmIResponse:
        seen.append((current_caller().username, current_call().request_id))
        return WhoAmIResponse()

    async with faking(served.service, answer, over_grpc=over_grpc, package="almoner.v1") as fake:
        assert (await refusal_of(fake.call())).reason == "CREDENTIALS_MISSING"
        await fake.call((*served.as_admin_token, ("x-request-id", "the-request")))
    assert seen == [("admin", "the-request")]


async def test_a_dialect_can_demand_more_than_the_method_does(served: Almoner) -> None:
    held = await person(served, "", (P.MANAGEMENT_API, P.WEB_UI))

    def demanding(names: str) -> Metadata:
        return (*held.by, ("almoner-required-permissions", names))

    for names in ("MANAGEMENT_API", "MANAGEMENT_API,WEB_UI"):
        assert await who(served, demanding(names)) == held.username
    for names, missing in {
        "PROFILES_ALL": "PROFILES_ALL",
        "WEB_UI,PROFILES_ALL": "PROFILES_ALL",
        "ADMINISTRATOR": "ADMINISTRATOR",
        "NONSENSE": "ADMINISTRATOR",
        "WEB_UI,": "ADMINISTRATOR",
        "web_ui": "ADMINISTRATOR",
    }.items():
        refusal = await refusal_of(who(served, demanding(names)))
        assert (refusal.code, refusal.reason) == (StatusCode.PERMISSION_DENIED, "PERMISSION_MISSING")
        assert refusal.metadata == {"permission": missing}


async def test_an_administrator_meets_every_demand_that_there_is(served: Almoner) -> None:
    names = ",".join(Permission.__members__)
    assert await who(served, (*served.as_admin_token, ("almoner-required-permissions", names))) == "admin"


async def test_a_demand_is_on_the_actor_not_on_whom_they_act_for(served: Almoner) -> None:
    actor, subject = await person(served, "", (P.ON_BEHALF_OF, P.MANAGEMENT_API)), await person(served, "")
    metadata = (*actor.acting_for(subject), ("almoner-required-permissions", "MANAGEMENT_API"))
    assert await who(served, metadata) == subject.username


async def test_callers_of_calls_that_run_together_are_told_apart(served: Almoner, *, over_grpc: bool) -> None:
    everybody = [await person(served, "") for _ in range(5)]
    together = asyncio.Barrier(len(everybody))

    async def answer(_request: WhoAmIRequest, _context: Any) -> WhoAmIResponse:
        before = current_caller().username
        await together.wait()
        reply = WhoAmIResponse()
        reply.user.username = current_caller().username
        assert before == reply.user.username
        return reply

    async with faking(served.service, answer, over_grpc=over_grpc, package="almoner.v1") as fake:
        replies = await asyncio.gather(*(fake.call(each.by) for each in everybody))
    assert [reply.user.username for reply in replies] == [each.username for each in everybody]
