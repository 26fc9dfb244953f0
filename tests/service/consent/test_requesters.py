# SPDX-License-Identifier: Apache-2.0
"""Whoever began a consent must still be there, and allowed to, when its answer comes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from grpc import StatusCode
from grpc.aio import AioRpcError

from almoner.v1 import directory_pb2, directory_service_pb2, profile_pb2
from tests.refusals import read_refusal, refusal_of
from tests.service.clients import ADMINISTRATOR, MEMBER, OWNER, Clients, Time
from tests.service.profiles.desk import P, Person, Profile

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.service.consent.counterpart import Counterpart

    Change = Callable[[Counterpart, Person], Awaitable[Any]]

KEEPER = (P.PROFILES_CREATE, P.PROFILES_GET, P.PROFILES_UPDATE)


async def change_user(both: Counterpart, person: Person, *paths: str, **members: Any) -> None:
    user = directory_pb2.User(id=person.id, **members)
    request = directory_service_pb2.UpdateUserRequest(user=user)
    request.update_mask.paths.extend(paths)
    await both.almoner.directory.UpdateUser(request, metadata=both.almoner.as_admin_token)


async def delete_user(both: Counterpart, person: Person) -> None:
    request = directory_service_pb2.DeleteUserRequest(id=person.id, cascade=True)
    await both.almoner.directory.DeleteUser(request, metadata=both.almoner.as_admin_token)


async def disable(both: Counterpart, person: Person) -> None:
    await change_user(both, person, "disabled", disabled=True)


async def take_permission(both: Counterpart, person: Person) -> None:
    await change_user(both, person, "permissions", permissions=[directory_pb2.PERMISSION_PROFILES_GET])


async def is_good(both: Counterpart, answer: dict[str, str]) -> bool:
    try:
        await both.complete(answer)
    except AioRpcError as error:
        refusal = read_refusal(error)
        assert (refusal.code, refusal.reason) == (StatusCode.FAILED_PRECONDITION, "AUTHORIZATION_STATE_INVALID")
        assert not (await both.client.report()).requests
        return False
    return True


async def profile_of(both: Counterpart, by: Any) -> int:
    profile = Profile(name="Theirs", application_number=both.application.number)
    return (await both.desk.create(profile, by)).id


@pytest.mark.parametrize("change", [delete_user, disable, take_permission])
async def test_who_may_not_change_the_profile_any_more_gets_no_tokens_into_it(
    both: Counterpart, change: Change
) -> None:
    person = await both.desk.person(*KEEPER)
    answer = await both.consent(await both.start(person.by, id=await profile_of(both, person.by)))
    await change(both, person)
    assert not await is_good(both, answer)


async def test_who_does_not_reach_the_profile_any_more_gets_none_either(both: Counterpart) -> None:
    person = await both.desk.person(*KEEPER, P.PROFILES_ALL)
    answer = await both.consent(await both.start(person.by))
    await take_permission(both, person)
    assert not await is_good(both, answer)


async def test_who_may_only_look_cannot_begin(both: Counterpart) -> None:
    person = await both.desk.person(P.PROFILES_GET, P.PROFILES_ALL)
    assert (await refusal_of(both.start(person.by))).reason == "PERMISSION_MISSING"


async def test_who_does_not_reach_the_profile_cannot_begin(both: Counterpart) -> None:
    person = await both.desk.person(*KEEPER)
    assert (await refusal_of(both.start(person.by))).reason == "PROFILE_NOT_FOUND"


async def test_one_who_acts_on_behalf_of_another_begins_for_them(both: Counterpart) -> None:
    owner, actor = await both.desk.person(*KEEPER), await both.desk.person(*KEEPER, P.ON_BEHALF_OF)
    profile_id = await profile_of(both, owner.by)
    answer = await both.consent(await both.start(actor.acting_for(owner), id=profile_id))
    assert await is_good(both, answer)
    (event,) = await both.desk.events("profile.authorize")
    assert (event.actor, event.subject) == (actor.username, owner.username)


async def test_only_as_long_as_they_may_act(both: Counterpart) -> None:
    owner, actor = await both.desk.person(*KEEPER), await both.desk.person(*KEEPER, P.ON_BEHALF_OF)
    answer = await both.consent(await both.start(actor.acting_for(owner), id=await profile_of(both, owner.by)))
    may_no_longer = [directory_pb2.PERMISSION_PROFILES_UPDATE]
    await change_user(both, actor, "permissions", permissions=may_no_longer)
    assert not await is_good(both, answer)


async def test_the_one_they_acted_for_may_bring_the_answer(both: Counterpart) -> None:
    owner, actor = await both.desk.person(*KEEPER), await both.desk.person(*KEEPER, P.ON_BEHALF_OF)
    profile_id = await profile_of(both, owner.by)
    answer = await both.consent(await both.start(actor.acting_for(owner), id=profile_id))
    assert (await refusal_of(both.complete(answer, actor.by))).reason == "AUTHORIZATION_STATE_INVALID"
    assert (await both.complete(answer, owner.by)).profile_id == profile_id


class TestClientApplications:
    """A client application begins for profiles of its own, as the account that it has."""

    @pytest.fixture
    def clients(self, both: Counterpart) -> Clients:
        return Clients(both.almoner, Time(), both.desk.organization)

    async def test_one_may_begin(self, both: Counterpart, clients: Clients) -> None:
        by = await clients.by_client(await clients.client(OWNER))
        profile_id = await profile_of(both, by)
        await both.connect(by, id=profile_id)
        profile = await both.desk.get(profile_id)
        assert profile.token_status.state == profile_pb2.TOKEN_STATE_OK

    async def test_only_as_long_as_it_is_a_member(self, both: Counterpart, clients: Clients) -> None:
        app = await clients.client(OWNER)
        by = await clients.by_client(app)
        answer = await both.consent(await both.start(by, id=await profile_of(both, by)))
        await clients.part(app)
        assert not await is_good(both, answer)

    @pytest.mark.parametrize("left", [MEMBER])
    async def test_only_as_long_as_its_scopes_allow_it(self, both: Counterpart, clients: Clients, left: str) -> None:
        app = await clients.client(OWNER, ADMINISTRATOR)
        by = await clients.by_client(app)
        answer = await both.consent(await both.start(by, id=await profile_of(both, by)))
        await clients.allow(app, left)
        assert not await is_good(both, answer)
