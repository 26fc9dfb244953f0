# SPDX-License-Identifier: Apache-2.0
"""Bodies whose members are found in any case of letters."""

from __future__ import annotations

import pytest
from msgspec import Struct, field

from gateway.decoding import json_body
from gateway.failures import Failure


class Part(Struct, rename="pascal"):
    name: str
    number: int = 0


class Whole(Struct, rename="pascal"):
    id: str = field(name="ID")
    part: Part | None = None
    parts: list[Part] = field(default_factory=list)
    names: list[str] = field(default_factory=list)


read = json_body(Whole, any_case=True)


@pytest.mark.parametrize("name", ["ID", "id", "Id", "iD"])
def test_a_member_is_found_however_it_is_spelled(name: str) -> None:
    assert read(b'{"%s": "x"}' % name.encode()) == Whole("x")


def test_so_are_members_of_members_and_of_elements() -> None:
    body = b'{"id": "x", "PART": {"NAME": "p", "number": 17.0}, "parts": [{"name": "q"}], "Names": ["A", "b"]}'

    assert read(body) == Whole("x", Part("p", 17), [Part("q")], ["A", "b"])


def test_null_is_as_good_as_absent_and_unknown_members_are_ignored() -> None:
    body = b'{"id": "x", "part": null, "parts": [{"name": "q", "NUMBER": null}], "other": {"id": null}}'

    assert read(body) == Whole("x", parts=[Part("q")])


@pytest.mark.parametrize(
    ("body", "member", "problem"),
    [
        (b'{"id": null}', "ID", "is required"),
        (b"{}", "ID", "is required"),
        (b'{"ID": "x", "id": "x"}', "ID", "is given twice"),
        (b'{"ID": "x", "part": {"name": "p", "Name": "q"}}', "Part.Name", "is given twice"),
        (b'{"ID": "x", "parts": [{"name": "p"}, {"NAME": "p", "Name": "q"}]}', "Parts[1].Name", "is given twice"),
        (b'{"ID": "x", "parts": [{"name": 1}]}', "Parts[0].Name", "expected str, got int"),
        (b'{"ID": "x", "part": []}', "Part", "expected object | null, got array"),
        (b"[]", "", "expected object, got array"),
    ],
)
def test_a_member_at_fault_is_named_as_the_type_spells_it(body: bytes, member: str, problem: str) -> None:
    with pytest.raises(Failure) as refused:
        read(body)

    assert refused.value.violations == ((member, problem),)
