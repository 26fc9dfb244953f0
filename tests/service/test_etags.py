# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.errors import EtagMismatch
from service.etags import etag_of, require_etag


def test_an_etag_is_the_revision_in_quotes() -> None:
    assert etag_of(7) == '"7"'


@pytest.mark.parametrize("wanted", ["", "*", " * ", '"7"', ' "7"', '"7" ', '"6","7"', '"6", "7"', '"7", W/"8"', '"7",'])
def test_what_names_the_current_revision_fits(wanted: str) -> None:
    require_etag(wanted, 7)


@pytest.mark.parametrize(
    "wanted",
    [
        '"6"',
        "7",
        'W/"7"',
        'w/"7"',
        '"77"',
        '"07"',
        '"7',
        '7"',
        '"*"',
        '"6" "7"',
        '"6";"7"',
        ",",
        " ",
        '"\N{FULLWIDTH DIGIT SEVEN}"',
    ],
)
def test_anything_else_does_not_and_the_current_one_is_told(wanted: str) -> None:
    with pytest.raises(EtagMismatch) as raised:
        require_etag(wanted, 7)
    assert raised.value.metadata == {"etag": '"7"'}


@given(st.integers(1, 2**63), st.integers(1, 2**63))
def test_an_etag_fits_its_own_revision_only(one: int, other: int) -> None:
    require_etag(etag_of(one), one)
    if one != other:
        with pytest.raises(EtagMismatch):
            require_etag(etag_of(one), other)
