# SPDX-License-Identifier: Apache-2.0
"""Matching of claims: `*` stands for any characters, and the whole value counts."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.grants.assertions import matches


@given(value=st.text("ab", max_size=12), pattern=st.text("ab*", max_size=8))
def test_it_matches_as_a_regular_expression_would(value: str, pattern: str) -> None:
    expression = ".*".join(map(re.escape, pattern.split("*")))
    assert matches(value, pattern) == bool(re.fullmatch(expression, value))


@pytest.mark.parametrize(
    ("value", "pattern"), [("axb", "a.b"), ("ab", "b"), ("ab", "a"), ("A", "a"), ("ab", "ab*b"), ("aba", "*ab")]
)
def test_nothing_else_matches(value: str, pattern: str) -> None:
    assert not matches(value, pattern)


def test_many_stars_cost_no_time() -> None:
    assert not matches("a" * 2_000, "*a" * 500 + "b")
