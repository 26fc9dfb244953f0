# SPDX-License-Identifier: Apache-2.0
"""The house that benchmarks fill is one that the service serves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.fill import Sizes, fill
from benchmarks.servers import PASSWORD, TOKEN
from tests.databases import settings_for
from tests.running import running_on
from tests.service.profiles.desk import Desk, Organization, Person

if TYPE_CHECKING:
    from pathlib import Path


async def test_a_filled_house_can_be_served(tmp_path: Path) -> None:
    settings = settings_for(tmp_path, bootstrap_admin_password=PASSWORD, bootstrap_api_token=TOKEN)
    await fill(settings, Sizes(profiles=50, applications=10, users=5, organizations=2))

    async with running_on(settings) as almoner:
        admin = Person(1, "admin", (("authorization", f"Bearer {TOKEN}"),))
        desk = Desk(almoner, Organization(), admin)
        profiles = (await desk.page(organization_id="-", page_size=100)).profiles
        assert len(profiles) == 50
        assert {profile.stored.refresh_token for profile in profiles} == {True}
