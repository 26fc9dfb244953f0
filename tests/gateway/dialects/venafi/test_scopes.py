# SPDX-License-Identifier: Apache-2.0
"""Venafi's scope grammar."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.dialects.venafi.scopes import INVALID_SCOPE, KNOWN, parse, read, text_of
from gateway.failures import Failure
from service.access.scopes import KNOWN_SCOPES

if TYPE_CHECKING:
    from random import Random

NAMES = st.from_regex(r"[a-z0-9][a-z0-9_.-]{0,9}", fullmatch=True).filter(lambda name: name not in {"any", "read"})
SCOPES = st.dictionaries(NAMES, st.frozensets(NAMES, max_size=4), min_size=1, max_size=5)


def tokens_of(scopes: dict[str, frozenset[str]]) -> frozenset[str]:
    return frozenset(scopes) | {
        f"{scope}:{beyond}" for scope, restrictions in scopes.items() for beyond in restrictions
    }


@given(SCOPES)
def test_what_is_written_is_read_back(scopes: dict[str, frozenset[str]]) -> None:
    assert parse(text_of(tokens_of(scopes))) == tokens_of(scopes)


@given(SCOPES, st.randoms(use_true_random=False))
def test_order_case_and_blanks_mean_nothing(scopes: dict[str, frozenset[str]], shuffled: Random) -> None:
    def blank() -> str:
        return shuffled.choice(["", " ", "\t", "  "])

    def any_case(text: str) -> str:
        return "".join(shuffled.choice([letter.lower(), letter.upper()]) for letter in text)

    parts = []
    for scope, restrictions in shuffled.sample(list(scopes.items()), len(scopes)):
        rest = ",".join(blank() + name + blank() for name in shuffled.sample(sorted(restrictions), len(restrictions)))
        parts.append(f"{blank()}{scope}{blank()}:{rest}" if rest else f"{scope}{blank()}")

    assert text_of(parse(any_case(";".join(parts)))) == text_of(tokens_of(scopes))


@given(SCOPES, SCOPES)
def test_one_scope_is_a_part_of_another_as_sets_are(
    one: dict[str, frozenset[str]], other: dict[str, frozenset[str]]
) -> None:
    both = f"{text_of(tokens_of(one))};{text_of(tokens_of(other))}"

    assert parse(text_of(tokens_of(one))) <= parse(both)
    assert parse(both) == tokens_of(one) | tokens_of(other)


@given(st.text(alphabet="ab:;, _A0\té", max_size=20))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        tokens = parse(text)
    except ValueError:
        return
    assert parse(text_of(tokens)) == tokens


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("", set()),
        ("  ", set()),
        ("certificate", {"certificate"}),
        (
            "admin:grantrights,viewlogs;configuration;security",
            {"admin", "admin:grantrights", "admin:viewlogs", "configuration", "security"},
        ),
        ("Admin : Delete , ViewLogs ; Security", {"admin", "admin:delete", "admin:viewlogs", "security"}),
        ("ssh:manage;ssh:delete;ssh", {"ssh", "ssh:manage", "ssh:delete"}),
        ("certificate:discover,read", {"certificate", "certificate:discover"}),
        ("certificate:read", {"certificate"}),
        ("certificate:any", {"certificate"}),
        ("any", set()),
        ("any;agent", {"agent"}),
        ("something-new:of_its.own", {"something-new", "something-new:of_its.own"}),
    ],
)
def test_a_text_stands_for_a_set_of_tokens(text: str, tokens: set[str]) -> None:
    assert parse(text) == tokens


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (";", "a scope is missing in ';'"),
        ("admin;", "a scope is missing in 'admin;'"),
        (";admin", "a scope is missing in ';admin'"),
        ("admin;;security", "a scope is missing in 'admin;;security'"),
        (":delete", "a scope is missing in ':delete'"),
        ("admin:", "a restriction is missing in 'admin:'"),
        ("admin:,delete", "a restriction is missing in 'admin:,delete'"),
        ("admin:delete,", "a restriction is missing in 'admin:delete,'"),
        ("admin:delete:more", "'delete:more' is no restriction"),
        ("admin,security", "'admin,security' is no scope"),
        ("admin/delete", "'admin/delete' is no scope"),
        ("-admin", "'-admin' is no scope"),
        ("ädmin", "'ädmin' is no scope"),
        ("admin:dele\0te", "'dele\\x00te' is no restriction"),
        ("a" * 129, f"'{'a' * 64}…' is no scope"),
    ],
)
def test_what_is_not_in_the_grammar_is_told_where(text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=re.escape(problem)):
        parse(text)


def test_a_member_that_is_no_scope_is_named() -> None:
    with pytest.raises(Failure) as refused:
        read("MaximumScope", "admin:")

    assert refused.value.reason == INVALID_SCOPE
    assert [violation.member for violation in refused.value.violations] == ["MaximumScope"]


def test_the_scopes_that_are_known_are_those_that_the_service_knows() -> None:
    assert parse(text_of(KNOWN_SCOPES)) == frozenset(KNOWN_SCOPES)
    assert tokens_of({scope: frozenset(beyond) for scope, beyond in KNOWN.items()}) == set(KNOWN_SCOPES)
