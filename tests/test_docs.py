# SPDX-License-Identifier: Apache-2.0
"""The documents against what they are about: links, tables, commands, variables, paths and examples."""

from __future__ import annotations

import contextlib
import io
import re
import shlex
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import grpc
import pytest
from grpc_health.v1 import health_pb2
from prometheus_client import REGISTRY

from almoner.v1 import (
    application_service_pb2,
    directory_pb2,
    directory_service_pb2,
    error_reason_pb2,
    grant_service_pb2,
    token_service_pb2,
    webhook_service_pb2,
)
from almoner.v1 import profile_service_pb2 as profile_service
from gateway.dialects import DIALECTS
from gateway.dialects.hdp.errors import WORDINGS
from gateway.dialects.hdp.permissions import PERMISSIONS
from gateway.failures import HTTP_STATUS, REASON_STATUS
from gateway.own import OWN
from service.access.permissions import ALL
from service.applications.queries import APPLICATIONS
from service.cli import main
from service.directory.bootstrap import BUILT_IN_ROLES
from service.directory.queries import ORGANIZATIONS
from service.directory.user_queries import USERS
from service.errors import InvalidFilter
from service.grants.access_rule_queries import ACCESS_RULES
from service.grants.grant_queries import GRANTS
from service.listing.filter_grammar import parse_filter
from service.listing.filter_sql import filter_clause
from service.profiles.link_queries import LINKS
from service.profiles.queries import PROFILES
from service.rpc import interceptors
from service.settings import SETTINGS

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]
DOCUMENTS = {
    str(path.relative_to(ROOT)): path.read_text()
    for path in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *sorted(ROOT.glob("docs/*.md")))
}
README, API, COMPATIBILITY, OPERATIONS, SECURITY = (
    DOCUMENTS[name]
    for name in ("README.md", "docs/api.md", "docs/compatibility.md", "docs/operations.md", "docs/security.md")
)

_FENCED = re.compile(r"^```(?P<language>\w+)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"`([^`\n]+)`")
_LINK = re.compile(r"\[[^]]+]\((?P<target>[^)\s]+)\)")
_HEADING = re.compile(r"^#+ (?P<title>.+)$", re.MULTILINE)


def prose(text: str) -> str:
    """Returns a document without its blocks."""
    return _FENCED.sub("", text)


def rows(text: str, *heading: str) -> list[list[str]]:
    """Returns the rows of the table with this heading, code marks taken off."""
    start = f"| {' | '.join(heading)} |\n"
    assert text.count(start) == 1, start
    lines = text.partition(start)[2].partition("\n\n")[0].splitlines()[1:]
    return [[cell.strip().strip("`") for cell in line.strip("|").split("|")] for line in lines]


def typed(word: str) -> Iterator[tuple[str, str]]:
    """Yields what the documents say to type that begins with a word: document and line."""
    for name, text in DOCUMENTS.items():
        blocks = (found["text"] for found in _FENCED.finditer(text) if found["language"] in {"sh", "shell"})
        lines = [line for block in blocks for line in block.splitlines()]
        for line in (*lines, *_INLINE.findall(prose(text))):
            if line.startswith(f"{word} ") and "…" not in line:
                yield name, line


# --- Links, paths, commands -------------------------------------------------------------------------------------------


def anchors(text: str) -> set[str]:
    """Returns the anchors of a document's headings, as GitHub makes them."""
    titles = (found["title"].lower() for found in _HEADING.finditer(prose(text)))
    return {re.sub(r"[^\w -]", "", title).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_links_between_documents_resolve(name: str) -> None:
    for found in _LINK.finditer(prose(DOCUMENTS[name])):
        path, _, anchor = found["target"].partition("#")
        if path.startswith("https:"):
            continue
        target = (ROOT / name).parent / path if path else ROOT / name
        assert target.exists(), found[0]
        if anchor:
            assert anchor in anchors(target.read_text()), found[0]


@pytest.mark.parametrize("name", DOCUMENTS)
def test_files_that_are_named_exist(name: str) -> None:
    for code in _INLINE.findall(prose(DOCUMENTS[name])):
        if re.fullmatch(r"(service|gateway|protos|tests|scripts|benchmarks|docs)/[\w./-]*", code):
            assert (ROOT / code).exists(), code


def test_make_targets_that_are_named_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):.* ## ", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {shlex.split(line, comments=True)[1]: name for name, line in typed("make")}

    assert {"serve", "test"} <= named.keys()
    assert named.keys() <= targets


