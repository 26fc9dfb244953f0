# SPDX-License-Identifier: Apache-2.0
"""Every reason of the catalogue is met by some call, with the code that its comment in the contract says."""

from __future__ import annotations

import asyncio
import re
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from google.protobuf.field_mask_pb2 import FieldMask

from almoner.v1 import directory_pb2, profile_pb2
from almoner.v1 import directory_service_pb2 as d
from almoner.v1 import grant_service_pb2 as g
from almoner.v1.application_service_pb2 import (
    DeleteApplicationRequest,
    GetApplicationRequest,
    GetClientMembershipRequest,
    RevokeSecretRequest,
    RotateOwnSecretRequest,
    RotateSecretRequest,
)
from almoner.v1.application_service_pb2_grpc import ApplicationServiceStub
from almoner.v1.grant_service_pb2_grpc import GrantServiceStub
from service.applications.rotation import MOST_VALID
from service.changes import rules as changes
from service.clock import HOUR, system_clock
from service.errors import Reason
from service.profiles.tables import TokenState
from tests.refusals import refusal_of
from tests.running import as_user, running, running_on
from tests.service.changes.watching import watch
from tests.service.grants.tokens.counter import Time, bearer, open_counter
from tests.service.grants.tokens.issuer import Issuer, claims, map_to
from tests.service.profiles.desk import CONNECTION, P, open_desk, own
from tests.service.rpc.fakes import faking
from tests.service.webhooks.office import Office

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from almoner.v1.directory_service_pb2 import WhoAmIRequest, WhoAmIResponse
    from tests.databases import SqliteTemplate
    from tests.running import Almoner
    from tests.service.grants.tokens.counter import Counter
    from tests.service.profiles.desk import Desk

    Recipe = Callable[[Desk], Awaitable[Any]]

CATALOGUE = Path(__file__).parents[3] / "protos" / "almoner" / "v1" / "error_reason.proto"
CODES = {
    name: code
    for code, name in re.findall(r"// ([A-Z_]+): .*\n(?:  //.*\n)*  ERROR_REASON_(\w+) =", CATALOGUE.read_text())
}

RECIPES: dict[Reason, Recipe] = {}


def recipe(reason: Reason) -> Callable[[Recipe], Recipe]:
    def register(make: Recipe) -> Recipe:
        RECIPES[reason] = make
        return make

    return register


def directory(desk: Desk) -> Any:
    return desk.almoner.directory


async def as_admin(desk: Desk, method: str, **members: Any) -> Any:
    request = getattr(d, f"{method}Request")(**members)
    return await getattr(directory(desk), method)(request, metadata=desk.almoner.as_admin_token)


@recipe(Reason.INVALID_FIELD)
async def invalid_field(desk: Desk) -> None:
    await desk.create(own(""))


@recipe(Reason.INVALID_UPDATE_MASK)
async def invalid_update_mask(desk: Desk) -> None:
    await desk.call("UpdateProfile", profile=profile_pb2.Profile(id=1), update_mask=FieldMask(paths=["id"]))


@recipe(Reason.INVALID_FILTER)
async def invalid_filter(desk: Desk) -> None:
    await desk.page(filter="(")


@recipe(Reason.INVALID_ORDER_BY)
async def invalid_order_by(desk: Desk) -> None:
    await desk.page(order_by="etag")


@recipe(Reason.INVALID_PAGE_TOKEN)
async def invalid_page_token(desk: Desk) -> None:
    await desk.page(page_token="x")


@recipe(Reason.REQUEST_ID_REUSED)
async def request_id_reused(desk: Desk) -> None:
    request_id = str(uuid.uuid4())
    await desk.create(own("a"), request_id=request_id)
    await desk.create(own("b"), request_id=request_id)


@recipe(Reason.CREDENTIALS_MISSING)
async def credentials_missing(desk: Desk) -> None:
    await desk.page((("authorization", ""),))


@recipe(Reason.CREDENTIALS_INVALID)
async def credentials_invalid(desk: Desk) -> None:
    await desk.page((("authorization", "Bearer x"),))


@recipe(Reason.PERMISSION_MISSING)
async def permission_missing(desk: Desk) -> None:
    await desk.page((await desk.person()).by)


@recipe(Reason.ON_BEHALF_REFUSED)
async def on_behalf_refused(desk: Desk) -> None:
    await desk.page((*desk.chief.by, ("almoner-on-behalf-of", "nobody")))


@recipe(Reason.PERMISSION_ESCALATION)
async def permission_escalation(desk: Desk) -> None:
    giver = await desk.person(P.USERS_CREATE)
    user = directory_pb2.User(username="favourite", permissions=[directory_pb2.PERMISSION_WEB_UI])
    await directory(desk).CreateUser(d.CreateUserRequest(user=user), metadata=giver.by)


