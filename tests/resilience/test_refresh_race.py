# SPDX-License-Identifier: Apache-2.0
"""50 callers with one refresh token, spread over two worker processes: one wins, and nothing of the grant is left."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from grpc.aio import AioRpcError

from almoner.v1 import token_service_pb2, token_service_pb2_grpc
from tests.command.processes import Almoner as Command
from tests.databases import ADMIN_PASSWORD
from tests.refusals import read_refusal, refusal_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.command.shell import Shell
    from tests.databases import Template

CALLERS = 50
T = token_service_pb2


@pytest.fixture
async def command(template: Template, tmp_path: Path, shell: Shell) -> AsyncIterator[Command]:
    """The command with a database of each backend that has been started once."""
    async with template.copy(tmp_path / "data") as settings:
        yield Command(tmp_path, shell, {"ALMONER_DATABASE_URL": settings.database_url})


@pytest.mark.timeout(180)
async def test_with_two_worker_processes_one_wins_and_nobody_keeps_anything(command: Command) -> None:
    with command.serving("serve", "--workers", "2") as server:
        assert len(server.children()) == 2
        async with AsyncExitStack() as stack:
            # A connection each: the system gives them to the workers in turn.
            stubs = [await _connected(stack, server.grpc) for _ in range(CALLERS)]
            first = await _issue(stubs[0])
            outcomes = await asyncio.gather(*(_refresh(stub, first.refresh_token) for stub in stubs))
            winners = [outcome for outcome in outcomes if not isinstance(outcome, str)]
            assert len(winners) == 1
            assert {outcome for outcome in outcomes if isinstance(outcome, str)} == {"REFRESH_TOKEN_REUSED"}
            for stub in stubs:
                for tokens in (first, winners[0]):
                    verify = T.VerifyTokenRequest(access_token=tokens.access_token)
                    assert (await refusal_of(stub.VerifyToken(verify))).reason == "TOKEN_INVALID"
            assert await _refresh(stubs[0], winners[0].refresh_token) == "TOKEN_INVALID"
        assert server.stop() == 0


async def _connected(stack: AsyncExitStack, target: str) -> Any:
    channel = grpc.aio.insecure_channel(target, options=(("grpc.use_local_subchannel_pool", 1),))
    await stack.enter_async_context(channel)
    await channel.channel_ready()
    return token_service_pb2_grpc.TokenServiceStub(channel)


async def _issue(stub: Any) -> Any:
    password = T.PasswordCredential(username="admin", password=ADMIN_PASSWORD)
    request = T.IssueTokenRequest(client_id="almoner", scopes=["admin"], password=password)
    return (await stub.IssueToken(request)).tokens


async def _refresh(stub: Any, refresh_token: str) -> Any:
    """Returns the new tokens, or the reason of the refusal."""
    try:
        return (await stub.RefreshToken(T.RefreshTokenRequest(client_id="almoner", refresh_token=refresh_token))).tokens
    except AioRpcError as error:
        return read_refusal(error).reason
