# SPDX-License-Identifier: Apache-2.0
"""Consents over REST that are not good: what begins them, and what is brought back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pytest

from tests.bad_input.test_requests import NO_IDS

if TYPE_CHECKING:
    from tests.bad_input.conftest import World

CALLBACK: Final = "/v1/oauth/callback"
AUTHORIZE: Final = "/v1/profiles/<custom>:authorize"
NO_TEXT: Final = [17, 1.5, True, [], {}, None]
NO_LINE: Final = [*NO_TEXT, "a\x00b", "a\nb", "a\x7fb", "tail\n"]
BODIES: Final = [
    *(("scope", value) for value in (*NO_LINE, "s" * 4_097)),
    *(("redirect_uri", value) for value in (*NO_LINE, "no uri", "ftp://a", "https://a b", "javascript:1", "https://a/#b", "https://" + "a" * 2_041)),
]  # fmt: skip


@pytest.mark.usefixtures("unchanged")
async def test_an_id_that_names_no_profile_is_not_found(world: World) -> None:
    for number in NO_IDS:
        answer = await world.rest.post(f"/v1/profiles/{number}:authorize", {})

        assert answer.status == 404, (number, answer.content)
        assert answer.headers["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize(("member", "value"), BODIES)
@pytest.mark.usefixtures("unchanged")
async def test_a_member_that_is_not_good_is_refused_by_its_name(world: World, member: str, value: Any) -> None:
    answer = await world.rest.post(world.fill(AUTHORIZE), {member: value})

    assert answer.status == 400, answer.content
    assert [error["member"] for error in answer.json()["errors"]] == [member]


@pytest.mark.parametrize("data", [b"{", b"[]", b"1", b"\xff", b'{"scope": "a"', b"scope=a"])
@pytest.mark.usefixtures("unchanged")
async def test_a_body_that_is_none_is_refused(world: World, data: bytes) -> None:
    answer = await world.rest.post(world.fill(AUTHORIZE), data=data)

    assert answer.status == 400, answer.content


@pytest.mark.parametrize(
    "query",
    [
        "",
        "code=c",
        "state=&code=c",
        "state=s",
        "state=s&code=",
        "state=s&code=c",
        "state=s&error=e",
        "state=s&state=s&code=c",
        "state=s&code=c&code=c",
        "state=%00&code=c",
        "state=%ff&code=c",
        "state=%&code=%zz",
        "state=s&code=c%0d%0aSet-Cookie:%20a=b",
        f"state={'s' * 513}&code=c",
        f"state={'%F0%9F%92%A9' * 100}&code=c",
        f"state=s&error={'e' * 256}",
        f"state=s&code=c&iss={'i' * 2_049}",
    ],
)
@pytest.mark.usefixtures("unchanged")
async def test_an_answer_that_is_none_is_refused_with_a_page(world: World, query: str) -> None:
    answer = await world.rest.get(f"{CALLBACK}?{query}", by=None)

    assert answer.status == 400, answer.content
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert b"That did not work" in answer.content
