# SPDX-License-Identifier: Apache-2.0
"""Types of members of bodies and parameters, with the limits of the message fields they end up in.

A body is refused by them before the service sees it, and the OpenAPI document states them.
"""

from __future__ import annotations

from typing import Annotated, TypeAlias

import msgspec
from msgspec import Meta

INT32_MAX = 2**31 - 1
INT64_MAX = 2**63 - 1

ONE_LINE = r"^[^\x00-\x1f\x7f]*$"
NO_NUL = r"^[^\x00]*$"
HTTP_URI = r"^([Hh][Tt][Tt][Pp][Ss]?://[^\x00-\x20\x7f]+)?$"

END = r"\Z"
"""Where a text ends, in Python's patterns."""


def text(pattern: str, *, min_length: int | None = None, max_length: int | None = None, description: str = "") -> Meta:
    """Returns the limits of a text.

    The pattern is a JSON schema's, whose `$` is the end of the text. Python's `$` also stands before a last newline, so
    END takes its place, and `json_schema_pattern` puts it back.
    """
    return Meta(
        pattern=pattern.removesuffix("$") + END,
        min_length=min_length,
        max_length=max_length,
        description=description or None,
    )


def json_schema_pattern(pattern: str) -> str:
    """Returns a pattern of ours as JSON schemas write it."""
    return pattern.removesuffix(END) + "$" if pattern.endswith(END) else pattern


Name: TypeAlias = Annotated[str, text(ONE_LINE, min_length=1, max_length=255)]
Slug: TypeAlias = Annotated[str, text(ONE_LINE, min_length=1, max_length=255)]
ExternalId: TypeAlias = Annotated[str, text(ONE_LINE, min_length=1, max_length=255)]
Description: TypeAlias = Annotated[str, text(NO_NUL, max_length=4096)]
Username: TypeAlias = Annotated[str, text(r"^[^\x00-\x1f\x7f:]*$", min_length=1, max_length=128)]
Password: TypeAlias = Annotated[str, text(ONE_LINE, min_length=1, max_length=1024)]
ClientId: TypeAlias = Annotated[str, text(ONE_LINE, min_length=1, max_length=1024)]
ClientSecret: TypeAlias = Annotated[str, text(ONE_LINE, min_length=1, max_length=4096)]
Token: TypeAlias = Annotated[str, text(ONE_LINE, max_length=16384)]
RequiredToken: TypeAlias = Annotated[str, text(ONE_LINE, min_length=1, max_length=16384)]
Scope: TypeAlias = Annotated[str, text(ONE_LINE, max_length=4096)]
Uri: TypeAlias = Annotated[str, text(HTTP_URI, max_length=2048)]

Int32: TypeAlias = Annotated[int, Meta(ge=-(2**31), le=INT32_MAX, extra_json_schema={"format": "int32"})]
Number: TypeAlias = Annotated[int, Meta(ge=1, le=INT64_MAX, extra_json_schema={"format": "int64"})]
"""An id that the service counts from 1."""


class Body(msgspec.Struct):
    """Base of every body. Its repr has no members, because some of them are secrets."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}(...)"
