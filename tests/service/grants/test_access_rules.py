# SPDX-License-Identifier: Apache-2.0
"""Access rules: what they are, who may do what with them, and what is written down."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any, TypeAlias

import pytest
from google.protobuf.duration_pb2 import Duration

from service.access.permissions import Permission
from tests.refusals import refusal_of
from tests.service.grants.office import (
    AUDITOR,
    GRANT_ADMINISTRATOR,
    MAINTAINER,
    OAUTH_ADMINISTRATOR,
    OWNER,
    AccessRule,
    AccessRulePair,
    Office,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


NOBODY = 2**62


async def test_a_rule_joins_a_client_application_and_a_user(office: Office) -> None:
    application = await office.application("reports-of-" + office.organization.id)
    who = await office.person()

    rule = await office.rule(
        application,
        who,
        allowed_scopes=["certificate", "admin:delete", "admin", "admin"],
        description="for the nightly run",
        access_token_lifetime=Duration(seconds=60),
        grant_lifetime=Duration(seconds=3_600, nanos=1_000),
        renewable=False,
    )

    assert rule.id > 0
    assert (rule.application_id, rule.application_number) == (application.id, application.number)
    assert (rule.user_id, rule.username) == (who.id, who.username)
    assert list(rule.allowed_scopes) == ["admin", "admin:delete", "certificate"]
    assert rule.description == "for the nightly run"
    assert (rule.access_token_lifetime.seconds, rule.grant_lifetime.ToMicroseconds()) == (60, 3_600_000_001)
    assert rule.HasField("renewable")
    assert not rule.renewable
    assert rule.create_time == rule.update_time
    assert rule.etag == '"1"'


async def test_what_is_not_set_stays_unset(office: Office) -> None:
    rule = await office.rule(await office.application(), await office.person())

    assert [field.name for field, _ in rule.ListFields()] == [
        "id",
        "application_id",
        "user_id",
        "application_number",
        "username",
        "create_time",
        "update_time",
        "etag",
    ]


async def test_a_rule_is_read_by_its_id_or_by_its_pair(office: Office) -> None:
    application, who = await office.application(), await office.person()
    rule = await office.rule(application, who)
    pair = AccessRulePair(application_id=application.id, user_id=who.id)

    assert (await office.call("GetAccessRule", id=rule.id)).access_rule == rule
    assert (await office.call("GetAccessRule", pair=pair)).access_rule == rule


@pytest.mark.parametrize("method", ["GetAccessRule", "DeleteAccessRule"])
async def test_a_rule_that_is_not_there_is_not_found(office: Office, method: str) -> None:
    application, who = await office.application(), await office.person()
    for key, name in (
        ({"id": NOBODY}, str(NOBODY)),
        ({"pair": AccessRulePair(application_id=application.id, user_id=who.id)}, f"{application.id}/{who.id}"),
        ({"pair": AccessRulePair(application_id="no such", user_id=who.id)}, f"no such/{who.id}"),
    ):
        refusal = await refusal_of(office.call(method, **key))
        assert (refusal.reason, refusal.metadata) == ("ACCESS_RULE_NOT_FOUND", {"id": name})


@pytest.mark.parametrize(
    ("members", "fields"),
    [
        ({}, ["access_rule.application_id", "access_rule.user_id"]),
        ({"user_id": 1}, ["access_rule.application_id"]),
        ({"application_id": "almoner"}, ["access_rule.user_id"]),
    ],
)
async def test_what_a_rule_joins_is_required(office: Office, members: dict[str, Any], fields: list[str]) -> None:
    refusal = await refusal_of(office.call("CreateAccessRule", access_rule=AccessRule(**members)))

    assert (refusal.reason, refusal.fields) == ("INVALID_FIELD", fields)


@pytest.mark.parametrize("scope", ["a b", " a", "a ", " ", "a\u00a0b", "a\u2003b"])
async def test_a_scope_has_no_blanks(office: Office, scope: str) -> None:
    application, who = await office.application(), await office.person()
    refusal = await refusal_of(office.rule(application, who, allowed_scopes=["fine", scope]))
    assert (refusal.reason, refusal.fields) == ("INVALID_FIELD", ["access_rule.allowed_scopes[1]"])

    rule = await office.rule(application, who)
    refusal = await refusal_of(office.change_rule(AccessRule(id=rule.id, allowed_scopes=[scope])))
    assert (refusal.reason, refusal.fields) == ("INVALID_FIELD", ["access_rule.allowed_scopes[0]"])


async def test_a_pair_has_one_rule(office: Office) -> None:
    application, who = await office.application(), await office.person()
    rule = await office.rule(application, who)

    refusal = await refusal_of(office.rule(application, who))

    assert (refusal.reason, refusal.metadata) == ("ALREADY_EXISTS", {"id": str(rule.id)})
    assert refusal.fields == ["access_rule.user_id"]


async def test_an_application_that_is_no_client_has_no_rules(office: Office) -> None:
    refusal = await refusal_of(office.rule(await office.registration(), await office.person()))

    assert (refusal.code.name, refusal.reason) == ("FAILED_PRECONDITION", "WRONG_KIND")
    assert (refusal.metadata["kind"], refusal.fields) == ("provider", ["access_rule.application_id"])


async def test_application_and_user_must_be_there(office: Office) -> None:
    application, who = await office.application(), await office.person()
    for rule, reason, field in (
        (AccessRule(application_id="no such", user_id=who.id), "APPLICATION_NOT_FOUND", "application_id"),
        (AccessRule(application_id=application.id, user_id=NOBODY), "USER_NOT_FOUND", "user_id"),
    ):
        refusal = await refusal_of(office.call("CreateAccessRule", access_rule=rule))
        assert (refusal.reason, refusal.fields) == (reason, [f"access_rule.{field}"])


async def test_users_of_other_organizations_are_not_there(office: Office, elsewhere: Office) -> None:
    application, stranger = await office.application(), await elsewhere.person()

    refusal = await refusal_of(office.rule(application, stranger, by=office.almoner.as_admin_token))

    assert refusal.reason == "USER_NOT_FOUND"


async def test_applications_of_the_first_organization_serve_users_of_all(office: Office) -> None:
    application = await office.application(organization_id=await office.system())
    who = await office.person()

    rule = await office.rule(application, who, by=office.almoner.as_admin_token)

    assert rule.username == who.username
    # Their own administrator has no say in it.
    refusal = await refusal_of(office.rule(application, await office.person()))
    assert refusal.reason == "APPLICATION_NOT_FOUND"


async def test_an_owner_of_a_first_organizations_application_names_only_whom_they_know(office: Office) -> None:
    application = await office.application(organization_id=await office.system())
    owner = await office.person(role=OWNER, on=application)

    refusal = await refusal_of(office.rule(application, await office.person(), by=owner.by))
    assert refusal.reason == "USER_NOT_FOUND"

    assert await office.rule(application, owner, by=owner.by)


async def test_named_members_change_and_the_others_stay(office: Office) -> None:
    rule = await office.rule(
        await office.application(), await office.person(), allowed_scopes=["a"], description="d", renewable=True
    )

    changed = await office.change_rule(AccessRule(id=rule.id, allowed_scopes=["c", "b"]), "allowed_scopes")

    assert (list(changed.allowed_scopes), changed.description, changed.renewable) == (["b", "c"], "d", True)
    assert (changed.etag, changed.create_time) == ('"2"', rule.create_time)


async def test_a_rule_is_changed_by_its_pair(office: Office) -> None:
    application, who = await office.application(), await office.person()
    rule = await office.rule(application, who)

    changed = await office.change_rule(
        AccessRule(application_id=application.id, user_id=who.id, description="by pair"), "description"
    )

    assert (changed.id, changed.description) == (rule.id, "by pair")


async def test_members_that_a_mask_names_and_the_rule_has_not_are_cleared(office: Office) -> None:
    day = Duration(seconds=86_400)
    members: dict[str, Any] = {
        "description": "d",
        "access_token_lifetime": day,
        "grant_lifetime": day,
        "renewable": False,
    }
    rule = await office.rule(await office.application(), await office.person(), allowed_scopes=["a"], **members)

    changed = await office.change_rule(AccessRule(id=rule.id), "renewable", "access_token_lifetime")
    assert not changed.HasField("renewable")
    assert not changed.HasField("access_token_lifetime")
    assert changed.grant_lifetime == day

    changed = await office.change_rule(AccessRule(id=rule.id), "*")
    assert not changed.HasField("grant_lifetime")
    assert (list(changed.allowed_scopes), changed.description) == ([], "")


async def test_without_a_mask_what_is_set_changes_a_false_included(office: Office) -> None:
    rule = await office.rule(await office.application(), await office.person(), description="d")

    changed = await office.change_rule(AccessRule(id=rule.id, renewable=False))

    assert (changed.HasField("renewable"), changed.renewable, changed.description) == (True, False, "d")


@pytest.mark.parametrize("path", ["id", "application_id", "user_id", "username", "etag", "nothing", ""])
async def test_other_members_cannot_be_changed(office: Office, path: str) -> None:
    rule = await office.rule(await office.application(), await office.person())

    refusal = await refusal_of(office.change_rule(AccessRule(id=rule.id), path))

    assert refusal.reason == "INVALID_UPDATE_MASK"


async def test_a_rule_that_has_changed_is_left_alone(office: Office) -> None:
    rule = await office.rule(await office.application(), await office.person())
    await office.change_rule(AccessRule(id=rule.id, description="changed"), etag=rule.etag)

    for refused in (
        office.change_rule(AccessRule(id=rule.id, description="late"), etag=rule.etag),
        office.call("DeleteAccessRule", id=rule.id, etag=rule.etag),
    ):
        refusal = await refusal_of(refused)
        assert (refusal.reason, refusal.metadata) == ("ETAG_MISMATCH", {"etag": '"2"'})

    await office.call("DeleteAccessRule", id=rule.id, etag='"2"')


async def test_a_deleted_rule_is_gone_and_its_grants_stay(office: Office) -> None:
    application, who = await office.application(), await office.person()
    await office.rule(application, who)
    grant = await office.grant(application, who)

    await office.call("DeleteAccessRule", pair=AccessRulePair(application_id=application.id, user_id=who.id))

    assert await office.rules() == []
    assert await office.grants() == [grant]
    assert await office.rule(application, who)


async def test_a_repeated_creation_is_answered_as_the_first(office: Office) -> None:
    rule = AccessRule(application_id=(await office.application()).id, user_id=(await office.person()).id)
    request_id = str(uuid.uuid4())

    first = await office.call("CreateAccessRule", access_rule=rule, request_id=request_id)
    again = await office.call("CreateAccessRule", access_rule=rule, request_id=request_id)
    assert again == first

    rule.description = "another"
    refusal = await refusal_of(office.call("CreateAccessRule", access_rule=rule, request_id=request_id))
    assert refusal.reason == "REQUEST_ID_REUSED"


async def test_that_grants_are_not_to_be_renewed_is_recorded(office: Office) -> None:
    await office.rule(await office.application(), await office.person(), renewable=False)
    (created,) = await office.events("access_rule.create")
    assert created.changes["renewable"] == [None, False]


async def test_changes_are_written_down(office: Office) -> None:
    application, who = await office.application(), await office.person()
    rule = await office.rule(application, who, allowed_scopes=["a"])
    await office.change_rule(AccessRule(id=rule.id, allowed_scopes=["a", "b"], renewable=True))
    await office.call("DeleteAccessRule", id=rule.id)

    (created,) = await office.events("access_rule.create")
    assert (created.actor, created.resource) == (office.chief.username, f"access_rules/{rule.id}")
    assert created.changes == {
        "application_number": [None, application.number],
        "user_id": [None, who.id],
        "allowed_scopes": [None, ["a"]],
    }
    (updated,) = await office.events("access_rule.update")
    assert updated.changes == {"allowed_scopes": [["a"], ["a", "b"]], "renewable": [None, True]}
    (deleted,) = await office.events("access_rule.delete")
    assert deleted.changes == {"application_number": [application.number, None], "user_id": [who.id, None]}


async def test_rules_and_grants_end_with_their_application_and_their_user(office: Office) -> None:
    kept, doomed = await office.application(), await office.application()
    who, leaver = await office.person(), await office.person()
    rules = {}
    for application in (kept, doomed):
        for each in (who, leaver):
            rules[application.id, each.id] = (await office.rule(application, each)).id
            await office.grant(application, each)

    await office.delete_application(doomed)
    await office.delete_user(leaver)

    assert await office.rules() == [rules[kept.id, who.id]]
    assert (await office.call("CountGrants")).grants == 1


# What each does with the rules of their own application: + may, p permission denied, n not found.
#                                     get list create update delete delete_all
MATRIX = {
    "administrator":                 "+ + + + + +",
    "oauth administrator":           "+ + + + + +",
    "owner":                         "+ + + + + +",
    "maintainer":                    "p p p p p p",
    "auditor":                       "+ + p p p p",
    "grant administrator":           "+ + p p p p",
    "member":                        "p p p p p p",
    "user of the rule":              "p p p p p p",
    "owner of another application":  "n + n n n n",
    "administrator elsewhere":       "n + n n n n",
}  # fmt: skip
Call: TypeAlias = "Callable[[], Awaitable[Any]]"
OUTCOMES = {"p": "PERMISSION_DENIED", "n": "NOT_FOUND"}


@pytest.mark.parametrize("name", MATRIX)
async def test_who_may_do_what(office: Office, elsewhere: Office, name: str) -> None:
    application, other, user = await office.application(), await office.application(), await office.person()
    makers: dict[str, Any] = {
        "administrator": lambda: office.person(Permission.ADMINISTRATOR),
        "oauth administrator": lambda: office.person(role=OAUTH_ADMINISTRATOR),
        "owner": lambda: office.person(role=OWNER, on=application),
        "maintainer": lambda: office.person(role=MAINTAINER, on=application),
        "auditor": lambda: office.person(role=AUDITOR),
        "grant administrator": lambda: office.person(role=GRANT_ADMINISTRATOR),
        "member": office.person,
        "owner of another application": lambda: office.person(role=OWNER, on=other),
        "administrator elsewhere": lambda: elsewhere.person(Permission.ADMINISTRATOR),
    }
    who = user if name == "user of the rule" else await makers[name]()
    rule = await office.rule(application, user)
    fresh = await office.person()

    calls: tuple[Call, ...] = (
        lambda: office.call("GetAccessRule", who.by, id=rule.id),
        lambda: office.call("ListAccessRules", who.by),
        lambda: office.rule(application, fresh, by=who.by),
        lambda: office.change_rule(AccessRule(id=rule.id, description="x"), by=who.by),
        lambda: office.call("DeleteAccessRule", who.by, id=rule.id),
        lambda: office.call("DeleteAccessRules", who.by, application_id=application.id),
    )
    for outcome, call in zip(MATRIX[name].split(), calls, strict=True):
        if outcome == "+":
            await call()
        else:
            assert (await refusal_of(call())).code.name == OUTCOMES[outcome]


async def test_who_sees_but_does_not_manage_an_application_may_not(office: Office) -> None:
    mine, seen = await office.application(), await office.application()
    owner = await office.person(role=OWNER, on=mine)
    await office.bind(owner, MAINTAINER, application_id=seen.id)
    user = await office.person()
    await office.rule(seen, user)

    for call in (
        office.rule(seen, await office.person(), by=owner.by),
        office.call("DeleteAccessRules", owner.by, application_id=seen.id),
    ):
        refusal = await refusal_of(call)
        assert (refusal.reason, refusal.metadata) == ("PERMISSION_MISSING", {"permission": "RULES_MANAGE"})


async def test_all_rules_of_an_application_a_user_or_both_are_deleted_at_once(office: Office) -> None:
    first, second = await office.application(), await office.application()
    people = [await office.person() for _ in range(3)]
    rules = {(a.id, p.id): (await office.rule(a, p)).id for a in (first, second) for p in people}

    async def delete(**members: Any) -> int:
        return int((await office.call("DeleteAccessRules", **members)).deleted)

    assert await delete(application_id=first.id, user_id=people[0].id) == 1
    assert await delete(application_id=first.id, user_id=people[0].id) == 0
    assert await delete(application_id=first.id) == 2
    assert await delete(user_id=people[1].id) == 1
    assert await office.rules() == [rules[second.id, people[0].id], rules[second.id, people[2].id]]

    both, of_application, of_user = await office.events("access_rule.delete_all")
    assert (both.resource, both.changes["user_id"]) == (f"applications/{first.number}", people[0].id)
    assert of_application.changes == {
        "user_id": 0,
        "deleted": 2,
        "access_rules": [rules[first.id, people[1].id], rules[first.id, people[2].id]],
    }
    assert of_user.resource == f"users/{people[1].id}"


async def test_rules_that_the_caller_does_not_manage_stay(office: Office) -> None:
    mine, other, user = await office.application(), await office.application(), await office.person()
    owner = await office.person(role=OWNER, on=mine)
    await office.rule(mine, user)
    kept = await office.rule(other, user)

    assert (await office.call("DeleteAccessRules", owner.by, user_id=user.id)).deleted == 1
    assert await office.rules() == [kept.id]


async def test_deleting_many_names_what_is_there(office: Office, elsewhere: Office) -> None:
    application = await office.application()
    owner = await office.person(role=OWNER, on=application)
    stranger, foreign = await elsewhere.person(), await elsewhere.application()

    for by, members, reason in (
        (None, {"application_id": "no such"}, "APPLICATION_NOT_FOUND"),
        (None, {"application_id": foreign.id}, "APPLICATION_NOT_FOUND"),
        (None, {"user_id": NOBODY}, "USER_NOT_FOUND"),
        (owner.by, {"user_id": stranger.id}, "USER_NOT_FOUND"),
        (None, {"application_id": application.id, "user_id": stranger.id}, "USER_NOT_FOUND"),
        ((await office.person()).by, {"application_id": application.id}, "PERMISSION_MISSING"),
        (None, {}, "INVALID_FIELD"),
    ):
        assert (await refusal_of(office.call("DeleteAccessRules", by, **members))).reason == reason
