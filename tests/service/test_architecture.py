# SPDX-License-Identifier: Apache-2.0
"""Who may import whom."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROOMS = ("profiles", "applications", "directory", "grants", "audit", "broker", "consent", "changes", "webhooks")
FOUNDATIONS = ("service.storage", "service.crypto", "service.access", "service.audit", "service.listing")
LOOSE = {"service.errors", "service.clock", "service.etags", "service.leases", "service.work"}
RPC_SIDE = ("rpc", "messages")
"""What the names of modules have that know protobuf."""


def modules(folder: str) -> list[Path]:
    return [path for path in sorted((ROOT / folder).rglob("*.py")) if "migrations" not in path.parts]


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def imports_of(path: Path) -> set[str]:
    """Full names of what a module imports: `from a import b` counts as a.b where that is a module."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                inner = ROOT / Path(*node.module.split("."), f"{alias.name}.py")
                found.add(f"{node.module}.{alias.name}" if inner.exists() else node.module)
    return found


def under(name: str, *packages: str) -> bool:
    return any(name == package or name.startswith(f"{package}.") for package in packages)


@pytest.mark.parametrize("path", modules("gateway"), ids=name_of)
def test_the_gateway_never_imports_the_service(path: Path) -> None:
    assert not [name for name in imports_of(path) if under(name, "service")]


@pytest.mark.parametrize("path", modules("service"), ids=name_of)
def test_only_the_command_knows_the_gateway(path: Path) -> None:
    if under(name_of(path), "service.cli", "service.command"):
        return
    assert not [name for name in imports_of(path) if under(name, "gateway")]


@pytest.mark.parametrize(
    "path",
    [path for room in ROOMS for path in modules(f"service/{room}") if not any(part in path.stem for part in RPC_SIDE)],
    ids=name_of,
)
def test_rules_queries_and_tables_know_neither_grpc_nor_protobuf(path: Path) -> None:
    assert not [name for name in imports_of(path) if under(name, "grpc", "google", "almoner", "service.rpc")]


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_knows_of_others_their_rules_and_for_joins_their_tables(room: str) -> None:
    for path in modules(f"service/{room}"):
        for name in imports_of(path):
            if not under(name, *(f"service.{other}" for other in ROOMS if other != room)):
                continue
            if under(name, *FOUNDATIONS):
                continue
            last = name.rpartition(".")[2]
            assert "queries" not in last, f"{name_of(path)} imports {name}"
            assert "rpc" not in last, f"{name_of(path)} imports {name}"


@pytest.mark.parametrize("path", [path for path in modules("service") if path.stem == "tables"], ids=name_of)
def test_tables_depend_on_nothing_of_the_house_but_storage(path: Path) -> None:
    assert not [name for name in imports_of(path) if under(name, "service") and not under(name, "service.storage")]


@pytest.mark.parametrize(
    "path",
    [path for folder in ("access", "storage", "crypto", "listing") for path in modules(f"service/{folder}")],
    ids=name_of,
)
def test_the_foundations_know_no_room(path: Path) -> None:
    rooms = tuple(f"service.{room}" for room in ROOMS)
    assert not [name for name in imports_of(path) if under(name, *rooms)]
