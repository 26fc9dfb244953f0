# SPDX-License-Identifier: Apache-2.0
"""A large house: `python -m benchmarks.fill --data-dir DIR [--database-url URL] [--profiles N] …`.

Makes a database that must be new, starts the service on it once, and writes organizations, users, applications and
profiles straight into it, sealed for real. What is written depends on the sizes alone, but for the nonces of the seals.
Passwords are PASSWORD for everybody, and user n has the API token `token_of(n)`.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import os
import random
import sys
import time
from dataclasses import dataclass, fields
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias
from uuid import UUID

from benchmarks.servers import PASSWORD, TOKEN
from service import logs
from service.access.authentication import API_TOKEN_DIGEST
from service.access.caller import organization_place
from service.applications.drafts import Draft, stored
from service.applications.secrets import CLIENT_SECRET_DIGEST
from service.applications.tables import ApplicationKind, ApplicationRow, ApplicationSecretRow
from service.clock import SECOND
from service.crypto.keyring import Where
from service.directory.tables import ApiTokenRow, OrganizationRow, RoleBindingRow, UserRow
from service.grants.tables import GrantType
from service.profiles.tables import ProfileRow
from service.profiles.tokens import NO_TOKENS, Present, tried_anew
from service.server import open_service
from service.settings import load_settings
from service.storage.migrate import migrate
from service.storage.tables import StoredRow, table_of
from service.transfer.bulk import go_on_behind, insert_rows, make_room

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from service.crypto.keyring import Keyring
    from service.server import Service
    from service.settings import Settings

Row: TypeAlias = dict[str, Any]

ROWS_AT_ONCE = 10_000
"""Rows of one transaction."""

BEGINNING = 1_700_000_000 * SECOND
"""When the first row of each table was made; the others follow, a second each."""

USER_ROLE = 2
"""Id of the built-in role that every user gets in their organization."""

_WORDS = (
    "amber", "basalt", "cedar", "delta", "ember", "fjord", "garnet", "harbor", "indigo", "juniper", "kestrel", "lagoon",
    "meadow", "nectar", "onyx", "prairie", "quartz", "river", "sierra", "tundra", "umber", "violet", "willow", "zenith",
)  # fmt: skip
_PROVIDERS = ("google", "salesforce", "microsoft", "github", "slack", "dropbox", "zendesk", "hubspot")


@dataclass(frozen=True)
class Sizes:
    """How many of each there are in the end, beside what the first start makes."""

    profiles: int = 1_000_000
    applications: int = 100_000
    users: int = 10_000
    organizations: int = 100


def token_of(user: int) -> str:
    """Returns the API token of a user by their id."""
    return f"{TOKEN}-{user}"


async def fill(settings: Settings, sizes: Sizes, tell: Callable[[str], None] = lambda _: None) -> None:
    """Fills the database that the settings name, which must be new.

    Args:
        settings: Where database and keyring are.
        sizes: How much of everything.
        tell: Is told what was written.
    """
    settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    await migrate(settings.database_url)
    service = open_service(settings)
    try:
        if await service.bootstrap() is None:
            raise SystemExit("the database is not new")
        house = _House(sizes, service.keyring, await service.passwords.hash(PASSWORD))
        await service.store.sweep(make_room)
        for row_class, rows in house.tables():
            started = time.monotonic()
            written = await _write(service, row_class, rows)
            rate = written / (time.monotonic() - started)
            tell(f"{table_of(row_class).name}: {written:,} rows, {rate:,.0f} a second")
        await service.store.write(lambda tx: go_on_behind(tx, {}))
    finally:
        await service.close()


async def _write(service: Service, row_class: type[StoredRow], rows: Iterable[Row]) -> int:
    table = table_of(row_class)
    written = 0
    remaining = iter(rows)
    while batch := list(itertools.islice(remaining, ROWS_AT_ONCE)):
        await service.store.sweep(partial(insert_rows, table=table, rows=batch))
        written += len(batch)
    return written


class _House:
    """The rows. Numbers begin behind those of the first start, which has made one of everything but profiles."""

    def __init__(self, sizes: Sizes, keyring: Keyring, password_digest: str) -> None:
        self._sizes = sizes
        self._keyring = keyring
        # One for all: a digest of their own for each takes longer than all other rows together.
        self._password_digest = password_digest

    def tables(self) -> Iterator[tuple[type[StoredRow], Iterator[Row]]]:
        """Yields tables with their rows, none before those that it refers to."""
        yield OrganizationRow, self._organizations()
        yield UserRow, self._users()
        yield RoleBindingRow, self._bindings()
        yield ApiTokenRow, self._api_tokens()
        yield ApplicationRow, self._applications()
        yield ApplicationSecretRow, self._application_secrets()
        yield ProfileRow, self._profiles()

    def _organization_of(self, number: int) -> int:
        return 2 + number % self._sizes.organizations

    def _organizations(self) -> Iterator[Row]:
        for number in _numbers(2, self._sizes.organizations):
            yield {
                "number": number,
                "id": str(UUID(int=number)),
                "display_name": f"Organization {number}",
                "description": "",
                "disabled": False,
                **_times(number),
            }

    def _users(self) -> Iterator[Row]:
        for number in _numbers(2, self._sizes.users):
            yield {
                "id": number,
                "organization": self._organization_of(number),
                "username": f"user{number}",
                "display_name": f"User {number}",
                "email": f"user{number}@example.com",
                "password_digest": self._password_digest,
                "password_expires": 0,
                "credential_revision": 1,
                "disabled": False,
                "locked": False,
                "permissions": "",
                "application_number": None,
                **_times(number),
            }

    def _bindings(self) -> Iterator[Row]:
        for number in _numbers(2, self._sizes.users):
            kind, place = organization_place(self._organization_of(number))
            yield {
                "id": number,
                "user_id": number,
                "role_id": USER_ROLE,
                "place_kind": int(kind),
                "place_number": place,
                "created": BEGINNING,
            }

    def _api_tokens(self) -> Iterator[Row]:
        for number in _numbers(2, self._sizes.users):
            yield {
                "id": number,
                "user_id": number,
                "name": "filled",
                "digest": self._keyring.digest(API_TOKEN_DIGEST, token_of(number).encode()),
                "expires": 0,
                "created": BEGINNING,
            }

    def _applications(self) -> Iterator[Row]:
        """Every other one is a registration at a provider, the rest are clients."""
        for number in _numbers(2, self._sizes.applications):
            registered = self._is_registration(number)
            draft = self._registration(number) if registered else _client(number)
            secret = self._seal("applications", "client_secret", number, f"secret of application {number}")
            owner = self._user_like(number)
            yield {
                "number": number,
                "id": f"application-{number}",
                "organization": self._organization_of(owner),
                "owner_id": owner,
                "client_secret": secret if registered else None,
                **stored(draft),
                **_times(number),
            }

    def _application_secrets(self) -> Iterator[Row]:
        clients = (n for n in _numbers(2, self._sizes.applications) if not self._is_registration(n))
        for number, application in enumerate(clients, 1):
            secret = f"secret of application {application}"
            yield {
                "id": number,
                "application_number": application,
                "generated": True,
                "digest": self._keyring.digest(CLIENT_SECRET_DIGEST, secret.encode()).hex(),
                "created": BEGINNING,
                "expires": 0,
                "last_used": 0,
            }

    def _profiles(self) -> Iterator[Row]:
        draw = random.Random(33)
        registrations = self._registrations_by_organization()
        for number in _numbers(1, self._sizes.profiles):
            owner = 2 + draw.randrange(self._sizes.users)
            organization = self._organization_of(owner)
            usable = registrations.get(organization)
            application = draw.choice(usable) if usable else None
            yield {
                "id": number,
                "organization": organization,
                "owner_id": owner,
                "creator_id": owner,
                "name": f"{draw.choice(_WORDS)} {draw.choice(_WORDS)} {number}",
                "description": f"{draw.choice(_WORDS)} of user {owner}",
                "provider": "" if application else _PROVIDERS[number % len(_PROVIDERS)],
                "application_number": application,
                "client_id": "" if application else f"client-{number}",
                "client_secret": None,
                "access_token": self._seal("profiles", "access_token", number, f"access token of profile {number:040}"),
                "refresh_token": self._seal("profiles", "refresh_token", number, f"refresh token of profile {number}"),
                "verification_token": None,
                "keep_fresh": False,
                **NO_TOKENS,
                **tried_anew(Present(access=True, refresh=True)),
                **_times(number),
            }

    def _is_registration(self, application: int) -> bool:
        return application % 2 == 0

    def _registrations_by_organization(self) -> dict[int, list[int]]:
        found: dict[int, list[int]] = {}
        for number in filter(self._is_registration, _numbers(2, self._sizes.applications)):
            found.setdefault(self._organization_of(self._user_like(number)), []).append(number)
        return found

    def _user_like(self, number: int) -> int:
        """Returns the id of one of the users, from any number; neighbours in pairs have the same one."""
        return 2 + number // 2 % self._sizes.users

    def _registration(self, number: int) -> Draft:
        provider = _PROVIDERS[number % len(_PROVIDERS)]
        return Draft(
            kind=ApplicationKind.PROVIDER,
            name=f"{_WORDS[number % len(_WORDS)]} registration {number}",
            provider=provider,
            authorize_uri=f"https://{provider}.example/authorize",
            token_uri=f"https://{provider}.example/token",
            scope="read write",
            client_id=f"client-{number}",
        )

    def _seal(self, table: str, column: str, row_id: int, value: str) -> bytes:
        return self._keyring.seal(value, Where(table, column, row_id))


def _client(number: int) -> Draft:
    return Draft(
        kind=ApplicationKind.CLIENT,
        name=f"{_WORDS[number % len(_WORDS)]} client {number}",
        allowed_scopes=("certificate:discover",),
        grant_types=(GrantType.PASSWORD, GrantType.REFRESH_TOKEN),
    )


def _numbers(first: int, count: int) -> range:
    return range(first, first + count)


def _times(number: int) -> Row:
    time_ = BEGINNING + number * SECOND
    return {"created": time_, "updated": time_, "revision": 1}


def main() -> None:
    """Fills, and says how long it took."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fill", description=__doc__)
    parser.add_argument("--data-dir", required=True, help="directory of the keyring, and of the database by default")
    parser.add_argument("--database-url", help="as ALMONER_DATABASE_URL; default: SQLite in the directory")
    for size in fields(Sizes):
        parser.add_argument(f"--{size.name}", type=int, default=size.default, help="default %(default)s")
    options = vars(parser.parse_args())
    places = {name: options.pop(name) for name in ("data_dir", "database_url")}
    os.umask(0o077)
    settings = load_settings({**places, "bootstrap_admin_password": PASSWORD, "bootstrap_api_token": TOKEN})
    logs.configure("warning", settings.log_format)
    started = time.monotonic()
    asyncio.run(fill(settings, Sizes(**options), partial(print, file=sys.stderr, flush=True)))
    print(f"{settings.shown_database_url} was filled in {time.monotonic() - started:.0f} seconds")


if __name__ == "__main__":
    main()
