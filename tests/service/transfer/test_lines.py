# SPDX-License-Identifier: Apache-2.0
"""Lines: every row that a database can hold comes back from its line, and what is no row is named."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import BigInteger, Boolean, Integer, LargeBinary

from service.schema import METADATA
from service.transfer import lines
from service.transfer.contents import NEVER
from service.transfer.lines import Footer, Header, TransferError

if TYPE_CHECKING:
    from sqlalchemy import Column, Table

TABLES = [table for table in METADATA.sorted_tables if table not in NEVER]


def values(column: Column[Any]) -> st.SearchStrategy[Any]:
    kind = column.type
    found: st.SearchStrategy[Any]
    if isinstance(kind, Boolean):
        found = st.booleans()
    elif isinstance(kind, Integer):
        bits = 63 if isinstance(kind, BigInteger) else 31
        found = st.integers(-(2**bits), 2**bits - 1)
    elif isinstance(kind, LargeBinary):
        found = st.binary(max_size=100)
    else:
        found = st.text(max_size=getattr(kind, "length", None) or 50)
    return st.none() | found if column.nullable else found


rows = st.sampled_from(TABLES).flatmap(
    lambda table: st.tuples(st.just(table), st.tuples(*(values(column) for column in table.columns)))
)


@given(rows)
def test_a_row_comes_back_from_its_line(row: tuple[Table, tuple[Any, ...]]) -> None:
    table, stored = row
    line = lines.encoded_rows(table, [stored])

    assert line.count(b"\n") == 1
    back, decoded = lines.decoded_row(line, 2)
    assert back is table
    assert tuple(lines.values_of(decoded).values()) == stored
    assert list(lines.values_of(decoded)) == [column.name for column in table.columns]


def test_a_line_is_an_object_with_the_tables_name_and_its_columns() -> None:
    table = METADATA.tables["used_refresh_tokens"]

    assert lines.encoded_rows(table, [(b"\x00\xff", 3, 4), (b"", 5, 6)]) == (
        b'{"table":"used_refresh_tokens","digest":"AP8=","grant_id":3,"used":4}\n'
        b'{"table":"used_refresh_tokens","digest":"","grant_id":5,"used":6}\n'
    )


ROW = {"table": "used_refresh_tokens", "digest": "AP8=", "grant_id": 3, "used": 4}


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"grant_id": "3"}, "Expected `int`, got `str` - at `$.grant_id`"),
        ({"grant_id": 2**63}, "Expected `int` <= 9223372036854775807 - at `$.grant_id`"),
        ({"grant_id": None}, "Expected `int`, got `null` - at `$.grant_id`"),
        ({"digest": "*"}, "Invalid base64 encoded string - at `$.digest`"),
        ({"colour": 1}, "Object contains unknown field `colour`"),
        ({"table": "facts"}, "Invalid value 'facts' - at `$.table`"),
    ],
)
def test_what_is_no_row_is_named_by_line_and_member(changed: dict[str, Any], said: str) -> None:
    with pytest.raises(TransferError) as refused:
        lines.decoded_row(json.dumps({**ROW, **changed}).encode(), 17)

    assert str(refused.value) == f"line 17: {said}"


@pytest.mark.parametrize("missing", ROW)
def test_a_row_has_every_column(missing: str) -> None:
    with pytest.raises(TransferError, match=f"line 17: Object missing required field `{missing}`"):
        lines.decoded_row(json.dumps({name: value for name, value in ROW.items() if name != missing}).encode(), 17)


@given(st.binary(max_size=100))
def test_whatever_else_there_is_is_refused_in_one_line(line: bytes) -> None:
    for read in (lines.decoded_header, lines.decoded_footer, lambda line: lines.decoded_row(line, 1)):
        with pytest.raises(TransferError) as refused:
            read(line)
        assert "\n" not in str(refused.value)


def test_header_and_footer_come_back() -> None:
    time = "2026-01-01T00:00:00.000Z"
    header = Header(lines.FORMAT, "0001", "sealed", "f" * 32, time, {"users": 4}, audit=True, organizations=(2, 3))
    footer = Footer({"users": 3}, "a" * 64, "b" * 64)

    assert lines.decoded_header(lines.encoded(header)) == header
    assert lines.decoded_footer(lines.encoded(footer)) == footer
