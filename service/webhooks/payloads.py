# SPDX-License-Identifier: Apache-2.0
"""What a receiver is sent: the JSON document of a change, and the headers beside it (Standard Webhooks)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from service.changes.tables import ChangeKind
from service.clock import SECOND
from service.etags import etag_of
from service.profiles.tables import TokenState
from service.webhooks import signing

if TYPE_CHECKING:
    from collections.abc import Mapping

    from service.crypto.keyring import Keyring
    from service.webhooks.deliveries import Receiver
    from service.webhooks.dispatch_queries import StoredDelivery

MESSAGE_DIGEST: Final = "webhook-message"

TYPES: Final = {
    ChangeKind.CREATED: "profile.created",
    ChangeKind.UPDATED: "profile.updated",
    ChangeKind.TOKEN_STATE: "profile.token_state",
    ChangeKind.DELETED: "profile.deleted",
}
"""The member `type` of what is sent, by what has become of the profile."""


class Message(NamedTuple):
    """A request that is sent to a receiver."""

    body: bytes
    headers: Mapping[str, str]


def message(keyring: Keyring, receiver: Receiver, delivery: StoredDelivery, now: int) -> Message:
    """Returns the request that tells a receiver of a change; `now` is in epoch microseconds.

    The message has the same id whenever it is sent, and no other message has it.
    """
    body = msgspec.json.encode(
        {
            "type": TYPES[ChangeKind(delivery.kind)],
            "timestamp": _written(delivery.time),
            "data": {
                "profile_id": delivery.profile_id,
                "organization_id": receiver.organization_id,
                "token_state": TokenState(delivery.token_state).name,
                "etag": etag_of(delivery.revision),
            },
        }
    )
    message_id, timestamp = _id(keyring, receiver, delivery), now // SECOND
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "Almoner",
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": signing.signatures(receiver.keys, message_id, timestamp, body),
    }
    return Message(body, headers)


def _id(keyring: Keyring, receiver: Receiver, delivery: StoredDelivery) -> str:
    """Returns the id of a message. A restored database gives positions again, but not at the same time."""
    what = b"%d/%d/%d/%d" % (receiver.webhook_id, delivery.position, delivery.profile_id, delivery.time)
    return "msg_" + keyring.digest(MESSAGE_DIGEST, what).hex()[:32]


def _written(time: int) -> str:
    """Returns epoch microseconds as RFC 3339 has them."""
    return datetime.fromtimestamp(time / SECOND, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
