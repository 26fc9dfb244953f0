# SPDX-License-Identifier: Apache-2.0
"""Every field that the contract says a list can be filtered or ordered by filters and orders it, and no other does.

The fields are read from the comments of the proto files: whoever documents one must build it.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from almoner.v1 import (
    application_pb2,
    application_service_pb2,
    application_service_pb2_grpc,
    directory_pb2,
    directory_service_pb2,
    directory_service_pb2_grpc,
    grant_pb2,
    grant_service_pb2,
    grant_service_pb2_grpc,
    profile_pb2,
    profile_service_pb2,
    profile_service_pb2_grpc,
    webhook_service_pb2,
    webhook_service_pb2_grpc,
)
from service.grants.tables import GrantType
from tests.conftest import BACKENDS
from tests.refusals import refusal_of
from tests.running import running
from tests.service.grants.office import HOUR, Office
from tests.service.profiles.desk import Desk, P, open_desk, own
from tests.service.webhooks.office import Office as WebhookOffice
from tests.service.webhooks.office import Webhook

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from google.protobuf.message import Message

    from tests.databases import PostgresTemplate, SqliteTemplate, Template

PROTOS = Path(__file__).parents[3] / "protos" / "almoner" / "v1"
MODULES: dict[str, tuple[Any, Any]] = {
    "ListProfiles": (profile_service_pb2, profile_service_pb2_grpc.ProfileServiceStub),
    "ListProfileLinks": (profile_service_pb2, profile_service_pb2_grpc.ProfileServiceStub),
    **dict.fromkeys(
        ("ListApplications", "ListClientMemberships"),
        (application_service_pb2, application_service_pb2_grpc.ApplicationServiceStub),
    ),
    **dict.fromkeys(
        ("ListOrganizations", "ListUsers", "ListRoles", "ListRoleBindings", "ListApiTokens"),
        (directory_service_pb2, directory_service_pb2_grpc.DirectoryServiceStub),
    ),
    **dict.fromkeys(
        ("ListAccessRules", "ListGrants", "ListJwtMappings"),
        (grant_service_pb2, grant_service_pb2_grpc.GrantServiceStub),
    ),
    "ListWebhooks": (webhook_service_pb2, webhook_service_pb2_grpc.WebhookServiceStub),
}


class Documented(NamedTuple):
    """What the comments of a List request say."""

    filterable: list[str]
    orderable: list[str]
    default: str


def _documented() -> dict[str, Documented]:
    found = {}
    for path in PROTOS.glob("*_service.proto"):
        for request in re.finditer(r"message (List\w+)Request \{(.*?)\n\}", path.read_text(), re.DOTALL):
            if "string filter" not in request[2]:
                continue  # It lists everything at once.
            text = " ".join(line.strip().removeprefix("//").strip() for line in request[2].splitlines())
            filters = re.search(r"AIP-160 expression over (.*?)\. string filter", text)
            orders = re.search(r'followed by "desc": (.*?)\. Default: "(\w+)"', text)
            assert filters is not None, request[1]
            assert orders is not None, request[1]
            fields = re.sub(r"\(.*?\)", "", filters[1])
            filterable = [field.strip() for field in re.split(r", | and ", fields)]
            found[request[1]] = Documented(filterable, orders[1].split(", "), orders[2])
    return found


DOCUMENTED = _documented()
FILTERABLE = [(method, field) for method, documented in DOCUMENTED.items() for field in documented.filterable]
ORDERABLE = [(method, field) for method, documented in DOCUMENTED.items() for field in documented.orderable]


def value_of(row: Message, field: str) -> Any:
    """Returns the value that a field of a list has in a message."""
    if isinstance(row, application_pb2.Application):
        if field == "kind":
            return row.WhichOneof("kind")
        if field in {"provider", "client_id"}:
            return getattr(row.provider, field)
        if field == "vendor":
            return row.client.vendor
        if field == "access_token_lifetime":
            return row.client.access_token_lifetime.seconds
    if isinstance(row, profile_pb2.Profile) and field == "token_state":
        return row.token_status.state
    value = getattr(row, field)
    if isinstance(value, Duration):
        return value.seconds
    return value.ToMicroseconds() if isinstance(value, Timestamp) else value


def literal(row: Message, field: str) -> str:
    """Returns that value as a filter has it."""
    value = getattr(row, field, "")
    if isinstance(value, Timestamp):
        return f'"{value.ToJsonString()}"'
    value = value_of(row, field)
    if isinstance(value, bool):
        return str(value).lower()
    if field == "grant_type":
        return application_pb2.GrantType.Name(application_pb2.GrantType.ValueType(value))
    if field == "token_state":
        return profile_pb2.TokenState.Name(profile_pb2.TokenState.ValueType(value))
    if field == "kind" and isinstance(value, int):
        return profile_pb2.LinkKind.Name(profile_pb2.LinkKind.ValueType(value))
    return str(value) if isinstance(value, int) else '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


class Stock(NamedTuple):
    """A server with a few rows in every list."""

    desk: Desk

    async def page(self, method: str, **members: Any) -> Any:
        module, stub = MODULES[method]
        if "organization_id" in getattr(module, f"{method}Request").DESCRIPTOR.fields_by_name:
            members.setdefault("organization_id", "-")
        request = getattr(module, f"{method}Request")(**members)
        call = getattr(stub(self.desk.almoner.channel), method)
        return await call(request, metadata=self.desk.almoner.as_admin_token)

    async def rows(self, method: str, **members: Any) -> list[Any]:
        reply = await self.page(method, **members)
        ((_, rows),) = [(field, value) for field, value in reply.ListFields() if field.is_repeated] or [("", [])]
        assert not reply.next_page_token
        return list(rows)


async def _stock(desk: Desk) -> Stock:
    """Makes rows that differ in every field, and some that do not."""
    first, second = await desk.application(), await desk.application(provider="hubspot", client_id="other")
    await desk.client()
    for name in ("b", "a", "b"):
        made = await desk.create(
            profile_pb2.Profile(name=name, description=f"of {name}", application_number=first.number)
        )
        await desk.link(profile_pb2.LINK_KIND_CONNECTION, made, name=name, external_id=name, provider="slack")
    user = await desk.user()
    used = await desk.create(own("A", description='with "quotes" and \\'), user.by)
    await desk.create(profile_pb2.Profile(name="ä", application_number=second.number), desk.chief.acting_for(user))
    await desk.link(profile_pb2.LINK_KIND_CUSTOMER, used, name="Z")
    await desk.link(profile_pb2.LINK_KIND_DATA_SOURCE, name="a")
    await desk.update(profile_pb2.Profile(id=used.id, name="B"))
    other = await open_desk(desk.almoner)
    call, admin = desk.almoner.directory, desk.almoner.as_admin_token
    changed = directory_pb2.Organization(id=other.organization.id, description="closed", disabled=True)
    await call.UpdateOrganization(directory_service_pb2.UpdateOrganizationRequest(organization=changed), metadata=admin)
    keeper = await desk.person(P.WEB_UI)
    person = directory_pb2.User(
        id=keeper.id, display_name="Keeper", email="keeper@example.com", locked=True, disabled=True
    )
    await call.UpdateUser(directory_service_pb2.UpdateUserRequest(user=person), metadata=admin)
    role = directory_pb2.Role(
        name="Own",
        description="own",
        organization_id=desk.organization.id,
        permissions=[directory_pb2.PERMISSION_WEB_UI],
    )
    made_role = (await call.CreateRole(directory_service_pb2.CreateRoleRequest(role=role), metadata=admin)).role
    binding = directory_pb2.RoleBinding(user_id=user.id, role_id=made_role.id, organization_id=desk.organization.id)
    await call.CreateRoleBinding(directory_service_pb2.CreateRoleBindingRequest(role_binding=binding), metadata=admin)
    await _stock_grants(desk)
    await _stock_webhooks(desk)
    return Stock(desk)


async def _stock_webhooks(desk: Desk) -> None:
    office = WebhookOffice(desk)
    for name in "bab":
        await office.create(f"https://{name}.example/", description=f"of {name}", disabled=True)
    made, _ = await office.create(
        "https://c.example/", desk.almoner.as_admin_token, disabled=True, organization_id=desk.organization.id
    )
    await office.update(Webhook(id=made.id, description="new"))
    await office.update(Webhook(id=made.id), "disabled")


async def _stock_grants(desk: Desk) -> None:
    office = Office(desk.almoner, desk.organization, desk.chief)
    first, second = await office.application(), await office.application()
    member, other = await desk.person(), await desk.person()
    lifetime = Duration(seconds=60)
    await office.rule(second, member, description="b", access_token_lifetime=lifetime, renewable=True)
    await office.rule(first, other, description="a", grant_lifetime=lifetime, renewable=False)
    await office.rule(first, member, description="b", access_token_lifetime=Duration(seconds=90))
    changed = grant_pb2.AccessRule(application_id=second.id, user_id=member.id, description="c")
    await office.call("UpdateAccessRule", access_rule=changed)
    now = office.almoner.service.clock()
    await office.grant(second, member, issued=now - HOUR, access_token_issued=now - 1, expires=now + 9 * HOUR)
    await office.grant(first, other, grant_type=GrantType.JWT_BEARER.value, access_token_expires=now + 5 * HOUR)
    await office.grant(first, member, renewable=False, issued=now - 2 * HOUR)
    await office.mapping(name="b", user_id=member.id)
    await office.mapping(name="a", issuer_uri="https://other.example")
    await office.mapping(name="c", user_id=other.id)
    await office.change_mapping(grant_pb2.JwtMapping(name="b", id_match="x"))
    await _stock_memberships(desk, second, await desk.client(), first)


async def _stock_memberships(desk: Desk, *clients: application_pb2.Application) -> None:
    stub: Any = application_service_pb2_grpc.ApplicationServiceStub(desk.almoner.channel)
    for client in clients:
        made = application_pb2.ClientMembership(application_id=client.id, organization_id=desk.organization.id)
        await stub.CreateClientMembership(
            application_service_pb2.CreateClientMembershipRequest(membership=made), metadata=desk.almoner.as_admin_token
        )
    changed = application_service_pb2.UpdateClientMembershipRequest(
        application_id=clients[0].id, organization_id=desk.organization.id, added_scopes=["a"]
    )
    await stub.UpdateClientMembership(changed, metadata=desk.almoner.as_admin_token)


async def _running(template: Template, directory: Path) -> AsyncIterator[Stock]:
    async with running(template, directory) as almoner:
        yield await _stock(await open_desk(almoner))


@pytest.fixture(scope="module")
async def stock_on_sqlite(
    sqlite_template: SqliteTemplate, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Stock]:
    async for stock in _running(sqlite_template, tmp_path_factory.mktemp("lists")):
        yield stock


@pytest.fixture(scope="module")
async def stock_on_postgresql(
    postgres_template: PostgresTemplate, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Stock]:
    async for stock in _running(postgres_template, tmp_path_factory.mktemp("lists")):
        yield stock


@pytest.fixture(params=BACKENDS)
def stock(request: pytest.FixtureRequest) -> Stock:
    found: Stock = request.getfixturevalue(f"stock_on_{request.param}")
    return found


def test_every_list_documents_its_fields() -> None:
    assert set(DOCUMENTED) == set(MODULES)
    for method, documented in DOCUMENTED.items():
        assert ("issue_time" if method == "ListGrants" else "create_time") in documented.filterable


@pytest.mark.parametrize(("method", "field"), FILTERABLE)
async def test_a_documented_field_filters(stock: Stock, method: str, field: str) -> None:
    rows = await stock.rows(method)
    assert len(rows) >= 3
    for row in rows:
        value = value_of(row, field)
        text = literal(row, field)
        equal = [each for each in rows if value_of(each, field) == value]
        assert await stock.rows(method, filter=f"{field} = {text}") == equal
        assert await stock.rows(method, filter=f"NOT {field} = {text}") == [each for each in rows if each not in equal]
        assert await stock.rows(method, filter=f"{field} != {text}") == [each for each in rows if each not in equal]


@pytest.mark.parametrize(("method", "field"), ORDERABLE)
async def test_a_documented_field_orders(stock: Stock, method: str, field: str) -> None:
    rows = await stock.rows(method)

    def key(row: Any) -> Any:
        value = value_of(row, field)
        return value.encode() if isinstance(value, str) else value

    ordered = await stock.rows(method, order_by=field)
    assert [key(row) for row in ordered] == sorted(key(row) for row in rows)
    backwards = await stock.rows(method, order_by=f"{field} desc")
    assert [key(row) for row in backwards] == sorted((key(row) for row in rows), reverse=True)
    assert backwards == ordered[::-1]


@pytest.mark.parametrize("method", DOCUMENTED)
async def test_the_default_order_is_the_documented_one(stock: Stock, method: str) -> None:
    default = DOCUMENTED[method].default
    assert await stock.rows(method) == await stock.rows(method, order_by=default)


@pytest.mark.parametrize("method", DOCUMENTED)
async def test_other_fields_do_neither(stock: Stock, method: str) -> None:
    documented = DOCUMENTED[method]
    for row in await stock.rows(method):
        for field in row.DESCRIPTOR.fields_by_name:
            if field not in documented.filterable:
                refusal = await refusal_of(stock.page(method, filter=f"{field}:*"))
                assert (refusal.reason, refusal.fields) == ("INVALID_FILTER", ["filter"])
            if field not in documented.orderable:
                refusal = await refusal_of(stock.page(method, order_by=field))
                assert (refusal.reason, refusal.fields) == ("INVALID_ORDER_BY", ["order_by"])
        break


@pytest.mark.parametrize("method", DOCUMENTED)
async def test_pages_of_one_row_are_the_list(stock: Stock, method: str) -> None:
    rows = await stock.rows(method)
    for order_by in (f"{field}{way}" for field in DOCUMENTED[method].orderable for way in ("", " desc")):
        found: list[Any] = []
        token = ""
        for _ in rows:
            page = await stock.page(method, page_size=1, page_token=token, order_by=order_by)
            found += [value[0] for field, value in page.ListFields() if field.is_repeated]
            token = page.next_page_token
        assert not token
        assert found == await stock.rows(method, order_by=order_by)


@pytest.mark.parametrize("method", DOCUMENTED)
@pytest.mark.parametrize(("page_size", "skip"), [(2**31 - 1, 0), (1, 2**31 - 1), (0, 2**31 - 1)])
async def test_huge_numbers_do_no_harm(stock: Stock, method: str, page_size: int, skip: int) -> None:
    rows = await stock.rows(method, page_size=page_size, skip=skip)
    assert bool(rows) == (skip == 0)
