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
from service.crypto.signing import TokenSigner
from service.settings import load_settings
from tests.canary.marks import found_in, new_mark

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from types import ModuleType

SECRETS = {
    "access_token",
    "api_token",
    "authorization",
    "authorization_uri",
    "client_secret",
    "code_verifier",
    "password",
    "private_key",
    "refresh_token",
    "secret",
    "token",
    "verification_token",
}


class Anything:
    """Has every attribute."""

    def __getattr__(self, name: str) -> str:
        return name


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
    """Returns an object of the class with the mark in its secret members, without running the constructor's checks."""
    members = {name: mark if name in SECRETS else Anything() for name in members_of(kind)}
    if not dataclasses.is_dataclass(kind):
        return kind(**members)
    made = object.__new__(kind)
    for name, value in members.items():
        object.__setattr__(made, name, value)
    return made


def test_there_are_such_classes() -> None:
    names = {f"{kind.__module__}.{kind.__name__}" for kind in KINDS}

    assert {
        "service.crypto.keyring_file.SigningKey",
        "service.profiles.drafts.Draft",
        "service.profiles.rules.Tokens",
        "gateway.dialects.hdp.bodies.ProfileBody",
    } <= names


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: f"{kind.__module__}.{kind.__qualname__}")
def test_no_secret_member_is_shown(kind: type) -> None:
    mark = new_mark()
    made = filled(kind, mark)

    assert found_in(f"{made!r} {made!s} {[made]}".encode(), [mark]) == []


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


def texts_in(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from texts_in(each)


def test_a_keyring_shows_no_key(tmp_path: Path) -> None:
    path = tmp_path / "keyring.json"
    keyring = Keyring.open_or_create(path, lambda: 1)
    keyring.ensure_signing_key("ES256", lambda: 1)
    signer = TokenSigner(keyring)
    signer.sign({"exp": 60}, 1)
    keys = [text for text in texts_in(msgspec.json.decode(path.read_bytes())) if len(text) > 40]

    assert keys
    shown = f"{keyring!r} {keyring!s} {keyring.signing_keys} {signer!r} {list(signer._ready.values())}"
    kid = keyring.signing_keys[0].kid
    assert [key for key in keys if key != kid and found_in(shown.encode(), [key])] == []
