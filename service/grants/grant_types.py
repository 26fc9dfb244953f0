# SPDX-License-Identifier: Apache-2.0
"""The ways to a token, and which of them a client application may go."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from service.errors import FailedPrecondition, Reason
from service.grants.tables import GrantType

if TYPE_CHECKING:
    from collections.abc import Collection


_decode_numbers = msgspec.json.Decoder(frozenset[int]).decode


def require_grant_type(allowed: str, refused: Collection[int], grant_type: GrantType) -> None:
    """Refuses a way that a client application may not go.

    Args:
        allowed: The grant types of the application, as stored.
        refused: Those that the policy of its organization refuses.
        grant_type: The way. To refresh is what `renewable` allows: no application names it.

    Raises:
        FailedPrecondition: the application, or the policy, does not allow it.
    """
    named = grant_type is GrantType.REFRESH_TOKEN or grant_type in _decode_numbers(allowed)
    if not named or grant_type in refused:
        by = "the policy of its organization" if named else "the application"
        raise FailedPrecondition(
            Reason.GRANT_TYPE_REFUSED,
            f"{by} does not allow the grant type {grant_type.name}",
            metadata={"grant_type": grant_type.name},
        )
