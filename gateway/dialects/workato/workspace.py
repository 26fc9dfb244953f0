# SPDX-License-Identifier: Apache-2.0
"""The caller's workspace in Workato's terms (contract section 12): their organization."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from almoner.v1.directory_service_pb2 import WhoAmIRequest
from gateway.call import Call, Reply
from gateway.dialects.workato import moments
from gateway.dialects.workato.bodies import Workspace
from gateway.dialects.workato.connections import ROOT_FOLDER

PATH = "/api/users/me"
PLAN = "almoner"


def billing_period(now: datetime) -> tuple[datetime, datetime]:
    """Returns the calendar month around a moment. Nothing is billed; clients want to read two moments."""
    start = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    return start, (start + timedelta(days=31)).replace(day=1)


async def get_workspace(call: Call[None, None, None]) -> Reply:
    """Says who the caller is."""
    me = await call.send(call.services.directory.WhoAmI, WhoAmIRequest())
    start, end = billing_period(datetime.now(UTC))
    body = Workspace(
        id=me.organization.number,
        name=me.user.display_name or me.user.username,
        created_at=moments.text(me.user.create_time),
        plan_id=PLAN,
        current_billing_period_start=moments.text_of(start),
        current_billing_period_end=moments.text_of(end),
        recipes_count=0,
        active_recipes_count=0,
        company_name=me.organization.display_name,
        location=None,
        email=me.user.email,
        root_folder_id=ROOT_FOLDER,
    )
    return Reply(body)
