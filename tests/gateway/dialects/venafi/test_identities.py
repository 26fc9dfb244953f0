# SPDX-License-Identifier: Apache-2.0
"""Users as Venafi names them."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.dialects.venafi.identities import NOBODY, entries, entry, prefixed_universal, user_id_of

if TYPE_CHECKING:
    from gateway.call import Call

IDS = st.integers(min_value=1, max_value=2**48 - 1)
NO_CALL = cast("Call[Any, Any, Any]", None)
"""For identities that say all by themselves."""


@given(IDS)
async def test_an_identity_says_which_user_it_is(user_id: int) -> None:
    assert await user_id_of(NO_CALL, prefixed_universal(user_id)) == user_id


@given(IDS)
def test_an_identity_holds_a_uuid_of_version_8(user_id: int) -> None:
    made = uuid.UUID(prefixed_universal(user_id).removeprefix("local:"))

    assert (made.variant, made.version) == (uuid.RFC_4122, 8)


@pytest.mark.parametrize(
    "written",
    [
        "local:{616c6d6f-6e65-8000-8000-0000000000ff}",
        "local:616c6d6f-6e65-8000-8000-0000000000ff",
        "{616C6D6F-6E65-8000-8000-0000000000FF}",
        "LOCAL:{616c6d6f-6e65-8000-8000-0000000000ff}",
    ],
)
async def test_an_identity_is_found_however_it_is_written(written: str) -> None:
    assert await user_id_of(NO_CALL, written) == 255


@pytest.mark.parametrize(
    "foreign",
    [
        "local:{5be5a591-c842-4520-9142-b455f4ad2286}",
        "local:{616c6d6f-6e65-8000-8000-000000000000}",
        "AD+example:somebody",
        "bar:616c6d6f-6e65-8000-8000-0000000000ff",
    ],
)
async def test_an_identity_of_elsewhere_is_nobodys(foreign: str) -> None:
    assert await user_id_of(NO_CALL, foreign) == NOBODY


def test_entries_name_everybody_once() -> None:
    assert entries([(2, "two"), (1, "one"), (2, "two"), (0, "")]) == [entry(1, "one"), entry(2, "two")]