@lru_cache
def help_of(*command: str) -> str:
    output = io.StringIO()
    with contextlib.redirect_stdout(output), pytest.raises(SystemExit) as ended:
        main([*command, "--help"])
    assert ended.value.code == 0
    return output.getvalue()


def test_commands_that_are_named_exist_with_their_flags() -> None:
    lines = list(typed("almoner"))
    assert len(lines) > 20
    for name, line in lines:
        command, *words = shlex.split(line, comments=True)[1:]
        has_actions = " ACTION ..." in help_of(command)
        action = [words[0]] if has_actions and words else []
        text = help_of(command, *action)
        for flag in (word.partition("=")[0] for word in words if word.startswith("--")):
            assert f"{flag} " in text or f"{flag}]" in text, f"{name}: {line}"


@pytest.mark.parametrize("name", DOCUMENTS)
def test_variables_that_are_named_are_settings(name: str) -> None:
    known = {setting.env for setting in SETTINGS} | {"POSTGRES_PASSWORD"}  # compose.yaml's own

    assert set(re.findall(r"\bALMONER_[A-Z_]*[A-Z]\b", DOCUMENTS[name])) <= known


# --- README -----------------------------------------------------------------------------------------------------------


def test_the_readme_has_every_setting_with_flag_default_and_help() -> None:
    table = rows(README, "variable", "flag", "default", "meaning")

    assert table == [[each.env, each.flag or "none", each.default, each.help] for each in SETTINGS]


def test_the_readme_has_every_method() -> None:
    table = {service: methods.split(", ") for service, methods in rows(README, "gRPC service", "methods")}
    modules = (
        profile_service,
        application_service_pb2,
        directory_service_pb2,
        grant_service_pb2,
        token_service_pb2,
        webhook_service_pb2,
    )
    services = [service for module in modules for service in module.DESCRIPTOR.services_by_name.values()]

    for service in services:
        assert table.pop(service.full_name) == [method.name for method in service.methods]
    assert table.keys() == {
        health_pb2.DESCRIPTOR.services_by_name["Health"].full_name,
        "grpc.reflection.v1alpha.ServerReflection",
    }


# --- Compatibility ----------------------------------------------------------------------------------------------------

ROUTES = {f"{route.method} {route.path}" for dialect in (*DIALECTS, OWN) for route in dialect.routes}


def test_every_route_has_a_state_and_no_other_is_said_to_be_served() -> None:
    served = {
        code
        for line in COMPATIBILITY.splitlines()
        if "not served" not in line
        for code in _INLINE.findall(line)
        if re.fullmatch(r"(GET|POST|PUT|PATCH|DELETE) /\S*", code)
    }

    # Prose may name a route with its query.
    assert {code for code in served if "?" not in code} == ROUTES


def test_every_dialect_has_a_state() -> None:
    table = rows(COMPATIBILITY, "dialect", "product", "documents", "state")
    served = {name for name, _, _, state in table if state == "served"}

    assert served == {dialect.name for dialect in DIALECTS}


def test_every_hdp_permission_is_shown_with_what_it_stands_for() -> None:
    def names(allowed: frozenset[directory_pb2.Permission.ValueType]) -> str:
        return ", ".join(directory_pb2.Permission.Name(value).removeprefix("PERMISSION_") for value in sorted(allowed))

    assert rows(COMPATIBILITY, "number", "name", "permissions here") == [
        [str(permission.number), permission.name, names(permission.allows)] for permission in PERMISSIONS
    ]


