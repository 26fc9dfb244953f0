# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from service.webhooks import dispatcher
from service.webhooks.pace import Pace
from tests.running import running
from tests.service.grants.tokens.counter import Time
from tests.service.webhooks.office import Office, open_office
from tests.service.webhooks.receiver import Receiver, receiving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.databases import Template

LOCAL: dict[str, Any] = {"outgoing_allow_http": True, "outgoing_allow_private": True}
"""Settings that let deliveries go to this machine."""

FAST = Pace(timeout=0.5, first_pause=1_000, longest_pause=4_000, lease=0.5, sign_of_life=0.1, look=0.02, rest=0.02)


@pytest.fixture(autouse=True)
def _fast(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets everything happen so soon that nobody has to wait for it."""
    monkeypatch.setattr(dispatcher, "Pace", lambda: FAST)


@pytest.fixture
def clock() -> Time:
    """A clock that stands still, for those who ask for it."""
    return Time()


@pytest.fixture
async def office(template: Template, tmp_path: Path) -> AsyncIterator[Office]:
    """The webhooks of a new organization, on each backend."""
    async with running(template, tmp_path, **LOCAL) as almoner:
        yield await open_office(almoner)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as receiver:
        yield receiver
