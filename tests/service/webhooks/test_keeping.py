# SPDX-License-Identifier: Apache-2.0
"""WebhookService: who keeps webhooks, and what can be kept."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

import pytest
from grpc import StatusCode
from sqlalchemy import select

from almoner.v1 import directory_service_pb2, profile_pb2
from service.clock import DAY
from service.storage.tables import table_of
from service.webhooks.tables import WebhookRow
from tests.refusals import refusal_of
from tests.running import running
from tests.service.grants.tokens.counter import Time
from tests.service.profiles.desk import P
from tests.service.webhooks.office import URL, Office, Webhook, open_office

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.databases import SqliteTemplate, Template

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


@pytest.fixture
async def office(template: Template, tmp_path: Path) -> AsyncIterator[Office]:
    """The webhooks of a new organization, where they may go to the public internet only."""
    async with running(template, tmp_path) as almoner:
        yield await open_office(almoner)


async def rows(office: Office) -> list[Any]:
    statement = select(table_of(WebhookRow))
    return await office.desk.almoner.service.store.read(lambda tx: list(tx.execute(statement)))


async def test_a_webhook_is_what_was_wanted(office: Office) -> None:
    kinds = [profile_pb2.CHANGE_KIND_DELETED, profile_pb2.CHANGE_KIND_CREATED]
    webhook, secret = await office.create(description="For reports", kinds=kinds)
    assert (webhook.url, webhook.description, webhook.disabled) == (URL, "For reports", False)
    assert list(webhook.kinds) == [profile_pb2.CHANGE_KIND_CREATED, profile_pb2.CHANGE_KIND_DELETED]
    assert (webhook.organization_id, webhook.creator_id) == (office.desk.organization.id, office.desk.chief.id)
    assert webhook.etag == '"1"'
    assert webhook.create_time == webhook.update_time
    assert secret.startswith("whsec_")
    assert await office.get(webhook.id) == webhook
    assert await office.listed() == [webhook]


async def test_a_secret_is_said_once_and_kept_sealed(office: Office) -> None:
    webhook, secret = await office.create()
    assert not webhook.secret
    assert not (await office.get(webhook.id)).secret
    (row,) = await rows(office)
    assert secret.encode() not in row.secret
    assert secret.removeprefix("whsec_").encode() not in row.secret


async def test_a_secret_may_be_chosen(office: Office) -> None:
    assert (await office.create(secret=SECRET))[1] == SECRET


async def test_another_secret_may_be_generated_or_chosen(office: Office) -> None:
    webhook, first = await office.create()
    changed, second = await office.update(Webhook(id=webhook.id), "secret")
    assert second.startswith("whsec_")
    assert second != first
    assert changed.previous_secret_expire_time.seconds - changed.update_time.seconds == DAY // 1_000_000
    changed, third = await office.update(Webhook(id=webhook.id, secret=SECRET))
    assert third == SECRET
    changed, none = await office.update(Webhook(id=webhook.id, url=URL), "*")
    assert none == ""
    assert changed.etag == '"4"'


async def test_that_the_secret_before_signs_is_said_for_as_long_as_it_does(
    sqlite_template: SqliteTemplate, tmp_path: Path
) -> None:
    clock = Time()
    async with running(sqlite_template, tmp_path, clock=clock) as almoner:
        office = await open_office(almoner)
        webhook, _ = await office.create()
        assert not webhook.HasField("previous_secret_expire_time")
        await office.update(webhook, "secret")
        assert (await office.get(webhook.id)).HasField("previous_secret_expire_time")
        clock.pass_by(DAY)
        assert not (await office.get(webhook.id)).HasField("previous_secret_expire_time")


async def test_only_what_is_named_changes(office: Office) -> None:
    webhook, _ = await office.create(description="A")
    changed, secret = await office.update(
        Webhook(id=webhook.id, url="https://other.example/", description="B"), "description"
    )
    assert (changed.url, changed.description, secret) == (URL, "B", "")


async def test_a_change_of_what_has_changed_is_refused(office: Office) -> None:
    webhook, _ = await office.create()
    await office.update(Webhook(id=webhook.id, description="A"))
    refusal = await refusal_of(office.update(Webhook(id=webhook.id, description="B"), etag=webhook.etag))
    assert (refusal.code, refusal.reason) == (StatusCode.ABORTED, "ETAG_MISMATCH")
    refusal = await refusal_of(office.call("DeleteWebhook", id=webhook.id, etag=webhook.etag))
    assert refusal.reason == "ETAG_MISMATCH"
    await office.call("DeleteWebhook", id=webhook.id, etag='"2"')
    assert (await refusal_of(office.get(webhook.id))).reason == "WEBHOOK_NOT_FOUND"


async def test_a_repeated_request_gets_the_same_answer(office: Office) -> None:
    members: dict[str, Any] = {"webhook": Webhook(url=URL), "request_id": str(uuid.uuid4())}
    first, second = [await office.call("CreateWebhook", **members) for _ in range(2)]
    assert first == second
    assert len(await office.listed()) == 1


@pytest.mark.parametrize(
    ("members", "field"),
    [
        ({"url": ""}, "webhook.url"),
        ({"url": "http://receiver.example/"}, "webhook.url"),
        ({"url": "receiver.example"}, "webhook.url"),
        ({"url": "https://"}, "webhook.url"),
        ({"url": "https://user:password@receiver.example/"}, "webhook.url"),
        ({"url": "https://127.0.0.1/"}, "webhook.url"),
        ({"url": "https://[::1]/"}, "webhook.url"),
        ({"url": "https://169.254.169.254/latest/meta-data/"}, "webhook.url"),
        ({"url": "https://receiver.example/a b"}, "webhook.url"),
        ({"url": "https://receiver.example/\n"}, "webhook.url"),
        ({"url": "https://receiver.example/" + "x" * 2048}, "webhook.url"),
        ({"secret": "password"}, "webhook.secret"),
        ({"secret": "whsec_AAAA"}, "webhook.secret"),
        ({"kinds": [0]}, "webhook.kinds[0]"),
        ({"kinds": [99]}, "webhook.kinds[0]"),
    ],
)
async def test_what_cannot_be_used_is_refused(office: Office, members: dict[str, Any], field: str) -> None:
    refusal = await refusal_of(office.call("CreateWebhook", webhook=Webhook(**{"url": URL, **members})))
    assert (refusal.reason, refusal.fields) == ("INVALID_FIELD", [field])
    webhook, _ = await office.create()
    refusal = await refusal_of(office.update(Webhook(id=webhook.id, **members), *members))
    assert (refusal.reason, refusal.fields) == ("INVALID_FIELD", [field])
    assert await office.get(webhook.id) == webhook


async def test_lists_are_filtered_ordered_and_paged(office: Office) -> None:
    made = [(await office.create(f"https://{name}.example/", description=name))[0] for name in "cab"]
    await office.update(Webhook(id=made[0].id, disabled=True), "disabled")
    assert [found.description for found in await office.listed(order_by="url desc")] == ["c", "b", "a"]
    assert [found.description for found in await office.listed(filter="disabled = true")] == ["c"]
    assert [found.description for found in await office.listed(filter='url : "b.example"')] == ["b"]
    page = await office.call("ListWebhooks", page_size=2)
    rest = await office.call("ListWebhooks", page_size=2, page_token=page.next_page_token)
    assert [found.id for found in (*page.webhooks, *rest.webhooks)] == [webhook.id for webhook in made]


# Who may.


async def test_it_takes_profiles_all_to_keep_one(office: Office) -> None:
    """A webhook is told of everybody's profiles."""
    webhook, _ = await office.create()
    half = await office.desk.person(P.WEBHOOKS_VIEW, P.WEBHOOKS_MANAGE)
    for call in (
        office.create(by=half.by),
        office.update(Webhook(id=webhook.id, description="A"), by=half.by),
        office.call("DeleteWebhook", half.by, id=webhook.id),
    ):
        refusal = await refusal_of(call)
        assert (refusal.code, refusal.metadata) == (StatusCode.PERMISSION_DENIED, {"permission": "PROFILES_ALL"})
    whole = await office.desk.person(P.WEBHOOKS_MANAGE, P.PROFILES_ALL)
    made, _ = await office.create(by=whole.by)
    await office.update(Webhook(id=made.id, description="A"), by=whole.by)
    await office.call("DeleteWebhook", whole.by, id=made.id)


