# SPDX-License-Identifier: Apache-2.0
"""Every sealed column of the database, and how its values come under the active key, some rows at a time.

Depends on the tables of the rooms and on crypto. Knows nothing of what the values mean.
"""

from __future__ import annotations

from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

from sqlalchemy import LargeBinary, bindparam, func, select, tuple_, update

from service.applications.tables import ApplicationRow
from service.consent.tables import AuthorizationRow, RevocationRow
from service.crypto.keyring import UnsealError, Where, sealed_prefix
from service.profiles.tables import ProfileRow
from service.rpc.tables import RequestReplyRow
from service.storage.tables import table_of
from service.webhooks.tables import WebhookRow

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from sqlalchemy import Table

    from service.crypto.keyring import Keyring
    from service.storage.store import Store, Tx

Key: TypeAlias = tuple[Any, ...]
"""The primary key of a row."""

AT_ONCE: Final = 100
"""Values that are sealed again in one transaction: few enough that no other writer waits for long."""

_PREFIX_BYTES: Final = len(sealed_prefix(1))


def _number(key: Key) -> int:
    return int(key[0])


def _text(key: Key) -> str:
    return str(key[0])


def _of_request(key: Key) -> str:
    user_id, method, request_id = key
    return f"{user_id}/{method}/{request_id}"


class SealedColumn:
    """A column whose values are sealed, each for its own row."""

    def __init__(self, table: Table, column: str, row_id: Callable[[Key], int | str]) -> None:
        """Builds the statements.

        Args:
            table: The table.
            column: Name of the column.
            row_id: The row id that values are sealed for (`Where.row_id`), from the primary key.
        """
        self.table = table
        self.name = column
        self._row_id = row_id
        keys = tuple(table.primary_key.columns)
        sealed = table.c[column]
        prefix = func.substr(sealed, 1, _PREFIX_BYTES, type_=LargeBinary)
        stale = select(*keys).where(sealed.is_not(None), prefix != bindparam("active", type_=LargeBinary))
        after = tuple_(*keys) > tuple_(*(bindparam(f"after_{key.name}", type_=key.type) for key in keys))
        this = [key == bindparam(f"this_{key.name}") for key in keys]
        self._keys = [key.name for key in keys]
        self._first = stale.order_by(*keys).limit(bindparam("most"))
        self._further = stale.where(after).order_by(*keys).limit(bindparam("most"))
        self._value = select(sealed).where(*this)
        self._write = update(table).where(*this).values({column: bindparam("sealed")})
        self._prefixes = select(prefix, func.count()).where(sealed.is_not(None)).group_by(prefix)

    def __str__(self) -> str:
        return f"{self.table.name}.{self.name}"

    def stale(self, tx: Tx, active: int, after: Key | None, most: int) -> Sequence[Key]:
        """Returns the keys of the next rows, in order, whose value is sealed by another key than the active one."""
        parameters = {"active": sealed_prefix(active), "most": most}
        if after is None:
            return [tuple(row) for row in tx.execute(self._first, parameters)]
        further = {f"after_{name}": value for name, value in zip(self._keys, after, strict=True)}
        return [tuple(row) for row in tx.execute(self._further, {**parameters, **further})]

    def reseal(self, tx: Tx, keyring: Keyring, keys: Sequence[Key]) -> Resealed:
        """Seals the values of some rows again, under the active key. They stay what they are."""
        values, unreadable = 0, []
        for key in keys:
            this = {f"this_{name}": value for name, value in zip(self._keys, key, strict=True)}
            sealed = tx.execute(self._value, this).scalar_one_or_none()
            # It may have been changed, or deleted, since it was found.
            if sealed is None or keyring.key_id_of(sealed) == keyring.active_key_id:
                continue
            where = Where(self.table.name, self.name, self._row_id(key))
            try:
                value = keyring.unseal(sealed, where)
            except UnsealError as error:
                unreadable.append(str(error))
                continue
            tx.execute(self._write, {**this, "sealed": keyring.seal(value, where)})
            values += 1
        return Resealed(values, tuple(unreadable))

    def count_by_key(self, tx: Tx) -> dict[int, int]:
        """Returns how many values each key has sealed."""
        return {int.from_bytes(prefix[1:], "big"): count for prefix, count in tx.execute(self._prefixes)}


class Resealed(NamedTuple):
    """How many values were sealed again, and a line about each that could not be opened."""

    values: int
    unreadable: tuple[str, ...] = ()


SEALED: Final = (
    SealedColumn(table_of(ApplicationRow), "client_secret", _number),
    SealedColumn(table_of(ProfileRow), "client_secret", _number),
    SealedColumn(table_of(ProfileRow), "access_token", _number),
    SealedColumn(table_of(ProfileRow), "refresh_token", _number),
    SealedColumn(table_of(ProfileRow), "verification_token", _number),
    SealedColumn(table_of(WebhookRow), "secret", _number),
    SealedColumn(table_of(WebhookRow), "previous_secret", _number),
    SealedColumn(table_of(RequestReplyRow), "reply", _of_request),
    SealedColumn(table_of(AuthorizationRow), "code_verifier", _text),
    SealedColumn(table_of(RevocationRow), "client_secret", _text),
    SealedColumn(table_of(RevocationRow), "token", _text),
)
"""Every sealed column; a test holds the list to the schema."""


def keys_in_use(tx: Tx) -> dict[int, int]:
    """Returns how many stored values each key has sealed."""
    counted: Counter[int] = Counter()
    for column in SEALED:
        counted.update(column.count_by_key(tx))
    return dict(counted)


async def reseal_everything(store: Store, keyring: Keyring) -> AsyncIterator[Resealed]:
    """Seals what is stored under other keys again with the active one, and yields what each transaction did.

    Servers may work meanwhile: rows are looked for without holding up writers, and then sealed again some at a time.
    """
    active = keyring.active_key_id
    for column in SEALED:
        after: Key | None = None
        while True:
            keys = await store.scan(partial(column.stale, active=active, after=after, most=AT_ONCE))
            if keys:
                yield await store.write(partial(column.reseal, keyring=keyring, keys=keys))
            if len(keys) < AT_ONCE:
                break
            after = keys[-1]
