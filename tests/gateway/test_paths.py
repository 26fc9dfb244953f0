# SPDX-License-Identifier: Apache-2.0
"""Paths are found by their templates: literal segments first, parameters decoded, everything else nowhere."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.dialects import DIALECTS
from gateway.own import OWN
from gateway.paths import Paths

TEMPLATES = (
    "/",
    "/profiles",
    "/profiles/{id}",
    "/profiles/{id}:authorize",
    "/profiles/{id}/links",
    "/profiles/own/links/{link}",
    "/{tenant}/profiles/{id}",
)

ROUTES = sorted({route.path for dialect in (*DIALECTS, OWN) for route in dialect.routes})


def over(*templates: str) -> Paths[str]:
    """Returns paths at each of which is its template."""
    paths: Paths[str] = Paths()
    for template in templates:
        paths.add(template, template)
    return paths


FOUND = [
    ("/", "/", {}),
    ("/profiles", "/profiles", {}),
    ("/profiles/7", "/profiles/{id}", {"id": "7"}),
    ("/profiles/7:authorize", "/profiles/{id}:authorize", {"id": "7"}),
    ("/profiles/a:b:authorize", "/profiles/{id}:authorize", {"id": "a:b"}),
    ("/profiles/:authorize", "/profiles/{id}", {"id": ":authorize"}),
    ("/profiles/own", "/profiles/{id}", {"id": "own"}),
    ("/profiles/own/links", "/profiles/{id}/links", {"id": "own"}),
    ("/profiles/own/links/3", "/profiles/own/links/{link}", {"link": "3"}),
    ("/profiles/a b%2Fc%252F", "/profiles/{id}", {"id": "a b/c%2F"}),
    ("/acme/profiles/7", "/{tenant}/profiles/{id}", {"tenant": "acme", "id": "7"}),
    ("/profiles/profiles/7", "/{tenant}/profiles/{id}", {"tenant": "profiles", "id": "7"}),
]


@pytest.mark.parametrize(("path", "template", "parameters"), FOUND, ids=[path for path, *_ in FOUND])
def test_a_path_is_found(path: str, template: str, parameters: dict[str, str]) -> None:
    assert over(*TEMPLATES).find(path) == (template, parameters)


@pytest.mark.parametrize("templates", [TEMPLATES, TEMPLATES[::-1]])
def test_the_order_of_the_table_does_not_matter(templates: tuple[str, ...]) -> None:
    found = [over(*templates).find(path) for path, *_ in FOUND]
    assert found == [(template, parameters) for _, template, parameters in FOUND]


@pytest.mark.parametrize(
    "path",
    [
        "",
        "*",
        "profiles",
        "//",
        "/profiles/",
        "/Profiles",
        "/profiles//links",
        "/profiles/{id}",
        "/profiles/1/links/2/3",
    ],
)
def test_nothing_is_anywhere_else(path: str) -> None:
    assert over(*TEMPLATES).find(path) is None


@pytest.mark.parametrize("template", ROUTES)
def test_every_path_of_the_tables_is_found(template: str) -> None:
    found = over(*ROUTES).find(template.replace("{", "").replace("}", ""))
    assert found is not None
    assert found.here == template


@given(st.text(st.characters(exclude_characters="{}"), min_size=1))
def test_a_parameter_has_the_value_that_was_written(value: str) -> None:
    written = value.replace("%", "%25").replace("/", "%2F")
    found = over("/things/{id}").find(f"/things/{written}")
    assert found == ("/things/{id}", {"id": value})
