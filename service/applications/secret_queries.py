# SPDX-License-Identifier: Apache-2.0
"""Every statement over the secrets of client applications, built once. A secret that expires at 0 never does."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol, cast

from sqlalchemy import and_, bindparam, exists, insert, not_, or_, select, update

from service.applications.queries import CLIENT, PlainApplication
from service.applications.tables import ApplicationRow, ApplicationSecretRow
from service.storage.statements import many, one, run, scalar
from service.storage.tables import constant, table_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from service.storage.store import Tx


class PresentedClient(PlainApplication, Protocol):
    """A client application, with the generated secret that is presented for it.

    Attributes:
        confidential: Whether it has secrets, valid or not; otherwise it is public.
        secret_id: Id of that secret, valid or not; None: it has no such generated one.
        secret_expires: When it ends.
    """

    confidential: bool
    secret_id: int | None
    secret_expires: int


class Use(NamedTuple):
    """That a secret was used, and when."""

    secret_id: int
    time: int


_APPLICATIONS = table_of(ApplicationRow)
_SECRETS = table_of(ApplicationSecretRow)

_OF_APPLICATION = _SECRETS.c.application_number == bindparam("number")
_VALID = or_(_SECRETS.c.expires == constant(0), _SECRETS.c.expires > bindparam("now"))
_ANY = _SECRETS.alias("any_secret")

_PRESENT = CLIENT.add_columns(
    exists().where(_ANY.c.application_number == _APPLICATIONS.c.number).correlate(_APPLICATIONS).label("confidential"),
    _SECRETS.c.id.label("secret_id"),
    _SECRETS.c.expires.label("secret_expires"),
).outerjoin(
    _SECRETS,
    and_(
        _SECRETS.c.application_number == _APPLICATIONS.c.number,
        _SECRETS.c.generated,
        _SECRETS.c.digest == bindparam("digest"),
    ),
)
_FIND_VALID = select(_SECRETS).where(_OF_APPLICATION, _VALID).order_by(_SECRETS.c.id.desc())
_FIND_CHOSEN = _FIND_VALID.where(not_(_SECRETS.c.generated))
_INSERT = insert(_SECRETS).returning(_SECRETS.c.id)
_SHORTEN = update(_SECRETS).where(
    _OF_APPLICATION, or_(_SECRETS.c.expires == constant(0), _SECRETS.c.expires > bindparam("ends"))
)
_SHORTEN = _SHORTEN.values(expires=bindparam("ends"))
_SHORTEN_ONE = _SHORTEN.where(_SECRETS.c.id == bindparam("secret"))
_SHORTEN_OTHERS = _SHORTEN.where(_SECRETS.c.id != bindparam("secret"))
_NOTE_USE = (
    update(_SECRETS)
    .where(_SECRETS.c.id == bindparam("secret"), _SECRETS.c.last_used < bindparam("time"))
    .values(last_used=bindparam("time"))
)


def present(tx: Tx, client_id: str, digest: str) -> PresentedClient | None:
    """Returns a client application by its id, with its generated secret that has a digest."""
    return cast("PresentedClient | None", one(tx, object, _PRESENT, {"key": client_id, "digest": digest}))


def chosen_of(tx: Tx, number: int, now: int) -> list[ApplicationSecretRow]:
    """Returns the chosen secrets of a client application that are valid, the newest first."""
    return many(tx, ApplicationSecretRow, _FIND_CHOSEN, {"number": number, "now": now})


def valid_of(tx: Tx, number: int, now: int) -> list[ApplicationSecretRow]:
    """Returns the secrets of a client application that are valid, the newest first."""
    return many(tx, ApplicationSecretRow, _FIND_VALID, {"number": number, "now": now})


def add(tx: Tx, values: Mapping[str, object]) -> int:
    """Inserts a secret of a client application, and returns its id."""
    return int(scalar(tx, _INSERT, values))


def shorten(tx: Tx, number: int, ends: int) -> None:
    """Lets all secrets of a client application end, at a time or before, as they would have."""
    run(tx, _SHORTEN, {"number": number, "ends": ends})


def shorten_one(tx: Tx, number: int, secret_id: int, ends: int) -> None:
    """Does what `shorten` does to one secret."""
    run(tx, _SHORTEN_ONE, {"number": number, "secret": secret_id, "ends": ends})


def shorten_others(tx: Tx, number: int, secret_id: int, ends: int) -> None:
    """Does what `shorten` does to all secrets but one."""
    run(tx, _SHORTEN_OTHERS, {"number": number, "secret": secret_id, "ends": ends})


def note_uses(tx: Tx, uses: Sequence[Use]) -> None:
    """Writes when secrets were last used, where it is not known that they were later."""
    tx.execute(_NOTE_USE, [{"secret": secret_id, "time": time} for secret_id, time in uses])
