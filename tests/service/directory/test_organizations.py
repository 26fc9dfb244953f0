# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from grpc import StatusCode

from service.access.permissions import ALL, Permission
from service.directory.bootstrap import BUILT_IN_ROLES
from tests.refusals import refusal_of
from tests.service.directory.house import OK, Organization, P, outcome_of, values

if TYPE_CHECKING:
    from typing import Any

    from tests.running import Metadata
    from tests.service.directory.house import House

NOBODYS = "00000000-0000-4000-8000-000000000000"


async def update(
    house: House, organization: Organization, *paths: str, by: Metadata | None = None, etag: str = ""
) -> Any:
    mask = FieldMask(paths=paths)
    reply = await house.call("UpdateOrganization", by, organization=organization, update_mask=mask, etag=etag)
    return reply.organization


async def test_a_new_organization_has_an_id_a_number_and_no_roles(house: House) -> None:
    acme = await house.organization("Acme", description="makes everything")
    assert str(uuid.UUID(acme.id)) == acme.id
    assert acme.number == 2
    assert acme.display_name == "Acme"
    assert acme.description == "makes everything"
    assert not acme.disabled
    assert not acme.role_ids
    assert acme.etag == '"1"'
    assert acme.create_time == acme.update_time
    assert acme.create_time.seconds


async def test_roles_of_the_first_organization_are_copied_into_a_new_one(house: House) -> None:
    reply = await house.call(
        "CreateOrganization", organization=Organization(display_name="Acme"), imported_role_ids=[3, 2]
    )
    acme = reply.organization
    copies = [await house.get_role(role_id) for role_id in acme.role_ids]
    originals = [await house.get_role(role_id) for role_id in (3, 2)]
    for copy, original in zip(copies, originals, strict=True):
        assert copy.id != original.id
        assert copy.organization_number == acme.number
        assert (copy.name, copy.description) == (original.name, original.description)
        assert copy.permissions == original.permissions
        assert not copy.built_in


async def test_only_roles_of_the_first_organization_are_copied(house: House) -> None:
    acme = await house.organization()
    role = await house.role("Reader", P.PROFILES_GET, organization_id=acme.id)
    wanted = Organization(display_name="Other")
    refusal = await refusal_of(house.call("CreateOrganization", organization=wanted, imported_role_ids=[2, role.id]))
    assert refusal.code is StatusCode.NOT_FOUND
    assert refusal.reason == "ROLE_NOT_FOUND"
    assert refusal.fields == ["imported_role_ids[1]"]


async def test_a_name_is_required(house: House) -> None:
    refusal = await refusal_of(house.call("CreateOrganization", organization=Organization()))
    assert refusal.fields == ["organization.display_name"]
    acme = await house.organization()
    assert (await refusal_of(update(house, Organization(id=acme.id), "display_name"))).reason == "INVALID_FIELD"


async def test_a_repeated_request_makes_one_organization(house: House) -> None:
    request_id = str(uuid.uuid4())
    wanted: dict[str, Any] = {"organization": Organization(display_name="Acme"), "request_id": request_id}
    first = await house.call("CreateOrganization", **wanted)
    assert await house.call("CreateOrganization", **wanted) == first
    wanted["organization"] = Organization(display_name="Other")
    assert (await refusal_of(house.call("CreateOrganization", **wanted))).reason == "REQUEST_ID_REUSED"


async def test_an_organization_is_found_by_id_in_either_case_and_by_number(house: House) -> None:
    acme = await house.organization()
    for key in ({"id": acme.id}, {"id": acme.id.upper()}, {"number": acme.number}):
        assert (await house.call("GetOrganization", **key)).organization == acme


@pytest.mark.parametrize("key", [{"id": NOBODYS}, {"number": 99}, {"number": 0}, {"number": -1}], ids=str)
async def test_an_organization_that_is_not_there_is_not_found(house: House, key: dict[str, Any]) -> None:
    refusal = await refusal_of(house.call("GetOrganization", **key))
    assert refusal.code is StatusCode.NOT_FOUND
    assert refusal.reason == "ORGANIZATION_NOT_FOUND"
    assert refusal.metadata == {"id": str(*key.values())}


