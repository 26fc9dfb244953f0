# SPDX-License-Identifier: Apache-2.0
"""That a look at every row sees what there is to see: else nothing here would be proved to change nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import update

from service.profiles.tables import ProfileRow
from service.storage.tables import table_of

if TYPE_CHECKING:
    from tests.bad_input.conftest import World


async def test_what_a_call_makes_is_seen(world: World) -> None:
    before = await world.rows()
    assert await world.rows() == before

    await world.rest.tenant()

    assert await world.rows() != before


async def test_one_row_that_is_changed_is_seen(world: World) -> None:
    before = await world.rows()

    await world.rest.almoner.service.store.write(
        lambda tx: tx.execute(update(table_of(ProfileRow)).values(description="Changed"))
    )

    assert await world.rows() != before
