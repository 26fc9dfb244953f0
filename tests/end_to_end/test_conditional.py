# SPDX-License-Identifier: Apache-2.0
"""ETag and If-Match (RFC 9110 section 13.1.1) in both dialects, for every kind of resource."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from tests.rest import APPLICATIONS, CONNECTIONS, CUSTOM_PROFILES, PROFILES, custom_body, profile_body

if TYPE_CHECKING:
    from tests.rest import Answer, Rest


class Resource(NamedTuple):
    """Something that can be replaced."""

    path: str
    body: dict[str, Any]

    async def put(self, rest: Rest, *if_match: str) -> Answer:
        return await rest.put(self.path, self.body, headers=[("If-Match", line) for line in if_match])

    async def delete(self, rest: Rest, if_match: str) -> Answer:
        return await rest.delete(self.path, headers=[("If-Match", if_match)])


async def make(rest: Rest, kind: str) -> Resource:
    if kind == "profile":
        application = await rest.application()
        return Resource(f"{PROFILES}/{await rest.profile(application)}", profile_body(application))
    if kind == "application":
        body = {"name": "A", "dataStore": 54, "clientId": "c", "clientSecret": "s"}
        return Resource(f"{APPLICATIONS}/{await rest.application()}", body)
    if kind == "custom profile":
        return Resource(f"{CUSTOM_PROFILES}/{await rest.custom_profile()}", custom_body())
    if kind == "connection":
        made = (await rest.post(CONNECTIONS, {"name": "C", "provider": "hubspot"})).json()["id"]
        return Resource(f"{CONNECTIONS}/{made}", {"name": "D"})
    if kind == "tenant":
        return Resource(f"/api/admin/tenants/{(await rest.tenant()).number}", {"name": "T"})
    if kind == "user":
        member = await rest.member()
        return Resource(f"/api/admin/users/{member.id}", {"userName": member.username})
    made = (await rest.post("/api/admin/roles", {"name": "R", "permissions": [5]})).json()["id"]
    return Resource(f"/api/admin/roles/{made}", {"name": "R"})


KINDS = ["profile", "application", "custom profile", "connection", "tenant", "user", "role"]
of_each_kind = pytest.mark.parametrize("kind", KINDS)


@of_each_kind
async def test_a_change_gives_another_etag_and_a_read_the_same(rest_over: Rest, kind: str) -> None:
    resource = await make(rest_over, kind)
    first = await resource.put(rest_over)
    second = await resource.put(rest_over)

    assert first.etag != second.etag
    if kind != "connection":
        # Workato documents no route that reads a single connection.
        reads = [await rest_over.get(resource.path) for _ in range(2)]
        assert {answer.etag for answer in reads} == {second.etag}


@of_each_kind
async def test_the_current_etag_matches(rest_over: Rest, kind: str) -> None:
    resource = await make(rest_over, kind)
    etag = (await resource.put(rest_over)).etag

    for if_match in ("{etag}", '"0", {etag}', '"0" ,{etag},"x"', "*"):
        answer = await resource.put(rest_over, if_match.format(etag=etag))
        assert answer.status == 200
        etag = answer.etag


@of_each_kind
async def test_another_etag_does_not_and_nothing_changes(rest_over: Rest, kind: str) -> None:
    resource = await make(rest_over, kind)
    old = (await resource.put(rest_over)).etag
    current = (await resource.put(rest_over)).etag

    for if_match in (old, '"0"', f"W/{current}", current.strip('"'), '"0", "1"', "nonsense"):
        for answer in (await resource.put(rest_over, if_match), await resource.delete(rest_over, if_match)):
            assert answer.status == 412, if_match
    assert (await resource.put(rest_over, current)).status == 200


@of_each_kind
async def test_it_counts_for_deletion_too(rest_over: Rest, kind: str) -> None:
    resource = await make(rest_over, kind)
    etag = (await resource.put(rest_over)).etag

    assert (await resource.delete(rest_over, etag)).status in {200, 204}
    assert (await resource.put(rest_over)).status == 404
    # What is not there cannot be changed, whatever it should be: not found says more than a failed precondition.
    for if_match in (etag, "*"):
        assert (await resource.put(rest_over, if_match)).status == 404


@of_each_kind
async def test_of_writers_with_the_same_etag_one_wins(rest_over: Rest, kind: str) -> None:
    resource = await make(rest_over, kind)
    etag = (await resource.put(rest_over)).etag

    answers = await asyncio.gather(*(resource.put(rest_over, etag) for _ in range(4)))

    assert sorted(answer.status for answer in answers) == [200, 412, 412, 412]


@pytest.mark.parametrize("path", [PROFILES, CUSTOM_PROFILES])
async def test_if_match_may_take_several_lines(rest_over: Rest, path: str) -> None:
    resource = await make(rest_over, "profile" if path == PROFILES else "custom profile")
    etag = (await rest_over.get(resource.path)).etag

    refused = await resource.put(rest_over, '"0"', '"x"')
    done = await resource.put(rest_over, '"0"', etag)

    assert (refused.status, done.status) == (412, 200)


@pytest.mark.parametrize("kind", ["profile", "custom profile"])
async def test_on_reading_it_says_nothing(rest_over: Rest, kind: str) -> None:
    resource = await make(rest_over, kind)

    assert (await rest_over.get(resource.path, headers=[("If-Match", '"0"')])).status == 200
