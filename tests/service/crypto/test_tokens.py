# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import re
import uuid

from service.crypto.tokens import new_api_token, new_client_secret, new_uuid


def test_an_api_token_is_recognised_by_its_prefix() -> None:
    assert re.fullmatch(r"almoner_[A-Za-z0-9]{43}", new_api_token())


def test_a_client_secret_needs_no_quoting_anywhere() -> None:
    assert re.fullmatch(r"[A-Za-z0-9]{43}", new_client_secret())


def test_a_uuid_is_random_and_canonical() -> None:
    text = new_uuid()
    assert str(uuid.UUID(text)) == text
    assert uuid.UUID(text).version == 4


def test_no_two_are_alike() -> None:
    for new in (new_api_token, new_client_secret, new_uuid):
        assert len({new() for _ in range(100)}) == 100
