# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import string
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.errors import InvalidPageToken, Reason
from service.listing.page_tokens import open_token, place_of, seal_token

if TYPE_CHECKING:
    from service.crypto.keyring import Keyring, Where

PLACE = place_of("books", ("red", "ann"), "pages > 1", [("name", True)])
BASE64 = string.ascii_letters + string.digits + "-_"


@given(keys=st.lists(st.text() | st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=4))
def test_a_token_gives_its_keys_back(keyring: Keyring, keys: list[int | str]) -> None:
    token = seal_token(keyring, PLACE, keys)
    assert set(token) <= set(BASE64)
    assert open_token(keyring, PLACE, token) == tuple(keys)


def test_a_token_does_not_show_its_keys(keyring: Keyring) -> None:
    assert seal_token(keyring, PLACE, ["Emma"]) != seal_token(keyring, PLACE, ["Emma"])


@pytest.mark.parametrize(
    "place",
    [
        place_of("readers", ("red", "ann"), "pages > 1", [("name", True)]),
        place_of("books", ("blue", "ann"), "pages > 1", [("name", True)]),
        place_of("books", ("red", "bob"), "pages > 1", [("name", True)]),
        place_of("books", ("red", "ann"), "pages > 2", [("name", True)]),
        place_of("books", ("red", "ann"), "pages > 1", [("name", False)]),
        place_of("books", ("reda", "nn"), "pages > 1", [("name", True)]),
    ],
)
def test_a_token_opens_for_its_own_list_and_request_only(keyring: Keyring, place: Where) -> None:
    with pytest.raises(InvalidPageToken):
        open_token(keyring, place, seal_token(keyring, PLACE, [1]))


def test_a_token_of_another_server_does_not_open(keyring: Keyring, other_keyring: Keyring) -> None:
    with pytest.raises(InvalidPageToken):
        open_token(keyring, PLACE, seal_token(other_keyring, PLACE, [1]))


def test_a_token_changed_in_any_character_does_not_open(keyring: Keyring) -> None:
    token = seal_token(keyring, PLACE, [1, "Emma"])
    for position, character in enumerate(token):
        for other in {BASE64[BASE64.index(character) ^ 1], "A", "="} - {character}:
            with pytest.raises(InvalidPageToken):
                open_token(keyring, PLACE, token[:position] + other + token[position + 1 :])


@pytest.mark.parametrize("keys", [(1,), (1, "a"), (1, "ab")])
@pytest.mark.parametrize(
    ("start", "end", "added"), [(0, -1, ""), (1, None, ""), (0, None, "A"), (0, None, "="), (0, None, "\n")]
)
def test_a_token_of_another_length_does_not_open(
    keyring: Keyring, keys: tuple[int | str, ...], start: int, end: int | None, added: str
) -> None:
    with pytest.raises(InvalidPageToken):
        open_token(keyring, PLACE, seal_token(keyring, PLACE, keys)[start:end] + added)


@given(token=st.text(max_size=80) | st.text(BASE64, max_size=80))
def test_garbage_does_not_open(keyring: Keyring, token: str) -> None:
    with pytest.raises(InvalidPageToken) as refused:
        open_token(keyring, PLACE, token)
    assert refused.value.reason is Reason.INVALID_PAGE_TOKEN