async def test_who_may_see_them_may_not_change_them(office: Office) -> None:
    webhook, _ = await office.create()
    reader = await office.desk.person(P.WEBHOOKS_VIEW)
    assert await office.get(webhook.id, reader.by) == webhook
    assert await office.listed(reader.by) == [webhook]
    refusal = await refusal_of(office.call("DeleteWebhook", reader.by, id=webhook.id))
    assert refusal.metadata == {"permission": "WEBHOOKS_MANAGE"}


async def test_those_of_another_organization_are_not_there(office: Office) -> None:
    webhook, _ = await office.create()
    other = await open_office(office.desk.almoner)
    assert (await refusal_of(other.get(webhook.id))).reason == "WEBHOOK_NOT_FOUND"
    assert (await refusal_of(other.update(Webhook(id=webhook.id, url=URL)))).reason == "WEBHOOK_NOT_FOUND"
    assert await other.listed(organization_id="-") == []
    refusal = await refusal_of(other.create(organization_id=office.desk.organization.id))
    assert refusal.reason == "ORGANIZATION_NOT_FOUND"
    admin = office.desk.almoner.as_admin_token
    theirs, _ = await other.create(by=admin, organization_id=other.desk.organization.id)
    assert await office.listed(admin, organization_id="-") == [webhook, theirs]


async def test_a_webhook_outlives_its_creator_and_not_its_organization(office: Office) -> None:
    creator = await office.desk.person(P.WEBHOOKS_MANAGE, P.PROFILES_ALL)
    webhook, _ = await office.create(by=creator.by)
    almoner = office.desk.almoner
    for person in (creator, office.desk.chief):
        await almoner.directory.DeleteUser(
            directory_service_pb2.DeleteUserRequest(id=person.id), metadata=almoner.as_admin_token
        )
        if person is creator:
            assert (await office.get(webhook.id)).creator_id == 0
    await almoner.directory.DeleteOrganization(
        directory_service_pb2.DeleteOrganizationRequest(id=office.desk.organization.id),
        metadata=almoner.as_admin_token,
    )
    assert not await rows(office)


async def test_everything_that_is_done_is_in_the_audit_trail_and_no_secret(office: Office) -> None:
    webhook, secret = await office.create("https://receiver.example/s3cr3t?token=s3cr3t", description="A")
    _, other = await office.update(Webhook(id=webhook.id, description="B"), "description", "secret")
    await office.call("DeleteWebhook", id=webhook.id)
    (created,), (updated,) = await office.desk.events("webhook.create"), await office.desk.events("webhook.update")
    assert created.changes["url"] == [None, "https://receiver.example"]
    assert created.changes["secret"] == "set"
    assert updated.changes == {"description": ["A", "B"], "secret": "replaced"}
    assert len(await office.desk.events("webhook.delete")) == 1
    told = str((created, updated))
    assert "s3cr3t" not in told
    assert secret not in told
    assert other not in told
