# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from typing import Annotated

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.decoding import form_body, json_body, path_parameters, query_string
from gateway.failures import Failure


class Inner(msgspec.Struct):
    client_id: Annotated[str, msgspec.Meta(min_length=1, max_length=4)]


class Outer(msgspec.Struct):
    data: Inner
    numbers: Annotated[list[Annotated[int, msgspec.Meta(ge=1)]], msgspec.Meta(max_length=3)] = msgspec.field(
        default_factory=list
    )


class Page(msgspec.Struct):
    page: Annotated[int, msgspec.Meta(ge=1, le=2**63 - 1)] = 1
    force: bool = False


class ById(msgspec.Struct):
    id: Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]


class Text(msgspec.Struct):
    value: str


read_body = json_body(Outer)
read_query = query_string(Page)
read_path = path_parameters(ById, "PROFILE_NOT_FOUND")


@pytest.mark.parametrize(
    ("body", "reason", "member", "said"),
    [
        (b"", "MALFORMED_BODY", "", "truncated"),
        (b"{", "MALFORMED_BODY", "", "truncated"),
        (b"\xff", "MALFORMED_BODY", "", "invalid character"),
        (b'{"data":{"client_id":"\xff"}}', "MALFORMED_BODY", "", "not UTF-8"),
        (b'{"data":{"client_id":"\\ud800"}}', "MALFORMED_BODY", "", ""),
        (b'{"data":{"client_id":"x"}} and more', "MALFORMED_BODY", "", "trailing"),
        (b'{"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "MALFORMED_BODY", "", "too deeply"),
        (b"[]", "INVALID_BODY", "", "expected object, got array"),
        (b"{}", "INVALID_BODY", "data", "is required"),
        (b'{"data":{}}', "INVALID_BODY", "data.client_id", "is required"),
        (b'{"data":7}', "INVALID_BODY", "data", "expected object, got int"),
        (b'{"data":{"client_id":7}}', "INVALID_BODY", "data.client_id", "expected str, got int"),
        (b'{"data":{"client_id":null}}', "INVALID_BODY", "data.client_id", "expected str, got null"),
        (b'{"data":{"client_id":""}}', "INVALID_BODY", "data.client_id", "length >= 1"),
        (b'{"data":{"client_id":"x"},"numbers":[1,0]}', "INVALID_BODY", "numbers[1]", ">= 1"),
        (b'{"data":{"client_id":"x"},"numbers":[1.5]}', "INVALID_BODY", "numbers[0]", "got float"),
    ],
)
def test_a_bad_body_is_refused_by_the_member_at_fault(body: bytes, reason: str, member: str, said: str) -> None:
    with pytest.raises(Failure) as refused:
        read_body(body)

    (violation,) = refused.value.violations
    assert (refused.value.status, refused.value.reason) == (400, reason)
    assert violation.member == member
    assert said in violation.description


def test_a_refusal_does_not_repeat_the_value() -> None:
    with pytest.raises(Failure) as refused:
        read_body(b'{"data":{"client_id":"s3cret-value"}}')

    assert "s3cret" not in str(refused.value)


@pytest.mark.parametrize("number", [b"17", b"17.0", b"1.7e1", b"170e-1"])
def test_an_integer_may_be_written_as_any_json_number(number: bytes) -> None:
    body = read_body(b'{"data":{"client_id":"x"},"numbers":[' + number + b"]}")

    assert body.numbers == [17]
    assert isinstance(body.numbers[0], int)


def test_members_that_are_not_known_are_ignored() -> None:
    assert read_body(b'{"data":{"client_id":"x","more":1},"other":[]}').data.client_id == "x"


@pytest.mark.parametrize("number", ["1e3", "1.0", "+1", " 1", "01", "1_0", "0x1", "", "\u0663", "0", "-1", str(2**63)])
def test_only_plain_positive_integers_are_page_numbers(number: str) -> None:
    with pytest.raises(Failure, match="page: "):
        read_query({"page": number})


@given(st.integers(min_value=1, max_value=2**63 - 1))
def test_every_plain_integer_in_bounds_is_read(number: int) -> None:
    assert read_query({"page": str(number)}).page == number


@pytest.mark.parametrize(
    ("text", "value"), [("true", True), ("True", True), ("1", True), ("false", False), ("0", False)]
)
def test_switches_are_read_in_any_usual_spelling(text: str, value: bool) -> None:  # noqa: FBT001 - the value under test
    assert read_query({"force": text}).force is value


@pytest.mark.parametrize("segment", ["abc", "1.0", "-1", str(2**63), "9" * 5000, "1;2", "\u0661"])
def test_a_path_that_names_nothing_is_not_found(segment: str) -> None:
    with pytest.raises(Failure) as refused:
        read_path({"id": segment})

    assert (refused.value.status, refused.value.reason) == (404, "PROFILE_NOT_FOUND")
    assert refused.value.metadata["id"] == segment[:64]


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"])))
def test_a_form_is_read_as_it_was_encoded(value: str) -> None:
    from urllib.parse import urlencode  # noqa: PLC0415 - only here

    assert form_body(Text)(urlencode({"value": value}).encode()).value == value


@pytest.mark.parametrize("body", [b"value=1&value=2", b"value", b"value=%ff", b"value=\xc3\xa9"])
def test_a_bad_form_is_refused(body: bytes) -> None:
    with pytest.raises(Failure):
        form_body(Text)(body)