async def test_members_see_their_own_organization_and_no_other(house: House) -> None:
    acme, other = await house.organization(), await house.organization("Other")
    await house.user("ann", organization_id=acme.id)
    ann = house.almoner.as_("ann")
    assert (await house.call("GetOrganization", ann, number=acme.number)).organization == acme
    assert (await refusal_of(house.call("GetOrganization", ann, id=other.id))).reason == "ORGANIZATION_NOT_FOUND"
    assert (await refusal_of(house.call("GetOrganization", ann, number=1))).reason == "ORGANIZATION_NOT_FOUND"
    assert list((await house.call("ListOrganizations", ann)).organizations) == [acme]


async def test_who_manages_another_organization_sees_it_too(house: House) -> None:
    acme, other = await house.organization(), await house.organization("Other")
    await house.organization("Third")
    ann = await house.user("ann", organization_id=acme.id)
    await house.bind(ann, await house.role("Manager", P.ORGANIZATIONS_MANAGE), organization_id=other.id)
    page = await house.call("ListOrganizations", house.almoner.as_("ann"))
    assert [found.display_name for found in page.organizations] == ["Acme", "Other"]
    assert (await house.call("GetOrganization", house.almoner.as_("ann"), id=other.id)).organization == other


async def test_organizations_are_listed_in_pages_with_filter_and_order(house: House) -> None:
    for name in ("Acme", "Bolt", "Cogs"):
        await house.organization(name)
    found = []
    token = ""
    while True:
        page = await house.call("ListOrganizations", page_size=2, order_by="display_name desc", page_token=token)
        found += [organization.display_name for organization in page.organizations]
        token = page.next_page_token
        if not token:
            break
    assert found == ["System", "Cogs", "Bolt", "Acme"]
    page = await house.call("ListOrganizations", filter='display_name:"o" AND number > 1')
    assert [organization.display_name for organization in page.organizations] == ["Bolt", "Cogs"]
    (system,) = (await house.call("ListOrganizations", filter="number = 1")).organizations
    assert list(system.role_ids) == [role.id for role in BUILT_IN_ROLES]


async def test_an_update_changes_the_named_members_alone(house: House) -> None:
    acme = await house.organization("Acme", description="old")
    changed = await update(house, Organization(id=acme.id, display_name="Acme Ltd", description="new"), "display_name")
    assert (changed.display_name, changed.description, changed.etag) == ("Acme Ltd", "old", '"2"')
    by_number = Organization(number=acme.number, description="newer")
    assert (await update(house, by_number)).description == "newer"
    (first, second) = await house.events("organization.update")
    assert first.changes == {"display_name": ["Acme", "Acme Ltd"]}
    assert second.changes == {"description": ["old", "newer"]}
    assert first.organization == acme.number
    assert first.resource == f"organizations/{acme.number}"


async def test_a_stale_etag_changes_nothing(house: House) -> None:
    acme = await house.organization()
    await update(house, Organization(id=acme.id, description="new"), etag=acme.etag)
    refusal = await refusal_of(update(house, Organization(id=acme.id, description="newer"), etag=acme.etag))
    assert refusal.code is StatusCode.ABORTED
    assert refusal.metadata == {"etag": '"2"'}
    refusal = await refusal_of(house.call("DeleteOrganization", id=acme.id, etag=acme.etag))
    assert refusal.reason == "ETAG_MISMATCH"


async def test_an_id_is_a_uuid(house: House) -> None:
    refusal = await refusal_of(update(house, Organization(id="acme", description="new")))
    assert refusal.fields == ["organization.id"]


async def test_an_unknown_path_is_refused(house: House) -> None:
    refusal = await refusal_of(update(house, Organization(number=1), "number"))
    assert refusal.reason == "INVALID_UPDATE_MASK"


