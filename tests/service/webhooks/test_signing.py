# SPDX-License-Identifier: Apache-2.0
"""Signatures are those of Standard Webhooks."""

from __future__ import annotations

import base64

import pytest

from service.webhooks.signing import key_of, new_secret, signatures


def test_the_example_of_the_specification() -> None:
    key = key_of("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    signed = signatures([key], "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert signed == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_several_secrets_sign_side_by_side() -> None:
    one, two = key_of(new_secret()), key_of(new_secret())
    both = signatures([one, two], "msg_1", 1, b"{}")
    assert both.split(" ") == [signatures([key], "msg_1", 1, b"{}") for key in (one, two)]


def test_a_generated_secret_has_256_bits() -> None:
    secret = new_secret()
    assert secret.startswith("whsec_")
    assert len(key_of(secret)) == 32
    assert new_secret() != secret


@pytest.mark.parametrize("size", [24, 32, 64])
def test_a_secret_may_have_24_to_64_bytes(size: int) -> None:
    assert key_of("whsec_" + base64.b64encode(b"k" * size).decode()) == b"k" * size


@pytest.mark.parametrize(
    "secret",
    [
        "",
        "whsec_",
        base64.b64encode(b"k" * 32).decode(),
        "whsec_" + base64.b64encode(b"k" * 23).decode(),
        "whsec_" + base64.b64encode(b"k" * 65).decode(),
        "whsec_" + base64.b64encode(b"k" * 32).decode().rstrip("="),
        "whsec_ü" + base64.b64encode(b"k" * 32).decode(),
        "whsec_!" + base64.b64encode(b"k" * 32).decode(),
        "WHSEC_" + base64.b64encode(b"k" * 32).decode(),
    ],
)
def test_nothing_else_is_a_secret(secret: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the text is the library's
        key_of(secret)
