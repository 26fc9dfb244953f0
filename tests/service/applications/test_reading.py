# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from grpc import StatusCode

from tests.refusals import refusal_of
from tests.service.applications.registry import SECRET, client, provider

if TYPE_CHECKING:
    from tests.service.applications.registry import Registry


async def test_an_application_is_found_by_id_and_by_number(registry: Registry) -> None:
    made = await registry.add(provider())
    assert await registry.get(id=made.id) == await registry.get(number=made.number) == made


async def test_digits_as_an_id_are_no_number(registry: Registry) -> None:
    first, second = client("first"), client("second")
    second.id = "1"
    await registry.add(first)
    await registry.add(second)
    assert (await registry.get(id="1")).name == "second"
    assert (await registry.get(number=2)).name == "first"


@pytest.mark.parametrize("key", [{"id": "unknown"}, {"number": 0}, {"number": -1}, {"number": 2**63 - 1}])
async def test_an_application_that_does_not_exist_is_not_found(registry: Registry, key: dict[str, Any]) -> None:
    refusal = await refusal_of(registry.get(**key))
    assert (refusal.code, refusal.reason) == (StatusCode.NOT_FOUND, "APPLICATION_NOT_FOUND")
    assert refusal.metadata == {"id": str(next(iter(key.values())))}


async def test_a_key_is_required(registry: Registry) -> None:
    refusal = await refusal_of(registry.get())
    assert (refusal.code, refusal.reason) == (StatusCode.INVALID_ARGUMENT, "INVALID_FIELD")


async def test_a_secret_is_read_only_when_it_is_asked_for(registry: Registry) -> None:
    made = await registry.add(provider(client_secret="geheim ⚷"))
    assert (await registry.get(number=made.number)).provider.client_secret == ""
    assert (await registry.get(number=made.number, view=SECRET)).provider.client_secret == "geheim ⚷"


async def test_every_reading_of_a_secret_is_audited(registry: Registry) -> None:
    made = await registry.add(provider())
    await registry.get(number=made.number)
    assert await registry.events("application.reveal") == []
    await registry.get(number=made.number, view=SECRET)
    await registry.get(id=made.id, view=SECRET)
    events = await registry.events("application.reveal")
    assert [(event.actor, event.resource, event.organization, event.changes) for event in events] == [
        ("admin", f"applications/{made.number}", 1, {})
    ] * 2


@pytest.mark.parametrize("wanted", [provider(client_secret=""), client()], ids=["provider", "client"])
async def test_where_there_is_no_secret_none_is_shown(registry: Registry, wanted: Any) -> None:
    made = await registry.add(wanted)
    assert await registry.get(number=made.number, view=SECRET) == made
