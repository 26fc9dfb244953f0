# SPDX-License-Identifier: Apache-2.0
"""Requests that are safe to repeat: the same request id and payload get the first answer again (AIP-155)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeVar, cast

from sqlalchemy import bindparam, delete, insert, select

from service.crypto.keyring import Where
from service.errors import AlreadyExists, Reason, Violation
from service.rpc.tables import RequestReplyRow
from service.storage.statements import one, run
from service.storage.tables import table_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from google.protobuf.message import Message

    from service.storage.store import Tx
    from service.work import Work

REQUEST_DIGEST = "request"

_REPLIES = table_of(RequestReplyRow)
_FIND = select(_REPLIES).where(
    _REPLIES.c.user_id == bindparam("user_id"),
    _REPLIES.c.method == bindparam("method"),
    _REPLIES.c.request_id == bindparam("request_id"),
)
_KEEP = insert(_REPLIES).inline()
_OLDEST = select(_REPLIES.c.created).where(_REPLIES.c.created < bindparam("before")).limit(1)
_FORGET = delete(_REPLIES).where(_REPLIES.c.created < bindparam("before"))


class Repeatable(Protocol):
    """A request message with a request id."""

    request_id: str


Reply = TypeVar("Reply", bound="Message")


def once(work: Work, method: str, request: Repeatable, reply_type: type[Reply], rule: Callable[[Work], Reply]) -> Reply:
    """Runs a rule, or returns the reply that it gave to the same request before. Replies are kept sealed.

    Raises:
        AlreadyExists: the request id was used for another payload.
    """
    if not request.request_id:
        return rule(work)
    user_id = (work.caller.actor or work.caller).user_id
    request_id = request.request_id.lower()
    where = Where("request_replies", "reply", f"{user_id}/{method}/{request_id}")
    subject = b"%d@%d" % (work.caller.user_id, work.caller.organization)
    digest = work.keyring.digest(REQUEST_DIGEST, subject + b":" + _payload(request))
    key = {"user_id": user_id, "method": method, "request_id": request_id}
    before = one(work.tx, RequestReplyRow, _FIND, key)
    if before is not None:
        if before.request_digest != digest:
            raise AlreadyExists(
                Reason.REQUEST_ID_REUSED,
                "request_id was used for another request",
                metadata={"request_id": request_id},
                violations=(Violation("request_id", "was used for another request"),),
            )
        return reply_type.FromString(work.keyring.unseal(before.reply, where))
    reply = rule(work)
    sealed = work.keyring.seal(reply.SerializeToString(), where)
    run(work.tx, _KEEP, {**key, "request_digest": digest, "reply": sealed, "created": work.now})
    return reply


def _payload(request: Repeatable) -> bytes:
    """Returns the request on the wire without its id, which a client may write in capitals the next time."""
    message = cast("Message", request)
    copy = type(message).FromString(message.SerializePartialToString())
    copy.ClearField("request_id")
    return copy.SerializeToString(deterministic=True)


def forget_before(tx: Tx, time: int) -> int:
    """Drops the replies kept before a time (epoch microseconds), and returns how many there were."""
    if tx.execute(_OLDEST, {"before": time}).first() is None:
        return 0
    return run(tx, _FORGET, {"before": time})
