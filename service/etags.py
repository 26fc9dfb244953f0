# SPDX-License-Identifier: Apache-2.0
"""Entity tags (RFC 9110 section 8.8.3): the revision of a row in quotes."""

from __future__ import annotations

from service.errors import EtagMismatch


def etag_of(revision: int) -> str:
    """Returns the etag of a revision, quotes included."""
    return f'"{revision}"'


def require_etag(wanted: str, revision: int) -> None:
    """Compares what a caller wants the resource to be with what it is, as If-Match does (RFC 9110 section 13.1.1).

    Args:
        wanted: One etag, several separated by commas, or `*`; empty: anything goes. Weak etags match nothing, since
            If-Match compares strongly.
        revision: The current revision.

    Raises:
        EtagMismatch: none of them is the current one.
    """
    if not wanted or wanted.strip() == "*":
        return
    current = etag_of(revision)
    if current not in (etag.strip() for etag in wanted.split(",")):
        raise EtagMismatch(current)
