# SPDX-License-Identifier: Apache-2.0
"""WebhookService: from messages to rules and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeAlias

import grpc
from typing_extensions import override

from almoner.v1 import profile_pb2, webhook_pb2, webhook_service_pb2, webhook_service_pb2_grpc
from service.changes.tables import ChangeKind
from service.etags import etag_of
from service.rpc.masks import members_of
from service.rpc.times import set_timestamp
from service.webhooks import rules, signing
from service.webhooks.rules import Draft

if TYPE_CHECKING:
    from collections.abc import Callable

    from service.listing.listing import PageQuery
    from service.rpc.units import Units
    from service.webhooks.dispatcher import WebhookDispatcher
    from service.webhooks.queries import StoredWebhook
    from service.work import Work

Context: TypeAlias = grpc.aio.ServicerContext[Any, Any]

_SECRET: Final = "secret"  # noqa: S105 - the name of a member
_PATHS: Final = {name: frozenset({name}) for name in rules.MEMBERS}


class WebhookServicer(webhook_service_pb2_grpc.WebhookServiceServicer):
    """Serves webhooks."""

    def __init__(self, units: Units, dispatcher: WebhookDispatcher, objection: Callable[[str], str]) -> None:
        """`objection` says why a URL cannot be delivered to."""
        self._units = units
        self._dispatcher = dispatcher
        self._objection = objection

    @override
    async def CreateWebhook(
        self, request: webhook_service_pb2.CreateWebhookRequest, context: Context
    ) -> webhook_service_pb2.CreateWebhookResponse:
        draft = _draft(request.webhook, request.webhook.secret or signing.new_secret())

        def rule(work: Work) -> webhook_service_pb2.CreateWebhookResponse:
            webhook = rules.create(work, request.webhook.organization_id, draft, self._objection)
            return webhook_service_pb2.CreateWebhookResponse(webhook=_webhook(webhook, work.now), secret=draft.secret)

        reply = await self._units.write_once(request, webhook_service_pb2.CreateWebhookResponse, rule)
        self._dispatcher.wake()
        return reply

    @override
    async def GetWebhook(
        self, request: webhook_service_pb2.GetWebhookRequest, context: Context
    ) -> webhook_service_pb2.GetWebhookResponse:
        webhook = await self._units.read(lambda work: _webhook(rules.get(work, request.id), work.now))
        return webhook_service_pb2.GetWebhookResponse(webhook=webhook)

    @override
    async def ListWebhooks(
        self, request: webhook_service_pb2.ListWebhooksRequest, context: Context
    ) -> webhook_service_pb2.ListWebhooksResponse:
        def rule(work: Work, query: PageQuery) -> webhook_service_pb2.ListWebhooksResponse:
            page = rules.page(work, request.organization_id, query)
            return webhook_service_pb2.ListWebhooksResponse(
                webhooks=[_webhook(row, work.now) for row in page.rows], next_page_token=page.next_page_token
            )

        return await self._units.page(request, rule)

    @override
    async def UpdateWebhook(
        self, request: webhook_service_pb2.UpdateWebhookRequest, context: Context
    ) -> webhook_service_pb2.UpdateWebhookResponse:
        members = members_of(request.update_mask, request.webhook, _PATHS)
        secret = request.webhook.secret if _SECRET in members else ""
        if _SECRET in request.update_mask.paths and not secret:
            secret = signing.new_secret()
        draft = _draft(request.webhook, secret)
        # To disable one may drop a great deal.
        webhook = await self._units.sweep(
            lambda work: _webhook(
                rules.update(work, request.webhook.id, draft, members, etag=request.etag, objection=self._objection),
                work.now,
            )
        )
        self._dispatcher.wake()
        return webhook_service_pb2.UpdateWebhookResponse(webhook=webhook, secret=secret)

    @override
    async def DeleteWebhook(
        self, request: webhook_service_pb2.DeleteWebhookRequest, context: Context
    ) -> webhook_service_pb2.DeleteWebhookResponse:
        await self._units.sweep(lambda work: rules.delete(work, request.id, request.etag))
        return webhook_service_pb2.DeleteWebhookResponse()


def _draft(webhook: webhook_pb2.Webhook, secret: str) -> Draft:
    kinds = 0
    for kind in webhook.kinds:
        kinds |= 1 << kind
    return Draft(
        url=webhook.url, description=webhook.description, disabled=webhook.disabled, kinds=kinds, secret=secret
    )


def _webhook(webhook: StoredWebhook, now: int) -> webhook_pb2.Webhook:
    message = webhook_pb2.Webhook(
        id=webhook.id,
        organization_id=webhook.organization_id,
        creator_id=webhook.creator_id,
        url=webhook.url,
        description=webhook.description,
        disabled=webhook.disabled,
        kinds=[profile_pb2.ChangeKind.ValueType(kind) for kind in ChangeKind if webhook.kinds >> kind & 1],
        etag=etag_of(webhook.revision),
    )
    set_timestamp(message.create_time, webhook.created)
    set_timestamp(message.update_time, webhook.updated)
    if now < webhook.previous_secret_ends:
        set_timestamp(message.previous_secret_expire_time, webhook.previous_secret_ends)
    return message