@recipe(Reason.PROFILE_NOT_FOUND)
async def profile_not_found(desk: Desk) -> None:
    await desk.get(2**40)


@recipe(Reason.APPLICATION_NOT_FOUND)
async def application_not_found(desk: Desk) -> None:
    stub: Any = ApplicationServiceStub(desk.almoner.channel)
    await stub.GetApplication(GetApplicationRequest(id="x"), metadata=desk.chief.by)


@recipe(Reason.ORGANIZATION_NOT_FOUND)
async def organization_not_found(desk: Desk) -> None:
    await desk.page(organization_id=str(uuid.uuid4()))


@recipe(Reason.USER_NOT_FOUND)
async def user_not_found(desk: Desk) -> None:
    await as_admin(desk, "GetUser", id=2**40)


@recipe(Reason.ROLE_NOT_FOUND)
async def role_not_found(desk: Desk) -> None:
    await as_admin(desk, "GetRole", id=2**40)


@recipe(Reason.ROLE_BINDING_NOT_FOUND)
async def role_binding_not_found(desk: Desk) -> None:
    await as_admin(desk, "GetRoleBinding", id=2**40)


@recipe(Reason.API_TOKEN_NOT_FOUND)
async def api_token_not_found(desk: Desk) -> None:
    await as_admin(desk, "RevokeApiToken", id=2**40)


@recipe(Reason.PROFILE_LINK_NOT_FOUND)
async def profile_link_not_found(desk: Desk) -> None:
    await desk.get_link(2**40)


@recipe(Reason.ALREADY_EXISTS)
async def already_exists(desk: Desk) -> None:
    await as_admin(desk, "CreateUser", user=directory_pb2.User(username="admin"))


@recipe(Reason.ETAG_MISMATCH)
async def etag_mismatch(desk: Desk) -> None:
    made = await desk.create(own())
    await desk.delete(made.id, etag='"2"')


@recipe(Reason.PROFILE_IN_USE)
async def profile_in_use(desk: Desk) -> None:
    made = await desk.create(own())
    await desk.link(CONNECTION, made)
    await desk.delete(made.id)


@recipe(Reason.APPLICATION_IN_USE)
async def application_in_use(desk: Desk) -> None:
    application = await desk.application()
    await desk.create(profile_pb2.Profile(name="n", application_number=application.number))
    stub: Any = ApplicationServiceStub(desk.almoner.channel)
    await stub.DeleteApplication(DeleteApplicationRequest(id=application.id), metadata=desk.chief.by)


@recipe(Reason.ORGANIZATION_NOT_EMPTY)
async def organization_not_empty(desk: Desk) -> None:
    await as_admin(desk, "DeleteOrganization", id=desk.organization.id)


@recipe(Reason.USER_IN_USE)
async def user_in_use(desk: Desk) -> None:
    user = await desk.user()
    await desk.create(own(), user.by)
    await as_admin(desk, "DeleteUser", id=user.id)


@recipe(Reason.BUILT_IN)
async def built_in(desk: Desk) -> None:
    await as_admin(desk, "DeleteRole", id=2)


@recipe(Reason.TOO_MANY_ATTEMPTS)
async def too_many_attempts(desk: Desk) -> None:
    """The service lets no password check wait."""
    calls = [desk.page(as_user("admin", f"wrong {n}")) for n in range(16)]
    results = await asyncio.gather(*calls, return_exceptions=True)
    raise next(error for error in results if isinstance(error, Exception) and "too many" in str(error))


@recipe(Reason.DEADLINE_EXCEEDED)
async def deadline_exceeded(desk: Desk) -> None:
    async def wait(_request: WhoAmIRequest, _context: Any) -> WhoAmIResponse:
        await asyncio.Event().wait()
        raise AssertionError

    async with faking(desk.almoner.service, wait, over_grpc=False) as fake:
        await fake.call(timeout=0.01)


@recipe(Reason.STORAGE_UNAVAILABLE)
async def storage_unavailable(desk: Desk) -> None:
    """The disk is full, as SQLite sees it."""
    driver = desk.almoner.service.store._driver  # type: ignore[attr-defined]
    (unbounded,) = driver.execute("PRAGMA max_page_count").fetchone()
    driver.execute("PRAGMA max_page_count=1")
    try:
        await desk.create(own(access_token="x" * 16_000))
    finally:
        driver.execute(f"PRAGMA max_page_count={unbounded}")


@recipe(Reason.WEBHOOK_NOT_FOUND)
async def webhook_not_found(desk: Desk) -> None:
    await Office(desk).get(2**40)


