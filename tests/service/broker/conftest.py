# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.running import running
from tests.service.broker.bench import Bench
from tests.service.grants.tokens.counter import Time
from tests.service.profiles.desk import open_desk

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.broker_faults.provider.process import Provider
    from tests.databases import Template


@pytest.fixture
async def bench(template: Template, tmp_path: Path, provider: Provider) -> AsyncIterator[Bench]:
    """The profiles of a new organization on each backend, a client at a provider, and a clock that tests set."""
    time = Time()
    settings: dict[str, Any] = {"outgoing_allow_http": True, "outgoing_allow_private": True, "provider_timeout": 0.5}
    async with running(template, tmp_path, clock=time, **settings) as almoner:
        yield Bench(await open_desk(almoner), await provider.client(), time)
