# SPDX-License-Identifier: Apache-2.0
"""WebhookService as the tests of one organization use it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from google.protobuf.field_mask_pb2 import FieldMask

from almoner.v1 import webhook_pb2, webhook_service_pb2, webhook_service_pb2_grpc
from tests.service.profiles.desk import open_desk

if TYPE_CHECKING:
    from tests.running import Almoner, Metadata
    from tests.service.profiles.desk import Desk

Webhook = webhook_pb2.Webhook
URL = "https://receiver.example/hook"


@dataclass
class Office:
    """The webhooks of one organization, and its profiles."""

    desk: Desk

    async def call(self, method: str, by: Metadata | None = None, **members: Any) -> Any:
        """Returns the reply to a method of WebhookService; `members` are those of its request."""
        request = getattr(webhook_service_pb2, f"{method}Request")(**members)
        stub: Any = webhook_service_pb2_grpc.WebhookServiceStub(self.desk.almoner.channel)
        return await getattr(stub, method)(request, metadata=by or self.desk.chief.by)

    async def create(self, url: str = URL, by: Metadata | None = None, **members: Any) -> tuple[Webhook, str]:
        """Makes a webhook, and returns it with its secret."""
        reply = await self.call("CreateWebhook", by, webhook=Webhook(url=url, **members))
        return reply.webhook, str(reply.secret)

    async def get(self, webhook_id: int, by: Metadata | None = None) -> Webhook:
        reply = await self.call("GetWebhook", by, id=webhook_id)
        assert isinstance(reply.webhook, Webhook)
        return reply.webhook

    async def update(
        self, webhook: Webhook, *paths: str, by: Metadata | None = None, **members: Any
    ) -> tuple[Webhook, str]:
        """Changes a webhook, and returns it with its new secret."""
        mask = FieldMask(paths=paths)
        reply = await self.call("UpdateWebhook", by, webhook=webhook, update_mask=mask, **members)
        return reply.webhook, str(reply.secret)

    async def listed(self, by: Metadata | None = None, **members: Any) -> list[Webhook]:
        return list((await self.call("ListWebhooks", by, **members)).webhooks)


async def open_office(almoner: Almoner) -> Office:
    """Makes an organization with an administrator."""
    return Office(await open_desk(almoner))
