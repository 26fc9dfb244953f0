# SPDX-License-Identifier: Apache-2.0
"""Where VMware's clients put their credentials."""

from __future__ import annotations

import base64
from typing import cast

import pytest
from aiohttp.test_utils import make_mocked_request
from multidict import CIMultiDict, CIMultiDictProxy

from gateway.call import Call, Services
from gateway.dialects.vmware.credentials import caller, client_of
from gateway.failures import Failure


def request(authorization: str | None) -> Call[None, None, None]:
    headers = {} if authorization is None else {"Authorization": authorization}
    return Call(
        services=cast("Services", None),
        metadata=(),
        timeout=1.0,
        path=None,
        query=None,
        body=None,
        if_match="",
        request=make_mocked_request("POST", "/", headers=headers),
    )


def basic(text: bytes) -> str:
    return f"Basic {base64.b64encode(text).decode()}"


@pytest.mark.parametrize(
    ("headers", "credentials"),
    [
        ({}, None),
        ({"Authorization": "Bearer a"}, "Bearer a"),
        ({"csp-auth-token": "a"}, "Bearer a"),
        ({"CSP-Auth-Token": "a", "Authorization": "Bearer b"}, "Bearer a"),
        ({"Authorization": "Basic YTpi"}, "Basic YTpi"),
    ],
)
def test_a_caller_has_a_token_in_either_header(headers: dict[str, str], credentials: str | None) -> None:
    assert caller(CIMultiDictProxy(CIMultiDict(headers))) == credentials


@pytest.mark.parametrize(
    ("text", "client"),
    [
        (b"id:secret", ("id", "secret")),
        (b"id:se:cret", ("id", "se:cret")),
        ("id:sécret".encode(), ("id", "sécret")),
    ],
)
def test_a_client_is_in_basic_credentials(text: bytes, client: tuple[str, str]) -> None:
    assert client_of(request(basic(text))) == client


@pytest.mark.parametrize(
    ("authorization", "reason"),
    [
        (None, "CREDENTIALS_MISSING"),
        ("Bearer a", "CREDENTIALS_INVALID"),
        ("Basic", "CREDENTIALS_INVALID"),
        ("Basic !", "CREDENTIALS_INVALID"),
        (basic(b"no colon"), "CREDENTIALS_INVALID"),
        (basic(b"id:"), "CREDENTIALS_INVALID"),
        (basic(b":secret"), "CREDENTIALS_INVALID"),
        (basic(b"id:\xff"), "CREDENTIALS_INVALID"),
    ],
)
def test_nothing_else_is_a_client(authorization: str | None, reason: str) -> None:
    with pytest.raises(Failure) as refused:
        client_of(request(authorization))

    assert refused.value.reason == reason
    assert refused.value.status == 401


def test_the_secret_of_a_client_is_in_no_repr() -> None:
    assert "s3cret" not in repr(client_of(request(basic(b"id:s3cret"))))
