# SPDX-License-Identifier: Apache-2.0
"""Secrets of OAuth apps in the dialects of VMware's two products (contract sections 1, 3 and 4)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import pytest

from service.clock import SECOND, system_clock
from tests.rest import gateway_over
from tests.running import running
from tests.vmware import CPN, SECRET, Org, basic, error

if TYPE_CHECKING:
    from pathlib import Path

    from tests.databases import SqliteTemplate
    from tests.rest import Answer, Rest

PRODUCTS: Final = ("cpn", "csp")
NEW: Final = "Another1"
THIRD: Final = "Thirdly3"
EXPIRATION: Final = {"cpn": "secretExpirationTimeInSeconds", "csp": "secretRotationExpirationInSeconds"}
HOURS: Final = 3600


@pytest.fixture(scope="module")
async def org(rest: Rest) -> Org:
    return await Org.make(rest)


async def rotate(org: Org, app: str, product: str, secret: str = NEW, seconds: int | None = 60) -> Answer:
    body: dict[str, Any] = {"newClientSecret": secret}
    if seconds is not None:
        body[EXPIRATION[product]] = seconds
    return await org.send("POST", f"oauth-apps/{app}/secret", body, product=product)


@pytest.mark.parametrize("product", PRODUCTS)
async def test_a_secret_is_replaced_at_once(org: Org, product: str) -> None:
    app = await org.app()

    answer = await org.send("PUT", f"oauth-apps/{app}/secret", {}, product=product)

    assert answer.status == 200
    body = answer.json()
    assert body.keys() == {"clientId", "clientSecret"}
    assert body["clientId"] == app
    assert await org.lets_in(app, SECRET, body["clientSecret"]) == [False, True]


async def test_cpn_replaces_a_secret_without_a_body_and_csp_demands_an_empty_one(org: Org) -> None:
    app = await org.app()

    error(await org.send("PUT", f"oauth-apps/{app}/secret", product="csp"), 400)
    assert (await org.send("PUT", f"oauth-apps/{app}/secret")).status == 200


@pytest.mark.parametrize("product", PRODUCTS)
async def test_both_secrets_work_during_a_rotation(org: Org, product: str) -> None:
    app = await org.app()

    answer = await rotate(org, app, product)

    assert (answer.status, answer.content) == (200, b"")
    assert "Content-Type" not in answer.headers
    assert await org.lets_in(app, SECRET, NEW) == [True, True]


async def test_a_rotation_is_ended(org: Org) -> None:
    app = await org.app()
    await rotate(org, app, "csp")

    for _ in range(2):
        answer = await org.send("DELETE", f"oauth-apps/{app}/secret", product="csp")
        assert (answer.status, answer.content) == (200, b"")
        assert await org.lets_in(app, SECRET, NEW) == [False, True]


@pytest.mark.parametrize("product", PRODUCTS)
async def test_replacing_ends_a_rotation(org: Org, product: str) -> None:
    app = await org.app()
    await rotate(org, app, product)

    made = (await org.send("PUT", f"oauth-apps/{app}/secret", {}, product=product)).json()["clientSecret"]

    assert await org.lets_in(app, SECRET, NEW, made) == [False, False, True]


@pytest.mark.parametrize("product", PRODUCTS)
async def test_a_secret_that_is_set_with_other_members_ends_a_rotation(org: Org, product: str) -> None:
    app = await org.app()
    await rotate(org, app, product)

    answer = await org.send("PATCH", f"oauth-apps/{app}", {"secret": THIRD, "description": "x"}, product=product)

    assert answer.json()["description"] == "x"
    assert await org.lets_in(app, SECRET, NEW, THIRD) == [False, False, True]


@pytest.mark.parametrize("product", PRODUCTS)
async def test_a_change_without_a_secret_leaves_a_rotation_alone(org: Org, product: str) -> None:
    app = await org.app()
    await rotate(org, app, product)

    await org.send("PATCH", f"oauth-apps/{app}", {"description": "x"}, product=product)

    assert await org.lets_in(app, SECRET, NEW) == [True, True]


async def test_secrets_are_shown_nowhere_else(org: Org) -> None:
    app = await org.app()
    await rotate(org, app, "cpn")

    for product in PRODUCTS:
        for below in (f"oauth-apps/{app}", "oauth-apps"):
            shown = (await org.send("GET", below, product=product)).content
            assert SECRET.encode() not in shown
            assert NEW.encode() not in shown


# --- By the app itself ------------------------------------------------------------------------------------------------

OWN: Final = {"newClientSecret": NEW, "secretExpirationTimeInSeconds": 60}


async def own(org: Org, app: str, by: str | None, body: Any = None) -> Answer:
    return await org.rest.post(f"{CPN}/v2/clients/{app}/secret", OWN if body is None else body, by=by)


async def test_an_app_rotates_its_own_secret(org: Org) -> None:
    app = await org.app()

    answer = await own(org, app, basic(app, SECRET))

    assert (answer.status, answer.content) == (200, b"")
    assert await org.lets_in(app, SECRET, NEW) == [True, True]


async def test_an_app_may_be_refused_to_rotate_its_own_secret(org: Org) -> None:
    app = await org.app(ownerOnlySecretRotation=True)

    error(await own(org, app, basic(app, SECRET)), 403)

    assert await org.lets_in(app, SECRET, NEW) == [True, False]
    assert (await rotate(org, app, "cpn")).status == 200


async def test_an_app_proves_who_it_is(org: Org) -> None:
    app, other = await org.app(), await org.app()

    for by in (None, basic(app, "Wrong-1a"), basic("nobody", SECRET), basic(other, SECRET), "Basic !", "Basic"):
        answer = await own(org, app, by)
        assert error(answer, 401)["moduleCode"] == 250
        assert answer.headers["WWW-Authenticate"] == 'Bearer realm="almoner"'
    error(await own(org, app, org.owner.authorization), 401)
    assert await org.lets_in(app, SECRET, NEW) == [True, False]


async def test_missing_credentials_are_said_as_recorded(org: Org) -> None:
    body = error(await own(org, "app", None), 401)

    assert (body["cspErrorCode"], body["message"]) == ("250.100", "Missing mandatory request header: authorization")


# --- Time -------------------------------------------------------------------------------------------------------------


class Case(NamedTuple):
    """Seconds that a request and an app say, and those that the secret before lasts."""

    product: str
    given: int | None
    of_app: int | None
    lifetime: int


CASES: Final = (
    Case("cpn", given=60, of_app=None, lifetime=60),
    Case("csp", given=60, of_app=None, lifetime=60),
    Case("csp", given=60, of_app=7, lifetime=60),
    Case("csp", given=None, of_app=7, lifetime=7),
    Case("csp", given=None, of_app=0, lifetime=0),
    Case("csp", given=None, of_app=None, lifetime=48 * HOURS),
)


@pytest.mark.parametrize("case", CASES, ids=map(str, CASES))
async def test_the_secret_before_lasts_as_long_as_the_request_or_the_app_says(
    sqlite_template: SqliteTemplate, tmp_path: Path, case: Case
) -> None:
    now = system_clock()
    async with running(sqlite_template, tmp_path, clock=lambda: now) as almoner, gateway_over(almoner) as rest:
        org = await Org.make(rest)
        of_app: dict[str, Any] = {} if case.of_app is None else {"secretRotationExpirationInSeconds": case.of_app}
        app = await org.app(**of_app)
        assert (await rotate(org, app, case.product, seconds=case.given)).status == 200

        if case.lifetime:
            now += case.lifetime * SECOND - 1
            assert await org.lets_in(app, SECRET, NEW) == [True, True]
            now += 1
        assert await org.lets_in(app, SECRET, NEW) == [False, True]