def test_every_hdp_error_code_is_shown() -> None:
    table = {reason: code for reason, _, code, _ in rows(COMPATIBILITY, "reason", "status", "code", "mark")}
    table.pop("any other")

    assert table == {reason: str(wording.code) for reason, wording in WORDINGS.items()}


# --- Security ---------------------------------------------------------------------------------------------------------


def test_every_permission_is_described() -> None:
    assert [name for name, _ in rows(SECURITY, "permission", "allows")] == [
        name.removeprefix("PERMISSION_") for name in directory_pb2.Permission.keys()[1:]
    ]


def test_every_built_in_role_is_shown_with_its_permissions() -> None:
    def names(role: Any) -> str:
        return "all" if role.permissions == ALL else ", ".join(each.name for each in sorted(role.permissions))

    assert rows(SECURITY, "id", "role", "permissions") == [
        [str(role.id), role.name, names(role)] for role in BUILT_IN_ROLES
    ]


# --- The API ----------------------------------------------------------------------------------------------------------


class Error(NamedTuple):
    """A line of the table of errors."""

    reason: str
    code: str
    metadata: str
    when: str
    rest: str


def test_every_reason_is_shown_with_its_code_and_status() -> None:
    contract = (ROOT / "protos/almoner/v1/error_reason.proto").read_text()
    codes = {
        reason: code
        for code, reason in re.findall(r"  // ([A-Z_]+): (?:.*\n  //)*.*\n  ERROR_REASON_(\w+) = ", contract)
    }
    table = [Error(*row) for row in rows(API, "reason", "code", "metadata", "when", "REST")]

    assert [error.reason for error in table] == [
        name.removeprefix("ERROR_REASON_") for name in error_reason_pb2.ErrorReason.keys()[1:]
    ]
    for error in table:
        assert error.code == codes[error.reason]
        status = REASON_STATUS.get(error.reason, HTTP_STATUS[grpc.StatusCode[error.code]])
        assert error.rest == str(int(status)), error.reason


LISTS: dict[str, Any] = {
    "profiles": PROFILES,
    "links": LINKS,
    "applications": APPLICATIONS,
    "users": USERS,
    "organizations": ORGANIZATIONS,
    "access rules": ACCESS_RULES,
    "grants": GRANTS,
}


@pytest.mark.parametrize(("listing", "text"), [row[:2] for row in rows(API, "list", "filter", "finds")])
def test_the_filters_of_the_examples_are_filters(listing: str, text: str) -> None:
    expression = parse_filter(text)

    assert expression is not None
    filter_clause(expression, LISTS[listing].fields)


@pytest.mark.parametrize(("listing", "text"), [row[:2] for row in rows(API, "list", "filter", "why")])
def test_the_filters_that_are_said_to_be_refused_are(listing: str, text: str) -> None:
    with pytest.raises(InvalidFilter):
        filter_clause(parse_filter(text), LISTS[listing].fields)  # type: ignore[arg-type]  # it raises before


# --- Operations -------------------------------------------------------------------------------------------------------


def test_every_metric_is_described() -> None:
    own = {metric.name for metric in REGISTRY.collect() if metric.name.startswith("almoner_")}
    shown = {
        name.removesuffix("_total") for name, _ in rows(OPERATIONS, "metric", "meaning") if name.startswith("almoner_")
    }

    assert interceptors.__name__  # importing them makes the metrics
    assert shown == own


def test_every_log_event_is_described() -> None:
    sources = (path.read_text() for path in (ROOT / "service").rglob("*.py"))
    logged = {event for source in sources for event in re.findall(r"\b(?:_LOG|log)\.\w+\(\s*\"([\w.]+)\"", source)}
    shown = {
        event.strip("` ")
        for names, *_ in rows(OPERATIONS, "event", "level", "further fields")
        for event in names.split(",")
    }

    assert shown == logged
