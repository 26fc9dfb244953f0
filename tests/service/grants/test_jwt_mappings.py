# SPDX-License-Identifier: Apache-2.0
"""JWT mappings: what they are, who may do what with them, and that they are no way to more than one holds."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any, TypeAlias

import pytest

from service.access.permissions import Permission
from tests.refusals import refusal_of
from tests.service.grants.office import (
    AUDITOR,
    GRANT_ADMINISTRATOR,
    OAUTH_ADMINISTRATOR,
    OWNER,
    JwtMapping,
    Office,
    mapping,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.running import Metadata

NOBODY = 2**62
REQUIRED = ("issuer_uri", "purpose_field", "purpose_match", "id_field", "id_match")


async def names(office: Office, by: Metadata | None = None, **members: Any) -> list[str]:
    return [each.name for each in (await office.call("ListJwtMappings", by, **members)).jwt_mappings]


async def test_a_mapping_says_whose_tokens_a_jwt_is_exchanged_for(office: Office) -> None:
    who = await office.person()

    made = await office.mapping(name="Build farm", user_id=who.id)

    assert made.id > 0
    assert (made.name, made.organization_id) == ("Build farm", office.organization.id)
    assert (made.issuer_uri, made.purpose_field, made.purpose_match) == ("https://issuer.example", "aud", "almoner")
    assert (made.id_field, made.id_match, made.user_id, made.username) == ("sub", "*", who.id, who.username)
    assert (made.create_time, made.etag) == (made.update_time, '"1"')
    assert (await office.call("GetJwtMapping", name="Build farm")).jwt_mapping == made


async def test_a_mapping_without_a_user_leaves_the_name_to_a_claim(office: Office) -> None:
    made = await office.mapping()

    assert (made.user_id, made.username) == (0, "")


async def test_what_is_missing_is_named(office: Office) -> None:
    for member in ("name", *REQUIRED):
        refusal = await refusal_of(office.call("CreateJwtMapping", jwt_mapping=mapping(**{member: ""})))
        assert (refusal.reason, refusal.fields) == ("INVALID_FIELD", [f"jwt_mapping.{member}"])
    refusal = await refusal_of(office.call("CreateJwtMapping", jwt_mapping=JwtMapping()))
    assert refusal.fields == [f"jwt_mapping.{member}" for member in ("name", *REQUIRED)]

    made = await office.mapping()
    for member in REQUIRED:
        refusal = await refusal_of(office.change_mapping(JwtMapping(name=made.name), member))
        assert (refusal.reason, refusal.fields) == ("INVALID_FIELD", [f"jwt_mapping.{member}"])


async def test_a_name_is_its_organizations(office: Office, elsewhere: Office) -> None:
    await office.mapping(name="N")
    await elsewhere.mapping(name="N", id_match="other")

    refusal = await refusal_of(office.mapping(name="N"))
    assert (refusal.reason, refusal.metadata, refusal.fields) == ("ALREADY_EXISTS", {"id": "N"}, ["jwt_mapping.name"])

    by = office.almoner.as_admin_token
    found = await office.call("GetJwtMapping", by, name="N", organization_id=elsewhere.organization.id)
    assert found.jwt_mapping.id_match == "other"


async def test_the_user_is_one_of_the_organization(office: Office, elsewhere: Office) -> None:
    stranger = await elsewhere.person()
    made = await office.mapping(user_id=(await office.person()).id)
    by = office.almoner.as_admin_token

    for user_id in (stranger.id, NOBODY):
        wanted = JwtMapping(name=made.name, organization_id=office.organization.id, user_id=user_id)
        for refused in (
            office.mapping(by, user_id=user_id, organization_id=office.organization.id),
            office.change_mapping(wanted, by=by),
        ):
            refusal = await refusal_of(refused)
            assert (refusal.reason, refusal.fields) == ("USER_NOT_FOUND", ["jwt_mapping.user_id"])


async def test_mappings_of_the_first_organization_are_for_users_of_all(office: Office) -> None:
    who = await office.person()

    made = await office.mapping(office.almoner.as_admin_token, user_id=who.id)

    assert made.username == who.username
    await office.call("DeleteJwtMapping", office.almoner.as_admin_token, name=made.name)


async def test_nobody_makes_a_way_to_log_in_as_who_holds_more(office: Office) -> None:
    administrator = await office.person(role=OAUTH_ADMINISTRATOR)
    plain, equal = await office.person(), await office.person(role=OAUTH_ADMINISTRATOR)
    owner = await office.person(role=OWNER, on=await office.application())
    more = await office.person(Permission.PROFILES_REVEAL)
    by = administrator.by

    for who in (plain, equal, owner, administrator):
        made = await office.mapping(by, user_id=who.id)
        for user_id, permission in (
            (more.id, "PROFILES_REVEAL"),
            (office.chief.id, "ADMINISTRATOR"),
            (0, "ADMINISTRATOR"),
        ):
            for refused in (
                office.mapping(by, user_id=user_id),
                office.change_mapping(JwtMapping(name=made.name, user_id=user_id), "user_id", by=by),
            ):
                refusal = await refusal_of(refused)
                assert (refusal.reason, refusal.metadata) == ("PERMISSION_ESCALATION", {"permission": permission})  # fmt: skip


async def test_nobody_widens_a_way_to_log_in_as_who_holds_more(office: Office) -> None:
    made = await office.mapping(id_match="exactly-this", user_id=office.chief.id)
    administrator = await office.person(role=OAUTH_ADMINISTRATOR)

    refusal = await refusal_of(
        office.change_mapping(JwtMapping(name=made.name, id_match="*"), "id_match", by=administrator.by)
    )
    assert refusal.reason == "PERMISSION_ESCALATION"

    # To take it away gives nobody anything.
    await office.call("DeleteJwtMapping", administrator.by, name=made.name)


async def test_what_a_user_holds_elsewhere_counts(office: Office, elsewhere: Office) -> None:
    who = await office.person()
    await office.bind(who, AUDITOR, organization_id=elsewhere.organization.id)

    assert (await refusal_of(office.mapping(user_id=who.id))).reason == "PERMISSION_ESCALATION"


async def test_named_members_change_and_the_others_stay(office: Office) -> None:
    who = await office.person()
    made = await office.mapping(user_id=who.id)

    changed = await office.change_mapping(JwtMapping(name=made.name, purpose_match="build-*"))
    assert (changed.purpose_match, changed.user_id, changed.etag) == ("build-*", who.id, '"2"')

    changed = await office.change_mapping(JwtMapping(name=made.name), "user_id")
    assert (changed.user_id, changed.id_match) == (0, "*")


@pytest.mark.parametrize("path", ["name", "organization_id", "username", "id", "nothing"])
async def test_other_members_cannot_be_changed(office: Office, path: str) -> None:
    made = await office.mapping()

    refusal = await refusal_of(office.change_mapping(JwtMapping(name=made.name), path))

    assert refusal.reason == "INVALID_UPDATE_MASK"


async def test_a_mapping_that_has_changed_is_left_alone(office: Office) -> None:
    made = await office.mapping()
    await office.change_mapping(JwtMapping(name=made.name, id_match="x"), etag=made.etag)

    for refused in (
        office.change_mapping(JwtMapping(name=made.name, id_match="y"), etag=made.etag),
        office.call("DeleteJwtMapping", name=made.name, etag=made.etag),
    ):
        refusal = await refusal_of(refused)
        assert (refusal.reason, refusal.metadata) == ("ETAG_MISMATCH", {"etag": '"2"'})

    await office.call("DeleteJwtMapping", name=made.name, etag='"2"')
    refusal = await refusal_of(office.call("GetJwtMapping", name=made.name))
    assert (refusal.reason, refusal.metadata) == ("JWT_MAPPING_NOT_FOUND", {"id": made.name})


async def test_a_repeated_creation_is_answered_as_the_first(office: Office) -> None:
    wanted, request_id = mapping(), str(uuid.uuid4())

    first = await office.call("CreateJwtMapping", jwt_mapping=wanted, request_id=request_id)
    again = await office.call("CreateJwtMapping", jwt_mapping=wanted, request_id=request_id)
    assert again == first

    wanted.id_match = "another"
    refusal = await refusal_of(office.call("CreateJwtMapping", jwt_mapping=wanted, request_id=request_id))
    assert refusal.reason == "REQUEST_ID_REUSED"


async def test_changes_are_written_down(office: Office) -> None:
    made = await office.mapping(name="N")
    await office.change_mapping(JwtMapping(name="N", id_match="x", user_id=office.chief.id))
    await office.call("DeleteJwtMapping", name="N")

    (created,) = await office.events("jwt_mapping.create")
    assert (created.actor, created.resource) == (office.chief.username, f"jwt_mappings/{made.id}")
    assert (created.changes["name"], created.changes["purpose_match"]) == ([None, "N"], [None, "almoner"])
    (updated,) = await office.events("jwt_mapping.update")
    assert updated.changes == {"id_match": ["*", "x"], "user_id": [None, office.chief.id]}
    (deleted,) = await office.events("jwt_mapping.delete")
    assert deleted.changes == {"name": ["N", None], "issuer_uri": ["https://issuer.example", None]}


async def test_a_mapping_ends_with_its_user(office: Office) -> None:
    leaver = await office.person()
    await office.mapping(name="gone", user_id=leaver.id)
    await office.mapping(name="kept")

    await office.delete_user(leaver)

    assert await names(office) == ["kept"]


async def test_lists_are_filtered_ordered_and_paged(office: Office) -> None:
    who = await office.person()
    await office.mapping(name="b", user_id=who.id)
    await office.mapping(name="a", issuer_uri="https://z.example")
    await office.mapping(name="c", issuer_uri="https://z.example/other")

    assert await names(office) == ["b", "a", "c"]
    assert await names(office, order_by="name desc") == ["c", "b", "a"]
    assert await names(office, order_by="issuer_uri desc, create_time") == ["c", "a", "b"]
    assert await names(office, order_by="update_time desc", skip=1, page_size=1) == ["a"]
    for expression, found in (
        ('issuer_uri = "https://z.example"', ["a"]),
        ("issuer_uri:z.example", ["a", "c"]),
        (f"user_id = {who.id}", ["b"]),
        ("user_id = 0 AND name = a", ["a"]),
        ("id > 0", ["b", "a", "c"]),
        ('create_time < "2020-01-01T00:00:00Z"', []),
    ):
        assert await names(office, filter=expression) == found, expression
    page = await office.call("ListJwtMappings", page_size=2)
    assert await names(office, page_size=2, page_token=page.next_page_token) == ["c"]


async def test_a_list_has_what_the_caller_views(office: Office, elsewhere: Office) -> None:
    await office.mapping(name=f"here {office.organization.id}")
    await elsewhere.mapping(name=f"there {office.organization.id}")
    auditor = await office.person(role=AUDITOR)
    everywhere = office.almoner.as_admin_token
    here, there = [f"here {office.organization.id}"], [f"there {office.organization.id}"]

    assert await names(office, auditor.by) == here
    assert await names(office, auditor.by, organization_id="-") == here
    assert await names(office, everywhere, organization_id=elsewhere.organization.id) == there
    assert {*here, *there} <= set(await names(office, everywhere, organization_id="-"))
    refusal = await refusal_of(names(office, auditor.by, organization_id=elsewhere.organization.id))
    assert refusal.reason == "ORGANIZATION_NOT_FOUND"


# What each does with a mapping for a user without permissions: + may, p permission denied, n not found.
#                            get list create update delete
MATRIX = {
    "administrator":        "+ + + + +",
    "oauth administrator":  "+ + + + +",
    "owner":                "p p p p p",
    "auditor":              "+ + p p p",
    "grant administrator":  "p p p p p",
    "member":               "p p p p p",
    "administrator elsewhere": "n n n n n",
}  # fmt: skip
Call: TypeAlias = "Callable[[], Awaitable[Any]]"
OUTCOMES = {"p": "PERMISSION_DENIED", "n": "NOT_FOUND"}


@pytest.mark.parametrize("name", MATRIX)
async def test_who_may_do_what(office: Office, elsewhere: Office, name: str) -> None:
    makers: dict[str, Any] = {
        "administrator": lambda: office.person(Permission.ADMINISTRATOR),
        "oauth administrator": lambda: office.person(role=OAUTH_ADMINISTRATOR),
        "owner": lambda: _owner(office),
        "auditor": lambda: office.person(role=AUDITOR),
        "grant administrator": lambda: office.person(role=GRANT_ADMINISTRATOR),
        "member": office.person,
        "administrator elsewhere": lambda: elsewhere.person(Permission.ADMINISTRATOR),
    }
    by, user = (await makers[name]()).by, await office.person()
    made = await office.mapping(user_id=user.id)
    here = office.organization.id

    calls: tuple[Call, ...] = (
        lambda: office.call("GetJwtMapping", by, name=made.name, organization_id=here),
        lambda: office.call("ListJwtMappings", by, organization_id=here),
        lambda: office.mapping(by, user_id=user.id, organization_id=here),
        lambda: office.change_mapping(JwtMapping(name=made.name, organization_id=here, id_match="x"), by=by),
        lambda: office.call("DeleteJwtMapping", by, name=made.name, organization_id=here),
    )
    for outcome, call in zip(MATRIX[name].split(), calls, strict=True):
        if outcome == "+":
            await call()
        else:
            assert (await refusal_of(call())).code.name == OUTCOMES[outcome]


async def _owner(office: Office) -> Any:
    return await office.person(role=OWNER, on=await office.application())
