# SPDX-License-Identifier: Apache-2.0
"""No object that holds a secret shows it when it is printed. Classes are found by the names of their members."""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import pkgutil
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

import gateway
import service
from service.crypto.keyring import Keyring
from service.settings import load_settings
from tests.canary.marks import found_in, new_mark

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType

SECRETS = {
    "access_token",
    "api_token",
    "authorization",
    "client_secret",
    "password",
    "refresh_token",
    "secret",
    "token",
    "verification_token",
}
PUBLIC = {
    # The column of a seal: what is in it is sealed.
    "service.profiles.tables",
    "service.applications.tables",
}


def modules(package: ModuleType) -> list[ModuleType]:
    names = [found.name for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")]
    return [importlib.import_module(name) for name in names if ".migrations" not in name]


def members_of(kind: type) -> list[str]:
    if dataclasses.is_dataclass(kind):
        return [field.name for field in dataclasses.fields(kind)]
    if issubclass(kind, msgspec.Struct):
        return list(kind.__struct_fields__)
    return list(getattr(kind, "_fields", ()))


KINDS = sorted(
    {
        kind
        for package in (service, gateway)
        for module in modules(package)
        for kind in vars(module).values()
        if inspect.isclass(kind) and kind.__module__ == module.__name__ and not SECRETS.isdisjoint(members_of(kind))
    },
    key=lambda kind: f"{kind.__module__}.{kind.__qualname__}",
)


def filled(kind: type, mark: str) -> Any:
    """Returns an object of the class with the mark in every member, without running its constructor."""
    members = dict.fromkeys(members_of(kind), mark)
    if dataclasses.is_dataclass(kind):
        made = object.__new__(kind)
        for name, value in members.items():
            object.__setattr__(made, name, value)
        return made
    return kind(**members)


def leaks(kind: type) -> bool:
    """Whether a secret member shows; the others may."""
    made = filled(kind, "")
    mark = new_mark()
    for name in SECRETS.intersection(members_of(kind)):
        secret = filled(kind, "")
        if dataclasses.is_dataclass(kind):
            object.__setattr__(secret, name, mark)
        elif isinstance(secret, tuple):
            secret = secret._replace(**{name: mark})  # type: ignore[attr-defined]
        else:
            setattr(secret, name, mark)
        if found_in(f"{secret!r} {secret!s} {[secret]}".encode(), [mark]):
            return True
    return made is None


def test_there_are_such_classes() -> None:
    names = {f"{kind.__module__}.{kind.__name__}" for kind in KINDS}

    assert {
        "service.profiles.rules.Draft",
        "service.profiles.rules.Tokens",
        "gateway.dialects.hdp.bodies.ProfileBody",
    } <= names


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: f"{kind.__module__}.{kind.__qualname__}")
def test_no_secret_member_is_shown(kind: type) -> None:
    assert not leaks(kind)


def test_settings_show_no_secret(tmp_path: Path) -> None:
    mark = new_mark()
    settings = load_settings(
        {
            "data_dir": str(tmp_path),
            "bootstrap_admin_password": mark,
            "bootstrap_api_token": mark,
            "database_url": f"postgresql://user:{mark}@host/database",
        }
    )

    assert found_in(f"{settings!r} {settings!s}".encode(), [mark]) == []


def test_a_keyring_shows_no_key(tmp_path: Path) -> None:
    keyring = Keyring.open_or_create(tmp_path / "keyring.json", lambda: 1)

    shown = f"{keyring!r} {keyring!s} {vars(keyring) if hasattr(keyring, '__dict__') else ''}".encode()

    for key in msgspec.json.decode((tmp_path / "keyring.json").read_bytes(), type=dict[str, Any]).values():
        for text in [key] if isinstance(key, str) and len(key) > 30 else []:
            assert text.encode() not in shown
