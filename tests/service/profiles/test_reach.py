# SPDX-License-Identifier: Apache-2.0
"""For whom a profile exists: its owner, its creator and who reaches all; and what acting for another user means."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from grpc import StatusCode

from tests.refusals import refusal_of
from tests.service.profiles.desk import TOKENS, USER_ROLE, P, Profile, open_desk, own

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from tests.running import Metadata
    from tests.service.profiles.desk import Desk


def all_calls(desk: Desk, made: Profile, by: Metadata) -> list[Awaitable[Any]]:
    """Returns every call that names a profile."""
    return [
        desk.get(made.id, by),
        desk.get(made.id, by, view=TOKENS),
        desk.update(Profile(id=made.id, name="After"), by=by),
        desk.delete(made.id, by),
    ]


async def test_a_user_reaches_what_they_own(desk: Desk) -> None:
    owner = await desk.user()
    made = await desk.create(own(), owner.by)
    assert (made.owner_id, made.creator_id) == (owner.id, owner.id)
    for call in all_calls(desk, made, owner.by):
        await call


async def test_for_others_it_does_not_exist(desk: Desk) -> None:
    owner, other = await desk.user(), await desk.user()
    made = await desk.create(own(), owner.by)
    for call in all_calls(desk, made, other.by):
        refusal = await refusal_of(call)
        assert (refusal.code, refusal.reason) == (StatusCode.NOT_FOUND, "PROFILE_NOT_FOUND")
    assert await desk.names(other.by) == []
    assert await desk.names(owner.by) == ["Grant"]


async def test_who_reaches_all_reaches_it(desk: Desk) -> None:
    owner = await desk.user()
    everyone = await desk.person(P.PROFILES_ALL, roles=(USER_ROLE,))
    made = await desk.create(own(), owner.by)
    assert await desk.names(everyone.by) == ["Grant"]
    for call in all_calls(desk, made, everyone.by):
        await call


@pytest.mark.parametrize("method", ["GetProfile", "UpdateProfile", "DeleteProfile"])
async def test_the_permission_is_looked_at_before_existence(desk: Desk, method: str) -> None:
    nobody = await desk.person()
    requests: dict[str, dict[str, Any]] = {"UpdateProfile": {"profile": Profile(id=2**40, name="n")}}
    refusal = await refusal_of(desk.call(method, nobody.by, **requests.get(method, {"id": 2**40})))
    assert (refusal.code, refusal.reason) == (StatusCode.PERMISSION_DENIED, "PERMISSION_MISSING")


async def test_another_organization_is_another_world(desk: Desk) -> None:
    elsewhere = await open_desk(desk.almoner)
    made = await desk.create(own())
    for call in all_calls(desk, made, elsewhere.chief.by):
        assert (await refusal_of(call)).reason == "PROFILE_NOT_FOUND"
    assert await elsewhere.names() == []


async def test_the_administrator_of_the_server_reaches_every_organization(desk: Desk) -> None:
    made = await desk.create(own())
    for call in all_calls(desk, made, desk.almoner.as_admin_token):
        await call


async def test_what_is_made_for_another_user_is_theirs_and_its_makers(desk: Desk) -> None:
    subject, other = await desk.user(), await desk.user()
    actor = await desk.person(P.ON_BEHALF_OF, P.PROFILES_CREATE, P.PROFILES_GET, P.PROFILES_LIST)
    made = await desk.create(own(), actor.acting_for(subject))
    assert (made.owner_id, made.creator_id) == (subject.id, actor.id)
    assert made.organization_id == desk.organization.id
    assert [await desk.names(by) for by in (subject.by, actor.by, other.by)] == [["Grant"], ["Grant"], []]
    assert await desk.get(made.id, actor.by) == made
    (event,) = await desk.events("profile.create")
    assert (event.actor, event.subject) == (actor.username, subject.username)


async def test_who_acts_for_another_reaches_what_that_one_reaches(desk: Desk) -> None:
    subject, other = await desk.user(), await desk.user()
    theirs, others = await desk.create(own("theirs"), subject.by), await desk.create(own("others"), other.by)
    mine = await desk.create(own("mine"))
    for_subject = desk.chief.acting_for(subject)
    assert await desk.names(for_subject) == ["theirs"]
    assert await desk.get(theirs.id, for_subject) == theirs
    for hidden in (others, mine):
        assert (await refusal_of(desk.get(hidden.id, for_subject))).reason == "PROFILE_NOT_FOUND"


async def test_who_acts_for_another_may_do_what_they_may_themselves(desk: Desk) -> None:
    subject = await desk.user()
    actor = await desk.person(P.ON_BEHALF_OF, P.PROFILES_GET)
    made = await desk.create(own(), subject.by)
    assert await desk.get(made.id, actor.acting_for(subject)) == made
    refusal = await refusal_of(desk.delete(made.id, actor.acting_for(subject)))
    assert (refusal.code, refusal.metadata) == (StatusCode.PERMISSION_DENIED, {"permission": "PROFILES_DELETE"})


async def test_a_subject_may_do_through_the_actor_what_they_may_not_themselves(desk: Desk) -> None:
    subject = await desk.person()
    assert (await refusal_of(desk.create(own(), subject.by))).reason == "PERMISSION_MISSING"
    assert (await desk.create(own(), desk.chief.acting_for(subject))).owner_id == subject.id


async def test_acting_for_an_administrator_gives_no_rights(desk: Desk) -> None:
    actor = await desk.person(P.ON_BEHALF_OF, P.PROFILES_LIST)
    made = await desk.create(own())
    for_chief = actor.acting_for(desk.chief)
    assert await desk.names(for_chief) == ["Grant"]
    assert (await refusal_of(desk.get(made.id, for_chief))).metadata == {"permission": "PROFILES_GET"}


@pytest.mark.parametrize("username", ["Ünï {} ☂", "%41{}", "a b{}", "{}+&=?#/"])
async def test_names_of_any_letters_can_be_acted_for(desk: Desk, username: str) -> None:
    subject = await desk.person(roles=(USER_ROLE,), username=username.format(desk.organization.number))
    assert (await desk.create(own(), desk.chief.acting_for(subject))).owner_id == subject.id


async def test_acting_for_oneself_is_acting(desk: Desk) -> None:
    user = await desk.user()
    made = await desk.create(own(), user.acting_for(user))
    assert (made.owner_id, made.creator_id) == (user.id, user.id)
    (event,) = await desk.events("profile.create")
    assert (event.actor, event.subject) == (user.username, "")


async def test_without_the_permission_nobody_is_acted_for(desk: Desk) -> None:
    actor, subject = await desk.user(), await desk.user()
    refusal = await refusal_of(desk.create(own(), actor.acting_for(subject)))
    assert (refusal.code, refusal.reason) == (StatusCode.PERMISSION_DENIED, "ON_BEHALF_REFUSED")
    assert refusal.metadata == {"user": subject.username}


async def test_users_of_other_organizations_and_unknown_ones_are_refused_alike(desk: Desk) -> None:
    stranger = await (await open_desk(desk.almoner)).user()
    for username in (stranger.username, "nobody-at-all", "admin", "a%00b", "%ff"):
        by = (*desk.chief.by, ("almoner-on-behalf-of", username))
        refusal = await refusal_of(desk.page(by))
        assert (refusal.code, refusal.reason) == (StatusCode.PERMISSION_DENIED, "ON_BEHALF_REFUSED")


async def test_the_administrator_of_the_server_acts_for_anybody(desk: Desk) -> None:
    subject = await desk.user()
    by = (*desk.almoner.as_admin_token, ("almoner-on-behalf-of", subject.username))
    made = await desk.create(own(), by)
    assert (made.owner_id, made.creator_id, made.organization_id) == (subject.id, 1, desk.organization.id)


async def test_a_dialect_may_know_profiles_of_certain_providers_only(desk: Desk) -> None:
    application = await desk.application(provider="google_analytics")
    made = await desk.create(Profile(name="n", application_number=application.number))
    known: dict[str, Any] = {"application_providers": ["hubspot", "google_analytics"]}
    assert await desk.get(made.id, **known) == made
    assert (await desk.update(Profile(id=made.id, name="After"), **known)).name == "After"
    assert await desk.delete(made.id, **known) == 0


async def test_other_profiles_do_not_exist_for_it(desk: Desk) -> None:
    application = await desk.application(provider="google_analytics")
    of_another = await desk.create(Profile(name="n", application_number=application.number))
    without_application = await desk.create(own(provider="hubspot"))
    known: dict[str, Any] = {"application_providers": ["hubspot"]}
    for made in (of_another, without_application):
        for call in (
            desk.get(made.id, **known),
            desk.get(made.id, view=TOKENS, **known),
            desk.update(Profile(id=made.id, name="After"), **known),
            desk.delete(made.id, **known),
        ):
            refusal = await refusal_of(call)
            assert (refusal.code, refusal.reason) == (StatusCode.NOT_FOUND, "PROFILE_NOT_FOUND")
        assert await desk.get(made.id) == made
    assert await desk.events("profile.reveal") == []
