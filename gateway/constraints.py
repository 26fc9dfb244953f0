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

Name: TypeAlias = Annotated[str, Meta(min_length=1, max_length=255, pattern=ONE_LINE)]
Slug: TypeAlias = Annotated[str, Meta(min_length=1, max_length=255, pattern=ONE_LINE)]
ExternalId: TypeAlias = Annotated[str, Meta(min_length=1, max_length=255, pattern=ONE_LINE)]
Description: TypeAlias = Annotated[str, Meta(max_length=4096, pattern=NO_NUL)]
Username: TypeAlias = Annotated[str, Meta(min_length=1, max_length=128, pattern=r"^[^\x00-\x1f\x7f:]*$")]
Password: TypeAlias = Annotated[str, Meta(min_length=1, max_length=1024, pattern=ONE_LINE)]
ClientId: TypeAlias = Annotated[str, Meta(min_length=1, max_length=1024, pattern=ONE_LINE)]
ClientSecret: TypeAlias = Annotated[str, Meta(min_length=1, max_length=4096, pattern=ONE_LINE)]
Token: TypeAlias = Annotated[str, Meta(max_length=16384, pattern=ONE_LINE)]
RequiredToken: TypeAlias = Annotated[str, Meta(min_length=1, max_length=16384, pattern=ONE_LINE)]
Scope: TypeAlias = Annotated[str, Meta(max_length=4096, pattern=ONE_LINE)]
Uri: TypeAlias = Annotated[str, Meta(max_length=2048, pattern=HTTP_URI)]

Int32: TypeAlias = Annotated[int, Meta(ge=-(2**31), le=INT32_MAX, extra_json_schema={"format": "int32"})]
Number: TypeAlias = Annotated[int, Meta(ge=1, le=INT64_MAX, extra_json_schema={"format": "int64"})]
"""An id that the service counts from 1."""


class Body(msgspec.Struct):
    """Base of every body. Its repr has no members, because some of them are secrets."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}(...)"