@recipe(Reason.CURSOR_EXPIRED)
async def cursor_expired(desk: Desk) -> None:
    watcher = await watch(desk.almoner, desk.chief.by)
    for _ in range(2):
        await desk.create(own())
    store = desk.almoner.service.store
    await desk.almoner.service.feed.catch_up()
    await store.write(lambda tx: changes.drop_some(tx, 2**60))
    await watch(desk.almoner, desk.chief.by, watcher.cursor)


@recipe(Reason.SERVER_STOPPING)
async def server_stopping(desk: Desk) -> None:
    async with running_on(desk.almoner.settings) as stopping:
        watcher = await watch(stopping, desk.chief.by)
        stopping.service.end_streams()
        await watcher.message()


@recipe(Reason.INTERNAL)
async def internal(desk: Desk) -> None:
    async def fail(_request: WhoAmIRequest, _context: Any) -> WhoAmIResponse:
        raise ValueError

    async with faking(desk.almoner.service, fail, over_grpc=False) as fake:
        await fake.call()


async def counter_of(desk: Desk) -> Counter:
    return await open_counter(desk.almoner, Time())


@recipe(Reason.ACCESS_RULE_NOT_FOUND)
async def access_rule_not_found(desk: Desk) -> None:
    stub: Any = GrantServiceStub(desk.almoner.channel)
    await stub.GetAccessRule(g.GetAccessRuleRequest(id=2**40), metadata=desk.chief.by)


@recipe(Reason.GRANT_NOT_FOUND)
async def grant_not_found(desk: Desk) -> None:
    stub: Any = GrantServiceStub(desk.almoner.channel)
    await stub.GetGrant(g.GetGrantRequest(id=2**40), metadata=desk.chief.by)


@recipe(Reason.JWT_MAPPING_NOT_FOUND)
async def jwt_mapping_not_found(desk: Desk) -> None:
    stub: Any = GrantServiceStub(desk.almoner.channel)
    await stub.GetJwtMapping(g.GetJwtMappingRequest(name="no such"), metadata=desk.chief.by)


@recipe(Reason.SCOPE_MISSING)
async def scope_missing(desk: Desk) -> None:
    counter = await counter_of(desk)
    tokens = await counter.issue_on_word("a")
    await counter.decide("BCDF-GHJK", approve=True, by=bearer(tokens.access_token))


@recipe(Reason.SCOPE_REFUSED)
async def scope_refused(desk: Desk) -> None:
    await (await counter_of(desk)).issue_on_word("c")


@recipe(Reason.GRANT_REFUSED)
async def grant_refused(desk: Desk) -> None:
    await (await counter_of(desk)).issue_on_word("a", user_id=1)


@recipe(Reason.GRANT_TYPE_REFUSED)
async def grant_type_refused(desk: Desk) -> None:
    counter = await counter_of(desk)
    await counter.change_application("grant_types", grant_types=[])
    await counter.issue_on_word("a")


@recipe(Reason.CLIENT_INVALID)
async def client_invalid(desk: Desk) -> None:
    await (await counter_of(desk)).issue_on_word("a", client_id="no such")


@recipe(Reason.ASSERTION_INVALID)
async def assertion_invalid(desk: Desk) -> None:
    await (await counter_of(desk)).issue("a", jwt="x")


@recipe(Reason.ISSUER_UNAVAILABLE)
async def issuer_unavailable(desk: Desk) -> None:
    """Plain http is not allowed."""
    counter, issuer = await counter_of(desk), Issuer("http://issuer.example")
    await map_to(counter, issuer)
    await counter.issue("a", jwt=issuer.sign(claims(counter, issuer)))


@recipe(Reason.TOKEN_INVALID)
async def token_invalid(desk: Desk) -> None:
    await (await counter_of(desk)).verify("x")


@recipe(Reason.REFRESH_TOKEN_REUSED)
async def refresh_token_reused(desk: Desk) -> None:
    counter = await counter_of(desk)
    tokens = await counter.issue_on_word("a")
    await counter.refresh(tokens.refresh_token)
    await counter.refresh(tokens.refresh_token)


@recipe(Reason.AUTHORIZATION_PENDING)
async def authorization_pending(desk: Desk) -> None:
    counter = await counter_of(desk)
    started = await counter.start_device("a")
    await counter.issue(device_code=started.device_code)


@recipe(Reason.SLOW_DOWN)
async def slow_down(desk: Desk) -> None:
    counter = await counter_of(desk)
    started = await counter.start_device("a")
    await refusal_of(counter.issue(device_code=started.device_code))
    await counter.issue(device_code=started.device_code)


