# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.field_mask_pb2 import FieldMask

from almoner.v1.application_pb2 import Application, ClientApplication, ProviderRegistration
from service.errors import InvalidUpdateMask
from service.rpc.masks import members_of

if TYPE_CHECKING:
    from google.protobuf.message import Message

PATHS = {
    "name": frozenset({"name"}),
    "description": frozenset({"description"}),
    "client": frozenset({"scopes", "lifetime"}),
    "client.allowed_scopes": frozenset({"scopes"}),
    "client.access_token_lifetime": frozenset({"lifetime"}),
}
EVERYTHING = {"name", "description", "scopes", "lifetime"}
FULL = Application(
    id="a", name="n", client=ClientApplication(allowed_scopes=["s"], access_token_lifetime=Duration(seconds=5))
)


@pytest.mark.parametrize(
    ("paths", "message", "members"),
    [
        (["name"], Application(), {"name"}),
        (["name"], FULL, {"name"}),
        (["name", "description"], Application(), {"name", "description"}),
        (["name", "name"], Application(), {"name"}),
        (["client"], Application(), {"scopes", "lifetime"}),
        (["client.allowed_scopes"], FULL, {"scopes"}),
        (["client", "client.allowed_scopes"], FULL, {"scopes", "lifetime"}),
        (["*"], Application(), EVERYTHING),
        (["*"], FULL, EVERYTHING),
        ([], Application(), set()),
        ([], FULL, {"name", "scopes", "lifetime"}),
        ([], Application(name="n", etag="x", number=7), {"name"}),
        ([], Application(description="d"), {"description"}),
        ([], Application(client=ClientApplication()), set()),
        ([], Application(client=ClientApplication(access_token_lifetime=Duration())), {"lifetime"}),
        ([], Application(provider=ProviderRegistration(client_id="x")), set()),
    ],
)
def test_a_mask_stands_for_members(paths: list[str], message: Message, members: set[str]) -> None:
    assert members_of(FieldMask(paths=paths), message, PATHS) == members


@pytest.mark.parametrize(
    ("paths", "at_fault"),
    [
        (["id"], "id"),
        (["name", "nonsense"], "nonsense"),
        (["name,description"], "name,description"),
        (["*", "name"], "*"),
        (["name", "*"], "*"),
        ([""], ""),
        (["client.secret_count"], "client.secret_count"),
        (["client.access_token_lifetime.seconds"], "client.access_token_lifetime.seconds"),
        (["Name"], "Name"),
        (["client."], "client."),
    ],
)
def test_a_path_that_cannot_be_changed_is_named(paths: list[str], at_fault: str) -> None:
    with pytest.raises(InvalidUpdateMask) as raised:
        members_of(FieldMask(paths=paths), FULL, PATHS)
    assert raised.value.metadata == {"path": at_fault}
