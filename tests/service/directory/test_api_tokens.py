# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import time
import uuid
from typing import TYPE_CHECKING, Any

from google.protobuf.timestamp_pb2 import Timestamp
from sqlalchemy import select

from service.directory.tables import ApiTokenRow
from service.storage.tables import table_of
from tests.refusals import refusal_of
from tests.service.directory.house import OK, ApiToken, P, bearer, outcome_of

if TYPE_CHECKING:
    from tests.service.directory.house import House


async def test_a_token_lets_its_bearer_be_the_user(house: House) -> None:
    ann = await house.user("ann")
    made = await house.api_token(user_id=ann.id, name="deployment")
    assert made.api_token.user_id == ann.id
    assert made.api_token.name == "deployment"
    assert not made.api_token.HasField("expire_time")
    assert made.api_token.etag == '"1"'
    assert made.token.startswith("almoner_")
    assert (await house.call("WhoAmI", bearer(made.token))).user == ann


async def test_the_token_itself_is_kept_nowhere(house: House) -> None:
    made = await house.api_token()
    table = table_of(ApiTokenRow)
    rows = await house.almoner.service.store.read(lambda tx: tx.execute(select(table)).all())
    assert made.token not in str(rows)
    (event,) = await house.events("api_token.create")
    assert event.changes == {"user_id": [None, 1], "name": [None, "for tests"]}
    (listed,) = (await house.call("ListApiTokens", filter='name = "for tests"')).api_tokens
    assert listed == made.api_token


async def test_a_name_is_required_and_an_expiry_lies_ahead(house: House) -> None:
    assert (await refusal_of(house.api_token(name=""))).fields == ["api_token.name"]
    for seconds in (0, int(time.time()) - 10):
        refusal = await refusal_of(house.api_token(expire_time=Timestamp(seconds=seconds)))
        assert refusal.fields == ["api_token.expire_time"]
    made = await house.api_token(expire_time=Timestamp(seconds=int(time.time()) + 1000))
    assert await house.can_log_in(bearer(made.token))


async def test_a_repeated_request_gets_the_same_token_again(house: House) -> None:
    wanted: dict[str, Any] = {"api_token": ApiToken(name="for tests"), "request_id": str(uuid.uuid4())}
    first = await house.call("CreateApiToken", **wanted)
    assert await house.call("CreateApiToken", **wanted) == first
    assert len((await house.call("ListApiTokens", filter='name = "for tests"')).api_tokens) == 1


async def test_users_make_list_and_revoke_their_own(house: House) -> None:
    ann, bob = await house.user("ann", P.OWN_API_TOKENS), await house.user("bob")
    others = await house.api_token(user_id=bob.id)
    by = house.almoner.as_("ann")
    made = await house.api_token(by)
    assert made.api_token.user_id == ann.id
    assert list((await house.call("ListApiTokens", by)).api_tokens) == [made.api_token]
    assert list((await house.call("ListApiTokens", by, organization_id="-")).api_tokens) == [made.api_token]
    assert await outcome_of(house.api_token(by, user_id=bob.id)) == "PERMISSION_MISSING"
    assert await outcome_of(house.call("RevokeApiToken", by, id=others.api_token.id)) == "API_TOKEN_NOT_FOUND"
    assert await outcome_of(house.call("RevokeApiToken", by, id=made.api_token.id)) == OK
    assert not await house.can_log_in(bearer(made.token))


async def test_without_the_permission_they_do_not(house: House) -> None:
    bob = await house.user("bob")
    token = await house.api_token(user_id=bob.id)
    by = house.almoner.as_("bob")
    assert (await refusal_of(house.api_token(by))).metadata == {"permission": "OWN_API_TOKENS"}
    assert await outcome_of(house.call("ListApiTokens", by)) == "PERMISSION_MISSING"
    assert await outcome_of(house.call("RevokeApiToken", by, id=token.api_token.id)) == "PERMISSION_MISSING"
    assert await outcome_of(house.call("RevokeApiToken", by, id=99)) == "PERMISSION_MISSING"


async def test_who_views_users_lists_their_tokens_and_who_updates_them_revokes_them(house: House) -> None:
    acme, other = await house.organization(), await house.organization("Other")
    bob = await house.user("bob", organization_id=acme.id)
    eve = await house.user("eve", organization_id=other.id)
    his = await house.api_token(user_id=bob.id)
    hers = await house.api_token(user_id=eve.id)
    await house.user("viewer", P.USERS_VIEW, organization_id=acme.id)
    await house.user("keeper", P.USERS_UPDATE, organization_id=acme.id)
    viewer, keeper = house.almoner.as_("viewer"), house.almoner.as_("keeper")
    assert list((await house.call("ListApiTokens", viewer)).api_tokens) == [his.api_token]
    assert list((await house.call("ListApiTokens", viewer, organization_id="-")).api_tokens) == [his.api_token]
    listing = house.call("ListApiTokens", viewer, organization_id=other.id)
    assert await outcome_of(listing) == "ORGANIZATION_NOT_FOUND"
    assert await outcome_of(house.call("RevokeApiToken", viewer, id=his.api_token.id)) == "PERMISSION_MISSING"
    assert await outcome_of(house.call("RevokeApiToken", keeper, id=hers.api_token.id)) == "API_TOKEN_NOT_FOUND"
    assert await outcome_of(house.call("RevokeApiToken", keeper, id=99)) == "API_TOKEN_NOT_FOUND"
    assert await outcome_of(house.call("RevokeApiToken", keeper, id=his.api_token.id)) == OK
    assert await outcome_of(house.api_token(keeper, user_id=bob.id)) == OK
    assert await outcome_of(house.api_token(keeper, user_id=eve.id)) == "USER_NOT_FOUND"
    assert await outcome_of(house.api_token(keeper, user_id=99)) == "USER_NOT_FOUND"


async def test_tokens_are_listed_in_pages_with_filter_and_order(house: House) -> None:
    for name in ("b", "a", "c"):
        await house.api_token(name=name)
    page = await house.call("ListApiTokens", order_by="name desc", page_size=2)
    assert [token.name for token in page.api_tokens] == ["first start", "c"]
    page = await house.call("ListApiTokens", order_by="name desc", page_size=2, page_token=page.next_page_token)
    assert [token.name for token in page.api_tokens] == ["b", "a"]
    page = await house.call("ListApiTokens", filter='user_id = 1 AND name = "a"')
    assert [token.name for token in page.api_tokens] == ["a"]


async def test_a_token_has_one_etag_for_ever(house: House) -> None:
    made = (await house.api_token()).api_token
    assert await outcome_of(house.call("RevokeApiToken", id=made.id, etag='"2"')) == "ETAG_MISMATCH"
    assert await outcome_of(house.call("RevokeApiToken", id=made.id, etag=made.etag)) == OK
    (event,) = await house.events("api_token.revoke")
    assert event.resource == f"api_tokens/{made.id}"
