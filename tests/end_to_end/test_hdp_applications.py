# SPDX-License-Identifier: Apache-2.0
"""The life of an HDP application, and what becomes of its profiles."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from msgspec import UNSET

from almoner.v1 import directory_pb2 as pb
from tests.rest import APPLICATIONS, PROFILES, profile_body

if TYPE_CHECKING:
    from tests.rest import Rest

OAUTH = (
    pb.PERMISSION_MANAGEMENT_API,
    pb.PERMISSION_APPLICATIONS_VIEW,
    pb.PERMISSION_APPLICATIONS_REVEAL,
    pb.PERMISSION_APPLICATIONS_MANAGE,
)
USER_ROLE = 2


def body(**members: Any) -> dict[str, Any]:
    return {
        "name": "TenantA OAuth app",
        "dataStore": 54,
        "description": "text",
        "clientId": "id",
        "clientSecret": "s3cret",
        "authorizeURI": "https://as.example/authorize",
        "tokenURI": "https://as.example/token",
        "scope": "a b",
        **members,
    }


async def test_an_application_is_made_read_replaced_and_deleted(rest_over: Rest) -> None:
    tenant = await rest_over.tenant()
    by = await rest_over.member(tenant, *OAUTH)

    created = await rest_over.post(APPLICATIONS, body(), by=by)
    path = created.headers["Location"]
    number = int(path.rpartition("/")[2])
    assert (created.status, created.json()) == (201, {"id": number, "tenantId": tenant.number, **body()})
    read = await rest_over.get(path, by=by)
    assert (read.json(), read.etag) == (created.json(), created.etag)

    least = {"name": "Other", "dataStore": 1, "clientId": "id2", "clientSecret": "s3cret2"}
    replaced = await rest_over.put(path, least, by=by)
    empty = {"description": "", "authorizeURI": "", "tokenURI": "", "scope": ""}
    assert replaced.json() == {"id": number, "tenantId": tenant.number, **least, **empty}
    assert (await rest_over.get(path, by=by)).json() == replaced.json()

    assert (await rest_over.delete(path, by=by)).status == 204
    gone = await rest_over.get(path, by=by)
    assert (gone.status, gone.code) == (404, 222207711)


async def test_the_list_has_neither_client_id_nor_secret(rest_over: Rest) -> None:
    tenant = await rest_over.tenant()
    by = await rest_over.member(tenant, *OAUTH)
    number = await rest_over.application(tenant, **body())

    (element,) = (await rest_over.get(APPLICATIONS, by=by)).json()["applications"]

    expected = {"id": number, "tenantId": tenant.number, **body()}
    assert element == {name: value for name, value in expected.items() if not name.startswith("client")}


async def test_the_list_is_of_one_tenant_by_id_or_name_or_of_all(rest_over: Rest) -> None:
    here, there = await rest_over.tenant(), await rest_over.tenant()
    mine, other = await rest_over.application(here), await rest_over.application(there)

    async def listed(query: str) -> set[int]:
        answer = await rest_over.get(APPLICATIONS + query)
        return {element["id"] for element in answer.json()["applications"]}

    assert await listed(f"?tenantId={here.number}") == {mine}
    assert await listed(f"?tenantName={there.name.replace(' ', '%20')}") == {other}
    assert await listed("") >= {mine, other}
    for query in ("?tenantId=999999", "?tenantName=nothing", "?tenantName=*"):
        assert (await rest_over.get(APPLICATIONS + query)).status == 404


@pytest.mark.parametrize("lacks", OAUTH)
async def test_applications_take_the_permissions_mgmtapi_and_oauth(
    rest_over: Rest, lacks: pb.Permission.ValueType
) -> None:
    tenant = await rest_over.tenant()
    number = await rest_over.application(tenant)
    by = await rest_over.member(tenant, *(permission for permission in OAUTH if permission != lacks))

    statuses = {
        method: (await rest_over.send(method, f"{APPLICATIONS}/{number}", by=by, json=json)).status
        for method, json in (("GET", UNSET), ("PUT", body()), ("DELETE", UNSET))
    }

    writing, reading = pb.PERMISSION_APPLICATIONS_MANAGE, pb.PERMISSION_APPLICATIONS_REVEAL
    expected = {
        pb.PERMISSION_MANAGEMENT_API: {"GET": 403, "PUT": 403, "DELETE": 403},
        pb.PERMISSION_APPLICATIONS_VIEW: {"GET": 403, "PUT": 403, "DELETE": 403},
        reading: {"GET": 403, "PUT": 200, "DELETE": 204},
        writing: {"GET": 200, "PUT": 403, "DELETE": 403},
    }
    assert statuses == expected[lacks]


async def test_deleting_an_application_deletes_its_profiles(rest_over: Rest) -> None:
    tenant = await rest_over.tenant()
    ann = await rest_over.member(tenant, roles=(USER_ROLE,))
    doomed, kept = await rest_over.application(tenant), await rest_over.application(tenant)
    profiles = [await rest_over.profile(doomed, by=ann), await rest_over.profile(doomed, by=ann)]
    other = await rest_over.profile(kept, by=ann)

    assert (await rest_over.delete(f"{APPLICATIONS}/{doomed}")).status == 204

    assert [(await rest_over.get(f"{PROFILES}/{number}", by=ann)).status for number in profiles] == [404, 404]
    assert (await rest_over.get(f"{PROFILES}/{other}", by=ann)).status == 200


async def test_an_application_of_the_system_tenant_serves_every_tenant(rest_over: Rest) -> None:
    application = await rest_over.application()
    ann = await rest_over.member(await rest_over.tenant(), roles=(USER_ROLE,))

    assert (await rest_over.post(PROFILES, profile_body(application), by=ann)).status == 201


async def test_an_application_of_a_tenant_serves_that_tenant_only(rest_over: Rest) -> None:
    application = await rest_over.application(await rest_over.tenant())
    ann = await rest_over.member(await rest_over.tenant(), roles=(USER_ROLE,))

    for by in (ann, await rest_over.member(None, roles=(1,))):
        answer = await rest_over.post(PROFILES, profile_body(application), by=by)
        assert (answer.status, answer.text) == (404, f"Invalid OAuthApplicationId: {application}")


async def test_a_tenant_administers_its_own_applications_only(rest_over: Rest) -> None:
    here, there = await rest_over.tenant(), await rest_over.tenant()
    by = await rest_over.member(here, *OAUTH)
    foreign = await rest_over.application(there)

    created = await rest_over.post(APPLICATIONS, body(tenantId=there.number), by=by)
    read = await rest_over.get(f"{APPLICATIONS}/{foreign}", by=by)

    assert created.status == 404
    assert (read.status, read.code) == (404, 222207711)


async def test_an_application_stays_in_its_tenant(rest_over: Rest) -> None:
    here, there = await rest_over.tenant(), await rest_over.tenant()
    number = await rest_over.application(here)

    moved = await rest_over.put(f"{APPLICATIONS}/{number}", body(tenantId=there.number))
    stays = await rest_over.put(f"{APPLICATIONS}/{number}", body(tenantId=here.number))

    assert (moved.status, stays.status) == (409, 200)
    assert "tenantId" in moved.text