@recipe(Reason.AUTHORIZATION_DENIED)
async def authorization_denied(desk: Desk) -> None:
    counter = await counter_of(desk)
    started = await counter.start_device("a")
    await counter.decide(started.user_code, approve=False)
    await counter.issue(device_code=started.device_code)


async def ask_for_token(desk: Desk, **columns: Any) -> None:
    """Asks for an access token of a profile of which this is known."""
    profile = await desk.create(own(refresh_token="r"))
    await desk.put(profile, **columns)
    await desk.call("GetAccessToken", id=profile.id)


@recipe(Reason.CONSENT_NEEDED)
async def consent_needed(desk: Desk) -> None:
    await ask_for_token(desk, token_state=TokenState.NEEDS_CONSENT.value)


@recipe(Reason.TOKEN_IN_DOUBT)
async def token_in_doubt(desk: Desk) -> None:
    await ask_for_token(desk, token_state=TokenState.IN_DOUBT.value)


@recipe(Reason.PROVIDER_REFUSED)
async def provider_refused(desk: Desk) -> None:
    await ask_for_token(desk, token_state=TokenState.FAILING.value, token_failure="invalid_client")


@recipe(Reason.PROVIDER_UNAVAILABLE)
async def provider_unavailable(desk: Desk) -> None:
    later = system_clock() + HOUR
    await ask_for_token(desk, token_state=TokenState.FAILING.value, token_failure="http_503", token_next_try=later)


@recipe(Reason.PROVIDER_UNKNOWN)
async def provider_unknown(desk: Desk) -> None:
    await ask_for_token(desk, provider="unheard-of")


@recipe(Reason.AUTHORIZATION_STATE_INVALID)
async def authorization_state_invalid(desk: Desk) -> None:
    await desk.call("CompleteAuthorization", state="x", code="x")


@recipe(Reason.AUTHORIZATION_REFUSED)
async def authorization_refused(desk: Desk) -> None:
    profile = await desk.create(own())
    started = await desk.call("StartAuthorization", id=profile.id)
    await desk.call("CompleteAuthorization", state=started.state, error="access_denied")


@recipe(Reason.DEVICE_CODE_EXPIRED)
async def device_code_expired(desk: Desk) -> None:
    await (await counter_of(desk)).issue(device_code="x")


@recipe(Reason.WRONG_KIND)
async def wrong_kind(desk: Desk) -> None:
    client = await desk.client()
    await desk.create(profile_pb2.Profile(name="n", application_number=client.number))


@recipe(Reason.MEMBERSHIP_NOT_FOUND)
async def membership_not_found(desk: Desk) -> None:
    stub: Any = ApplicationServiceStub(desk.almoner.channel)
    request = GetClientMembershipRequest(application_id=(await desk.client()).id)
    await stub.GetClientMembership(request, metadata=desk.chief.by)


@recipe(Reason.SECRET_NOT_FOUND)
async def secret_not_found(desk: Desk) -> None:
    stub: Any = ApplicationServiceStub(desk.almoner.channel)
    request = RevokeSecretRequest(application_id=(await desk.client()).id, secret_id=2**40)
    await stub.RevokeSecret(request, metadata=desk.chief.by)


@recipe(Reason.SECRET_ROTATION_REFUSED)
async def secret_rotation_refused(desk: Desk) -> None:
    counter = await counter_of(desk)
    application, secret = await counter.another_application(public=False, owner_only_secret_rotation=True)
    await counter.applications.RotateOwnSecret(RotateOwnSecretRequest(client_id=application.id, client_secret=secret))


@recipe(Reason.SECRET_LIMIT)
async def secret_limit(desk: Desk) -> None:
    stub: Any = ApplicationServiceStub(desk.almoner.channel)
    request = RotateSecretRequest(application_id=(await desk.client()).id)
    for _ in range(MOST_VALID):
        await stub.RotateSecret(request, metadata=desk.chief.by)


@pytest.fixture(scope="module")
async def shared(sqlite_template: SqliteTemplate, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Almoner]:
    async with running(sqlite_template, tmp_path_factory.mktemp("reasons"), password_checks_waiting=0) as almoner:
        yield almoner


def test_every_reason_has_a_recipe_and_a_code() -> None:
    assert set(RECIPES) == set(Reason)
    assert set(CODES) == {reason.value for reason in Reason}


@pytest.mark.parametrize("reason", RECIPES)
async def test_the_reason_is_met_with_its_code(shared: Almoner, reason: Reason) -> None:
    refusal = await refusal_of(RECIPES[reason](await open_desk(shared)))
    assert (refusal.reason, refusal.code.name) == (reason.value, CODES[reason.value])
