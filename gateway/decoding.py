# SPDX-License-Identifier: Apache-2.0
"""Reads bodies, query strings and path parameters into typed structures, and names the member at fault.

Decoders are made once for each route. Knows msgspec, and nothing of HTTP but mappings and bytes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, TypeVar
from urllib.parse import parse_qsl

import msgspec

from gateway.failures import REQUIRED, Failure, Violation, invalid, not_found
from gateway.spelling import speller

INVALID_BODY = "INVALID_BODY"
INVALID_PARAMETER = "INVALID_PARAMETER"
MALFORMED_BODY = "MALFORMED_BODY"

LONGEST_ECHO = 64
"""Characters of a senseless id that an answer repeats."""

T = TypeVar("T", bound=msgspec.Struct)
Parameters = Mapping[str, str]

_AT = re.compile(r"^(?P<what>.*?)(?: - at `\$\.?(?P<path>.*)`)?$", re.DOTALL)
_MISSING = re.compile(r"^Object missing required field `(?P<name>.*)`$")
_INTEGER = re.compile(r"-?(0|[1-9][0-9]*)")


def violation_of(error: msgspec.ValidationError) -> Violation:
    """Reads the member at fault out of msgspec's message: `$.data.client_id` is `data.client_id`."""
    found = _AT.match(str(error))
    what, path = (found["what"], found["path"] or "") if found else (str(error), "")
    if missing := _MISSING.match(what):
        return Violation(f"{path}.{missing['name']}" if path else missing["name"], REQUIRED)
    return Violation(path, what[:1].lower() + what[1:].replace("`", ""))


def json_body(kind: type[T], *, any_case: bool = False) -> Callable[[bytes], T]:
    """Returns the reader of JSON bodies of the type. It raises Failure.

    Args:
        kind: The type.
        any_case: Whether members are found in any case of letters, and null is as good as absent.
    """
    decode = _in_any_case(kind) if any_case else _as_written(kind)

    def read(body: bytes) -> T:
        try:
            return decode(body)
        except msgspec.ValidationError as error:
            raise invalid(INVALID_BODY, violation_of(error)) from None
        except msgspec.DecodeError as error:
            raise _malformed(str(error)) from None
        except UnicodeDecodeError:
            raise _malformed("the body is not UTF-8") from None
        except RecursionError:
            raise _malformed("the body is nested too deeply") from None

    return read


def _as_written(kind: type[T]) -> Callable[[bytes], T]:
    decode_typed = msgspec.json.Decoder(kind).decode

    def decode(body: bytes) -> T:
        try:
            return decode_typed(body)
        except msgspec.ValidationError as error:
            if "got `float`" not in str(error):
                raise
            # JSON has one kind of number: 17.0 is the integer 17 (RFC 8259 section 6, JSON Schema "integer").
            return msgspec.convert(_with_integers(msgspec.json.decode(body)), kind)

    return decode


def _in_any_case(kind: type[T]) -> Callable[[bytes], T]:
    respell = speller(kind, INVALID_BODY)
    return lambda body: msgspec.convert(_with_integers(respell(msgspec.json.decode(body))), kind)


def form_body(kind: type[T]) -> Callable[[bytes], T]:
    """Returns the reader of application/x-www-form-urlencoded bodies of the type. It raises Failure."""
    read_fields = query_string(kind)

    def read(body: bytes) -> T:
        try:
            fields = parse_qsl(body.decode("ascii"), keep_blank_values=True, strict_parsing=bool(body), errors="strict")
        except ValueError:
            raise _malformed("the body is not a URL-encoded form in UTF-8") from None
        if len(dict(fields)) != len(fields):
            raise _malformed("a field of the form is given twice")
        return read_fields(dict(fields))

    return read


def query_string(kind: type[T]) -> Callable[[Parameters], T]:
    """Returns the reader of query parameters of the type. It raises Failure."""
    integers = _integers(kind)

    def read(parameters: Parameters) -> T:
        for name in integers:
            if name in parameters and _INTEGER.fullmatch(parameters[name]) is None:
                raise invalid(INVALID_PARAMETER, Violation(name, "expected int, got str"))
        try:
            return msgspec.convert(parameters, kind, strict=False)
        except msgspec.ValidationError as error:
            raise invalid(INVALID_PARAMETER, violation_of(error)) from None

    return read


def path_parameters(kind: type[T], reason: str) -> Callable[[Parameters], T]:
    """Returns the reader of path parameters of the type.

    A path whose parameters cannot name anything is the path of nothing: the reader raises the Failure of a resource
    that does not exist, with the given reason and the last parameter as its id.
    """
    read_parameters = query_string(kind)
    last = msgspec.structs.fields(kind)[-1].encode_name

    def read(parameters: Parameters) -> T:
        try:
            return read_parameters(parameters)
        except Failure:
            raise not_found(reason, parameters[last][:LONGEST_ECHO]) from None

    return read


@cache
def _integers(kind: type[msgspec.Struct]) -> tuple[str, ...]:
    # msgspec also takes 1e3 and 1.0 for the integers 1000 and 1, which no client means.
    (_,), components = msgspec.json.schema_components([kind])
    properties = components[kind.__name__]["properties"]
    return tuple(name for name, schema in properties.items() if schema.get("type") == "integer")


def _with_integers(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, list):
        return [_with_integers(element) for element in value]
    if isinstance(value, dict):
        return {name: _with_integers(member) for name, member in value.items()}
    return value


def _malformed(what: str) -> Failure:
    return invalid(MALFORMED_BODY, Violation("", what))