async def test_whoever_manages_an_organization_changes_it_but_does_not_disable_it(house: House) -> None:
    acme = await house.organization()
    await house.user("ann", P.ORGANIZATIONS_MANAGE, organization_id=acme.id)
    await house.user("bob", organization_id=acme.id)
    ann, bob = house.almoner.as_("ann"), house.almoner.as_("bob")
    renamed = Organization(id=acme.id, display_name="Acme Ltd")
    assert (await update(house, renamed, by=ann)).display_name == "Acme Ltd"
    assert await outcome_of(update(house, renamed, by=bob)) == "PERMISSION_MISSING"
    disabled = Organization(id=acme.id, disabled=True)
    assert await outcome_of(update(house, disabled, by=ann)) == "PERMISSION_MISSING"
    assert await outcome_of(house.call("DeleteOrganization", ann, id=acme.id)) == "PERMISSION_MISSING"
    assert await outcome_of(update(house, Organization(number=1, description="x"), by=ann)) == "ORGANIZATION_NOT_FOUND"
    wanted = Organization(display_name="Other")
    assert await outcome_of(house.call("CreateOrganization", ann, organization=wanted)) == "PERMISSION_MISSING"


async def test_members_of_a_disabled_organization_are_refused(house: House) -> None:
    acme = await house.organization()
    await house.user("ann", organization_id=acme.id)
    ann = house.almoner.as_("ann")
    assert await house.can_log_in(ann)
    await update(house, Organization(id=acme.id, disabled=True), "disabled")
    assert not await house.can_log_in(ann)
    await update(house, Organization(id=acme.id), "disabled")
    assert await house.can_log_in(ann)


async def test_the_first_organization_is_neither_disabled_nor_deleted(house: House) -> None:
    refusal = await refusal_of(update(house, Organization(number=1, disabled=True), "disabled"))
    assert refusal.code is StatusCode.FAILED_PRECONDITION
    assert refusal.reason == "BUILT_IN"
    assert await outcome_of(house.call("DeleteOrganization", number=1)) == "BUILT_IN"
    assert await outcome_of(update(house, Organization(number=1, display_name="Head office"), "display_name")) == OK


async def test_a_deleted_organization_takes_its_roles_and_bindings_along(house: House) -> None:
    acme = await house.organization()
    role = await house.role("Reader", P.PROFILES_GET, organization_id=acme.id)
    ann = await house.user("ann")
    binding = await house.bind(ann, 2, organization_id=acme.id)
    await house.call("DeleteOrganization", id=acme.id)
    assert await outcome_of(house.call("GetOrganization", id=acme.id)) == "ORGANIZATION_NOT_FOUND"
    assert await outcome_of(house.call("GetRole", id=role.id)) == "ROLE_NOT_FOUND"
    assert await outcome_of(house.call("GetRoleBinding", id=binding.id)) == "ROLE_BINDING_NOT_FOUND"
    assert await outcome_of(house.call("DeleteOrganization", id=acme.id)) == "ORGANIZATION_NOT_FOUND"
    (event,) = await house.events("organization.delete")
    assert event.resource == f"organizations/{acme.number}"


async def test_an_organization_with_users_or_applications_is_not_deleted(house: House) -> None:
    acme = await house.organization()
    ann = await house.user("ann", organization_id=acme.id)
    refusal = await refusal_of(house.call("DeleteOrganization", id=acme.id))
    assert refusal.code is StatusCode.FAILED_PRECONDITION
    assert refusal.reason == "ORGANIZATION_NOT_EMPTY"
    await house.call("DeleteUser", id=ann.id)
    await house.application(acme.id, "reports")
    assert await outcome_of(house.call("DeleteOrganization", id=acme.id)) == "ORGANIZATION_NOT_EMPTY"


async def test_numbers_are_not_used_again(house: House) -> None:
    acme = await house.organization()
    await house.call("DeleteOrganization", id=acme.id)
    assert (await house.organization()).number > acme.number


@pytest.mark.parametrize("held", [ALL - {Permission.ADMINISTRATOR, Permission.ORGANIZATIONS_MANAGE}], ids=["the rest"])
async def test_no_other_permission_makes_organizations(house: House, held: frozenset[Permission]) -> None:
    ann = await house.user("ann")
    role = await house.call("CreateRole", role={"name": "All else", "permissions": values(*held)})
    await house.bind(ann, role.role, server=True)
    refusal = await refusal_of(
        house.call("CreateOrganization", house.almoner.as_("ann"), organization=Organization(display_name="Acme"))
    )
    assert refusal.metadata == {"permission": "ORGANIZATIONS_MANAGE"}
