# SPDX-License-Identifier: Apache-2.0
"""A world with one of everything, and a look at every row of its database."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from sqlalchemy import select, text

from almoner.v1 import directory_service_pb2
from service.audit.tables import AuditSealRow
from service.schema import METADATA
from tests.rest import ADMIN_BASIC, CONNECTIONS, Rest, gateway_over
from tests.running import running
from tests.service.grants.office import Office
from tests.service.profiles.desk import Person

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from service.storage.store import Tx
    from tests.databases import Template

# What is written in the background while a test runs.
OF_THE_BACKGROUND = {AuditSealRow.__tablename__}
COLUMNS_OF_THE_BACKGROUND = {"seal", "last_used"}

# What is another value as soon as anything has been committed.
COMMITS = {
    "sqlite": text("PRAGMA data_version"),
    "postgresql": text("SELECT CAST(pg_snapshot_xmax(pg_current_snapshot()) AS text)"),
}


def commits(tx: Tx) -> Any:
    """Returns what tells whether anything has been committed since it was looked at last."""
    return tx.execute(COMMITS[tx.dialect.name]).scalar_one()


def every_row(tx: Tx) -> dict[str, list[Any]]:
    """Returns all that is stored, by table."""
    return {
        table.name: sorted(
            map(
                tuple,
                tx.execute(select(*(column for column in table.c if column.name not in COLUMNS_OF_THE_BACKGROUND))),
            ),
            key=repr,
        )
        for table in METADATA.sorted_tables
        if table.name not in OF_THE_BACKGROUND
    }


class House(NamedTuple):
    """What a world is to run on."""

    template: Template
    over_grpc: bool


@dataclass
class World:
    """One of everything, by its id."""

    rest: Rest
    ids: dict[str, Any]
    seen: tuple[Any, dict[str, list[Any]]] = (None, {})

    async def rows(self) -> dict[str, list[Any]]:
        """Returns all that is stored; it is only looked at again if something has been committed since."""
        store = self.rest.almoner.service.store
        committed = await store.read(commits)
        if committed != self.seen[0]:
            self.seen = committed, await store.scan(every_row)
        return self.seen[1]

    def fill(self, text: str) -> str:
        """Returns a text with `<name>` replaced by the id of that name."""
        for name, number in self.ids.items():
            text = text.replace(f"<{name}>", str(number))
        return text


@pytest.fixture(scope="module", params=["sqlite-in_process", "postgresql-over_grpc"])
def house(request: pytest.FixtureRequest) -> House:
    """Each backend and each transport once: what refuses input is the same code in every combination."""
    backend, _, transport = request.param.partition("-")
    name = "sqlite_template" if backend == "sqlite" else "postgres_template"
    return House(request.getfixturevalue(name), over_grpc=transport == "over_grpc")


@pytest.fixture(scope="module")
async def world(house: House, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    directory = tmp_path_factory.mktemp("world")
    async with (
        running(house.template, directory, over_grpc=house.over_grpc) as almoner,
        gateway_over(almoner) as rest,
    ):
        yield await make_world(rest)


async def make_world(rest: Rest) -> World:
    tenant = await rest.tenant()
    user = await rest.member(tenant, roles=(2,))
    application = await rest.application()
    profile = await rest.profile(application)
    custom = await rest.custom_profile()
    connection = await rest.post(CONNECTIONS, {"name": "C", "provider": "p", "custom_oauth_profile_id": custom})
    role = await rest.post("/api/admin/roles", {"name": "R", "permissions": [5]})
    elsewhere = await rest.application(tenant)
    ids = {
        "tenant": tenant.number,
        "organization": tenant.id,
        "user": user.id,
        "username": user.username.replace(" ", "%20"),
        "application": application,
        "profile": profile,
        "custom": custom,
        "connection": connection.json()["id"],
        "role": role.json()["id"],
        "elsewhere": elsewhere,
    }
    system = await rest.almoner.directory.GetOrganization(
        directory_service_pb2.GetOrganizationRequest(number=1), metadata=rest.almoner.as_admin_token
    )
    office = Office(rest.almoner, system.organization, Person(1, "admin", rest.almoner.as_admin_token))
    member, newcomer = await office.person(), await office.person()
    client, provider = await office.application(), await office.registration()
    ids |= {
        "client": client.id,
        "provider": provider.id,
        "newcomer": newcomer.id,
        "rule": (await office.rule(client, member)).id,
        "ruled": member.id,
        "grant": await office.grant(client, member),
        "mapping": (await office.mapping()).name,
    }
    await rest.get("/api/mgmt/permissions", by=ADMIN_BASIC)
    # Or the changes would get their positions some time later.
    await rest.almoner.service.feed.catch_up()
    return World(rest, ids)


@pytest.fixture
async def unchanged(world: World) -> AsyncIterator[None]:
    """Demands that the test leaves every row as it was."""
    before = await world.rows()
    yield
    assert await world.rows() == before
