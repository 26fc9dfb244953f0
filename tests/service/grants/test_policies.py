# SPDX-License-Identifier: Apache-2.0
"""Token policies: the first one, what may be changed, and by whom."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from google.protobuf.duration_pb2 import Duration

from almoner.v1 import application_pb2, directory_service_pb2, grant_pb2
from service.access.permissions import Permission
from tests.refusals import refusal_of
from tests.service.grants.office import AUDITOR, OAUTH_ADMINISTRATOR, OWNER, Office, TokenPolicy

DAY = 86_400
PASSWORD, DEVICE_CODE = application_pb2.GRANT_TYPE_PASSWORD, application_pb2.GRANT_TYPE_DEVICE_CODE


def first(office: Office) -> TokenPolicy:
    """Returns the policy of an organization that has never changed it."""
    return TokenPolicy(
        organization_id=office.organization.id,
        access_token_lifetime=Duration(seconds=90 * DAY),
        grant_lifetime=Duration(seconds=365 * DAY),
        renewable=True,
        certificate_field=grant_pb2.CERTIFICATE_FIELD_COMMON_NAME,
        etag='"0"',
    )


async def test_the_first_policy_is_there_without_a_row(office: Office) -> None:
    assert await office.policy() == first(office)


async def test_named_members_change_and_the_others_stay(office: Office) -> None:
    await office.change_policy(TokenPolicy(grant_lifetime=Duration(seconds=DAY)))
    changed = await office.change_policy(
        TokenPolicy(
            refused_grant_types=[DEVICE_CODE, PASSWORD, DEVICE_CODE],
            certificate_field=grant_pb2.CERTIFICATE_FIELD_EMAIL,
            certificate_issuers=["CN=CA,O=Example"],
            annotations={"ticket": "8"},
        )
    )

    assert (changed.access_token_lifetime.seconds, changed.grant_lifetime.seconds) == (90 * DAY, DAY)
    assert list(changed.refused_grant_types) == [PASSWORD, DEVICE_CODE]
    assert changed.certificate_field == grant_pb2.CERTIFICATE_FIELD_EMAIL
    assert (list(changed.certificate_issuers), dict(changed.annotations)) == (["CN=CA,O=Example"], {"ticket": "8"})
    assert (changed.renewable, changed.etag, changed.HasField("update_time")) == (True, '"2"', True)
    assert await office.policy() == changed


async def test_what_a_mask_clears_is_as_in_the_first_policy_but_renewable_is_false(office: Office) -> None:
    await office.change_policy(
        TokenPolicy(
            access_token_lifetime=Duration(seconds=60),
            grant_lifetime=Duration(seconds=60),
            refused_grant_types=[PASSWORD],
            certificate_field=grant_pb2.CERTIFICATE_FIELD_UPN,
            certificate_issuers=["CN=CA"],
            annotations={"a": "b"},
        )
    )

    cleared = await office.change_policy(TokenPolicy(), "*")

    expected = first(office)
    expected.renewable, expected.etag = False, '"2"'
    expected.update_time.CopyFrom(cleared.update_time)
    assert cleared == expected


@pytest.mark.parametrize("path", ["organization_id", "update_time", "etag", "annotations.a", "nothing"])
async def test_other_members_cannot_be_changed(office: Office, path: str) -> None:
    refusal = await refusal_of(office.change_policy(TokenPolicy(), path))

    assert refusal.reason == "INVALID_UPDATE_MASK"


async def test_a_policy_that_has_changed_is_left_alone_from_the_first_one_on(office: Office) -> None:
    longer = TokenPolicy(grant_lifetime=Duration(seconds=700 * DAY))
    refusal = await refusal_of(office.change_policy(longer, etag='"1"'))
    assert (refusal.reason, refusal.metadata) == ("ETAG_MISMATCH", {"etag": '"0"'})

    assert (await office.change_policy(longer, etag='"0"')).etag == '"1"'

    refusal = await refusal_of(office.change_policy(longer, etag='"0"'))
    assert (refusal.reason, refusal.metadata) == ("ETAG_MISMATCH", {"etag": '"1"'})


async def test_changes_are_written_down(office: Office) -> None:
    await office.change_policy(TokenPolicy(refused_grant_types=[PASSWORD], renewable=False), "*")

    (event,) = await office.events("token_policy.update")

    assert (event.actor, event.resource) == (office.chief.username, f"organizations/{office.organization.number}")
    assert event.changes == {"renewable": [True, False], "refused_grant_types": ["[]", f"[{PASSWORD}]"]}


async def test_policies_are_each_their_organizations(office: Office, elsewhere: Office) -> None:
    by, there = office.almoner.as_admin_token, elsewhere.organization.id
    await office.change_policy(TokenPolicy(organization_id=there, annotations={"a": "b"}), by=by)

    assert dict((await office.policy(by, there)).annotations) == {"a": "b"}
    assert dict((await elsewhere.policy()).annotations) == {"a": "b"}
    assert await office.policy() == first(office)


async def test_ones_own_policy_is_no_secret_and_others_are(office: Office, elsewhere: Office) -> None:
    member = await office.person()
    here, there = office.organization.id, elsewhere.organization.id

    assert await office.policy(member.by) == await office.policy(member.by, here) == first(office)
    assert (await refusal_of(office.policy(member.by, there))).reason == "PERMISSION_MISSING"
    for organization_id in (there, str(uuid.uuid4())):
        refusal = await refusal_of(office.policy(organization_id=organization_id))
        assert refusal.reason == "ORGANIZATION_NOT_FOUND"


@pytest.mark.parametrize(("role", "may"), [(OAUTH_ADMINISTRATOR, True), (AUDITOR, False), (0, False), (OWNER, False)])
async def test_who_may_change_it(office: Office, role: int, may: bool) -> None:  # noqa: FBT001
    on = await office.application() if role == OWNER else None
    by = (await office.person(role=role, on=on)).by

    if may:
        await office.change_policy(TokenPolicy(renewable=True), by=by)
    else:
        refusal = await refusal_of(office.change_policy(TokenPolicy(renewable=True), by=by))
        assert refusal.metadata == {"permission": "TOKEN_POLICY_MANAGE"}


async def test_nobody_changes_the_policy_of_others(office: Office, elsewhere: Office) -> None:
    wanted = TokenPolicy(organization_id=elsewhere.organization.id, annotations={"a": "b"})

    assert (await refusal_of(office.change_policy(wanted))).reason == "ORGANIZATION_NOT_FOUND"


async def test_policy_and_mappings_do_not_keep_an_organization(office: Office) -> None:
    await office.change_policy(TokenPolicy(annotations={"a": "b"}))
    await office.mapping()
    application = await office.application()
    request = directory_service_pb2.DeleteOrganizationRequest(id=office.organization.id)

    async def delete() -> Any:
        return await office.almoner.directory.DeleteOrganization(request, metadata=office.almoner.as_admin_token)

    assert (await refusal_of(delete())).reason == "ORGANIZATION_NOT_EMPTY"
    await office.delete_application(application)
    await office.delete_user(office.chief)
    await delete()

    by = office.almoner.as_admin_token
    assert (await refusal_of(office.policy(by, office.organization.id))).reason == "ORGANIZATION_NOT_FOUND"


async def test_a_member_with_the_permission_alone_may(office: Office) -> None:
    member = await office.person(Permission.TOKEN_POLICY_MANAGE)

    assert (await office.change_policy(TokenPolicy(renewable=False), "renewable", by=member.by)).renewable is False
