# SPDX-License-Identifier: Apache-2.0
"""TokenService's messages, made of what the rules return."""

from __future__ import annotations

from typing import TYPE_CHECKING

from almoner.v1 import token_service_pb2
from service.grants.grant_messages import grant_message
from service.rpc.times import to_duration

if TYPE_CHECKING:
    from service.grants.issuing import Tokens
    from service.grants.token_queries import StoredToken


def tokens_message(tokens: Tokens) -> token_service_pb2.IssuedTokens:
    """Returns new tokens, the one time that they are told."""
    grant = tokens.grant
    return token_service_pb2.IssuedTokens(
        access_token=tokens.access_token,
        refresh_token=tokens.refresh_token,
        access_token_lifetime=to_duration(grant.access_token_expires - grant.access_token_issued),
        grant=grant_message(grant),
    )


def introspection_message(grant: StoredToken | None) -> token_service_pb2.Introspection:
    """Returns what one token is good for."""
    return token_service_pb2.Introspection(active=grant is not None, grant=grant_message(grant) if grant else None)
