# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from service.errors import InvalidOrderBy, Reason
from service.listing.ordering import parse_order_by

ORDERABLE = ("id", "name", "client.name")


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("", [("id", False)]),
        ("  ", [("id", False)]),
        ("id", [("id", False)]),
        ("id desc", [("id", True)]),
        ("name", [("name", False), ("id", False)]),
        ("name desc", [("name", True), ("id", True)]),
        ("name desc, id", [("name", True), ("id", False)]),
        (" name  desc ,id ", [("name", True), ("id", False)]),
        ("client.name,name desc", [("client.name", False), ("name", True), ("id", True)]),
        ("id, name", [("id", False)]),
    ],
)
def test_the_unique_key_comes_last(text: str, terms: list[tuple[str, bool]]) -> None:
    assert list(parse_order_by(text, ORDERABLE, "id")) == terms


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("title", "takes id, name, client.name"),
        ("name asc", "takes id, name, client.name"),
        ("name DESC", "takes id, name, client.name"),
        ("name desc desc", "takes id, name, client.name"),
        ("desc", "takes id, name, client.name"),
        ("name id", "takes id, name, client.name"),
        ("name,", "takes id, name, client.name"),
        (",", "takes id, name, client.name"),
        ("name; drop table users", "takes id, name, client.name"),
        ("name, name", "name is named twice"),
        ("name, id, name desc", "name is named twice"),
    ],
)
def test_what_is_refused(text: str, message: str) -> None:
    with pytest.raises(InvalidOrderBy) as refused:
        parse_order_by(text, ORDERABLE, "id")
    assert message in refused.value.message
    assert refused.value.reason is Reason.INVALID_ORDER_BY
