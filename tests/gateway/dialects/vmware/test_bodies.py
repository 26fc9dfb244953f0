# SPDX-License-Identifier: Apache-2.0
"""Limits of VMware's bodies."""

from __future__ import annotations

import re

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.dialects.vmware.bodies import SECRET_PATTERN, CspAppChange, NewCpnApp

PUBLISHED = re.compile(SECRET_PATTERN)


def takes(secret: str) -> bool:
    try:
        msgspec.convert({"secret": secret}, NewCpnApp)
    except msgspec.ValidationError:
        return False
    return True


@pytest.mark.parametrize(
    "secret",
    # A lower-case letter is within the range `\\]-{`, so it is a special character as well.
    ["Abcdefg1", "ABCDEFg1", "1Aa     ", "Äbcdefg1A", "Aa1" + "x" * 1_021],
)
def test_a_secret_may_be_anything_that_the_published_pattern_matches(secret: str) -> None:
    assert takes(secret)


@pytest.mark.parametrize(
    "secret",
    [
        "",
        "Abcdef1",
        "ABCDEFG1!",
        "abcdefg1!",
        "Abcdefgh!",
        "Abcdefg1\n",
        "Abcd\nefg1",
        "\nAbcdefg1",
        "Aa1" + "x" * 1_022,
    ],
)
def test_a_secret_may_be_nothing_else(secret: str) -> None:
    assert not takes(secret)


@given(st.text("aZ1!\n ", max_size=12))
def test_a_secret_is_what_the_whole_pattern_matches(secret: str) -> None:
    assert takes(secret) is (PUBLISHED.fullmatch(secret) is not None)


@pytest.mark.parametrize("name", ["Ünï côdé 1", "a-b_c.d`e'f:g@h&i,j", "名前", "हिन्दी"])
def test_a_display_name_may_have_letters_of_any_script(name: str) -> None:
    assert msgspec.convert({"displayName": name}, CspAppChange).display_name == name


@pytest.mark.parametrize("name", ["", "a/b", "a\nb", "<b>", "a+b", "a" * 256, 'a"b', "a;b", "a\\b", "(a)", "50%"])
def test_a_display_name_has_no_other_symbols(name: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"displayName": name}, CspAppChange)
