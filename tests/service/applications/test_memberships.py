# SPDX-License-Identifier: Apache-2.0
"""Memberships of client applications in organizations: how they come, change and go, and who may give what."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from google.protobuf.field_mask_pb2 import FieldMask

from almoner.v1 import (
    application_pb2,
    application_service_pb2,
    directory_pb2,
    directory_service_pb2,
    grant_pb2,
    grant_service_pb2,
    grant_service_pb2_grpc,
    profile_pb2,
    profile_service_pb2,
)
from service.access.organization_roles import service_scope
from service.clock import MINUTE
from tests.refusals import refusal_of
from tests.service.clients import ADMINISTRATOR, DEVELOPER, MEMBER, OWNER, App

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from tests.running import Metadata
    from tests.service.clients import Clients

A, D, G = application_service_pb2, directory_service_pb2, grant_service_pb2
NOBODYS = "00000000-0000-4000-8000-000000000000"
BILLING = service_scope("billing/eu", "reader")


async def reason_of(call: Awaitable[Any]) -> str:
    return (await refusal_of(call)).reason


async def bind(clients: Clients, user_id: int, role_id: int, organization_id: str) -> None:
    binding = directory_pb2.RoleBinding(user_id=user_id, role_id=role_id, organization_id=organization_id)
    request = D.CreateRoleBindingRequest(role_binding=binding)
    await clients.directory.CreateRoleBinding(request, metadata=clients.by_admin)


async def role_for(clients: Clients, user_id: int) -> None:
    request = D.CreateRoleRequest(role=directory_pb2.Role(name="R", user_ids=[user_id]))
    await clients.directory.CreateRole(request, metadata=clients.by_admin)


async def rule_for(clients: Clients, app: App, user_id: int) -> None:
    request = G.CreateAccessRuleRequest(access_rule=grant_pb2.AccessRule(application_id=app.id, user_id=user_id))
    stub: Any = grant_service_pb2_grpc.GrantServiceStub(clients.almoner.channel)
    await stub.CreateAccessRule(request, metadata=clients.by_admin)


async def profile(clients: Clients, by: Metadata) -> None:
    own = profile_pb2.ClientCredentials(client_id="c", client_secret="s")
    wanted = profile_pb2.Profile(name="P", provider="hubspot", client=own)
    await clients.profiles.CreateProfile(profile_service_pb2.CreateProfileRequest(profile=wanted), metadata=by)


async def rotate(clients: Clients, app: App, by: Metadata) -> None:
    await clients.applications.RotateSecret(A.RotateSecretRequest(application_id=app.id), metadata=by)


async def set_secret(clients: Clients, app: App, by: Metadata) -> None:
    request = A.UpdateApplicationRequest(
        application=application_pb2.Application(number=app.number, name="Renamed"), client_secret="chosen"
    )
    await clients.applications.UpdateApplication(request, metadata=by)


async def test_a_membership_is_shown_with_what_it_joins(clients: Clients) -> None:
    home = await clients.almoner.organization("Home")
    app = await clients.client(organization_id=home.id, application_id="reports")

    made = await clients.join(app, DEVELOPER, BILLING, "openid", DEVELOPER)

    assert made.id
    assert (made.application_id, made.application_number, made.application_name) == ("reports", app.number, "Client")
    assert (made.application_organization_id, made.application_organization_name) == (home.id, "Home")
    assert made.organization_id == clients.organization.id
    assert list(made.scopes) == [DEVELOPER, BILLING, "openid"]
    assert made.create_time == made.update_time
    assert made.create_time.ToMicroseconds() == clients.time.now
    assert made.etag == '"1"'
    assert await clients.membership(app) == made


async def test_without_an_organization_it_is_in_the_applications_own(clients: Clients) -> None:
    app = await clients.client()
    assert (await clients.join(app, organization_id="")).organization_id == clients.organization.id


async def test_one_without_an_organization_is_looked_for_in_the_callers_own(clients: Clients) -> None:
    app = await clients.client(DEVELOPER)
    by = await clients.user("ann", DEVELOPER)
    found = await clients.applications.GetClientMembership(
        A.GetClientMembershipRequest(application_id=app.id), metadata=by
    )
    assert found.membership == await clients.membership(app)


async def test_a_repeated_request_makes_one_membership(clients: Clients) -> None:
    app, request_id = await clients.client(), str(uuid.uuid4())
    first = await clients.join(app, DEVELOPER, request_id=request_id)
    assert await clients.join(app, DEVELOPER, request_id=request_id) == first
    assert await reason_of(clients.join(app, MEMBER, request_id=request_id)) == "REQUEST_ID_REUSED"


async def test_an_application_is_a_member_of_an_organization_once(clients: Clients) -> None:
    app, other = await clients.client(DEVELOPER), await clients.almoner.organization("Other")
    refusal = await refusal_of(clients.join(app))
    assert (refusal.reason, refusal.fields) == ("ALREADY_EXISTS", ["membership.application_id"])
    assert (await clients.join(app, organization_id=other.id)).organization_id == other.id


@pytest.mark.parametrize(
    ("members", "field"),
    [
        ({"application_id": ""}, "membership.application_id"),
        ({"scopes": ["a", "two words"]}, "membership.scopes[1]"),
        ({"scopes": ["\u00a0"]}, "membership.scopes[0]"),
        ({"scopes": [""]}, "membership.scopes[0]"),
        ({"scopes": ["x" * 513]}, "membership.scopes[0]"),
        ({"scopes": ["x"] * 257}, "membership.scopes"),
        ({"organization_id": "no uuid"}, "membership.organization_id"),
    ],
)
async def test_what_is_no_membership_is_refused(clients: Clients, members: dict[str, Any], field: str) -> None:
    app = await clients.client()
    assert (await refusal_of(clients.join(app, **members))).fields == [field]
    assert not (await clients.memberships()).memberships


async def test_a_registration_at_a_provider_is_no_member(clients: Clients) -> None:
    registration = application_pb2.ProviderRegistration(provider="hubspot", client_id="c", client_secret="s")
    application = application_pb2.Application(name="P", organization_id=clients.organization.id, provider=registration)
    request = A.CreateApplicationRequest(application=application)
    made = (await clients.applications.CreateApplication(request, metadata=clients.by_admin)).application
    assert await reason_of(clients.join(App(made.id, made.number, ""), DEVELOPER)) == "WRONG_KIND"


class TestSight:
    async def test_an_organization_where_one_has_nothing_does_not_exist(self, clients: Clients) -> None:
        app, other = await clients.client(DEVELOPER), await clients.almoner.organization("Other")
        by = await clients.user("eve", OWNER, organization_id=other.id)
        for organization_id in (clients.organization.id, NOBODYS):
            at: dict[str, Any] = {"by": by, "organization_id": organization_id}
            for call in (
                clients.join(app, MEMBER, **at),
                clients.membership(app, **at),
                clients.memberships(**at),
                clients.change(app, added_scopes=[MEMBER], **at),
                clients.part(app, **at),
            ):
                assert await reason_of(call) == "ORGANIZATION_NOT_FOUND"

    async def test_an_application_that_one_does_not_see_does_not_exist(self, clients: Clients) -> None:
        other = await clients.almoner.organization("Other")
        foreign = await clients.client(organization_id=other.id)
        by = await clients.user("ann", OWNER)
        for app in (foreign, App("unknown", 0, "")):
            assert await reason_of(clients.join(app, MEMBER, by=by)) == "APPLICATION_NOT_FOUND"

    async def test_an_application_that_is_no_member_has_no_membership(self, clients: Clients) -> None:
        app = await clients.client()
        for missing in (app, App("unknown", 0, "")):
            assert await reason_of(clients.membership(missing)) == "MEMBERSHIP_NOT_FOUND"
            assert await reason_of(clients.change(missing, added_scopes=["a"])) == "MEMBERSHIP_NOT_FOUND"
            assert await reason_of(clients.part(missing)) == "MEMBERSHIP_NOT_FOUND"

    async def test_to_see_one_is_not_to_change_it(self, clients: Clients) -> None:
        app = await clients.client("openid")
        by = await clients.user("ann", permissions=[directory_pb2.PERMISSION_APPLICATIONS_VIEW])
        assert await clients.membership(app, by)
        for call in (
            clients.join(app, by=by),
            clients.change(app, by, added_scopes=["a"]),
            clients.part(app, by),
        ):
            assert await reason_of(call) == "PERMISSION_MISSING"

    async def test_a_foreign_member_is_seen_where_it_is_one(self, clients: Clients) -> None:
        other = await clients.almoner.organization("Other")
        foreign = await clients.client(organization_id=other.id)
        await clients.join(foreign, DEVELOPER)
        by = await clients.user("ann", OWNER)
        assert (await clients.membership(foreign, by)).application_id == foreign.id
        await clients.part(foreign, by)


class TestListing:
    async def test_pages_count_and_order(self, clients: Clients) -> None:
        for name in ("b", "a", "c"):
            await clients.client(MEMBER, application_id=name)
        page = await clients.memberships(page_size=2, order_by="application_id desc", count_all=True)
        assert [found.application_id for found in page.memberships] == ["c", "b"]
        assert page.total_size == 3
        token = page.next_page_token
        page = await clients.memberships(page_size=2, order_by="application_id desc", page_token=token)
        assert [found.application_id for found in page.memberships] == ["a"]
        assert (page.next_page_token, page.total_size) == ("", 0)

    async def test_the_order_is_that_of_creation(self, clients: Clients) -> None:
        made = [await clients.client(MEMBER, application_id=name) for name in ("b", "a")]
        found = (await clients.memberships()).memberships
        assert [membership.application_number for membership in found] == [app.number for app in made]

    @pytest.mark.parametrize(
        ("text", "found"),
        [
            ('application_id = "a"', ["a"]),
            ("application_number > 0", ["a", "b"]),
            ('application_name = "Client"', ["a", "b"]),
            ('application_id != "a"', ["b"]),
            ("create_time < 2000-01-01T00:00:00Z", []),
            ("update_time > 2000-01-01T00:00:00Z AND id > 0", ["a", "b"]),
        ],
    )
    async def test_filters(self, clients: Clients, text: str, found: list[str]) -> None:
        for name in ("a", "b"):
            await clients.client(MEMBER, application_id=name)
        page = await clients.memberships(filter=text, count_all=True)
        assert [membership.application_id for membership in page.memberships] == found
        assert page.total_size == len(found)

    async def test_what_is_no_filter_or_order_is_refused(self, clients: Clients) -> None:
        assert await reason_of(clients.memberships(filter='scopes = "a"')) == "INVALID_FILTER"
        assert await reason_of(clients.memberships(order_by="scopes")) == "INVALID_ORDER_BY"
        assert await reason_of(clients.memberships(page_token="x")) == "INVALID_PAGE_TOKEN"

    async def test_all_organizations_are_those_where_one_may_look(self, clients: Clients) -> None:
        other = await clients.almoner.organization("Other")
        here, there = await clients.client(MEMBER), await clients.client(MEMBER, organization_id=other.id)
        by = await clients.user("ann", OWNER)
        assert [found.application_id for found in (await clients.memberships(by, organization_id="-")).memberships] == [
            here.id
        ]
        everywhere = (await clients.memberships(organization_id="-")).memberships
        assert [found.application_id for found in everywhere] == [here.id, there.id]


class TestChanges:
    async def test_scopes_are_added_and_taken_away(self, clients: Clients) -> None:
        app = await clients.client(DEVELOPER, "openid")
        clients.time.pass_by(MINUTE)
        changed = await clients.change(app, added_scopes=[MEMBER, MEMBER, "openid"], removed_scopes=[DEVELOPER, "none"])
        assert list(changed.scopes) == ["openid", MEMBER]
        assert changed.etag == '"2"'
        assert changed.update_time.ToMicroseconds() == clients.time.now
        assert await clients.membership(app) == changed

    async def test_what_changes_nothing_makes_no_revision(self, clients: Clients) -> None:
        app = await clients.client(DEVELOPER)
        before = await clients.membership(app)
        clients.time.pass_by(MINUTE)
        assert await clients.change(app, added_scopes=[DEVELOPER], removed_scopes=[OWNER]) == before
        assert not await clients.events("client_membership.update")

    async def test_a_scope_is_not_added_and_removed_at_once(self, clients: Clients) -> None:
        app = await clients.client(DEVELOPER)
        refusal = await refusal_of(clients.change(app, added_scopes=["a", "b"], removed_scopes=["b"]))
        assert (refusal.reason, refusal.fields) == ("INVALID_FIELD", ["added_scopes[1]"])
        refusal = await refusal_of(clients.change(app, added_scopes=["two words"]))
        assert refusal.fields == ["added_scopes[0]"]

    async def test_a_membership_has_256_scopes_at_the_most(self, clients: Clients) -> None:
        app = await clients.client(*(f"scope{number}" for number in range(256)))
        assert (await refusal_of(clients.change(app, added_scopes=["more"]))).fields == ["added_scopes"]
        changed = await clients.change(app, added_scopes=["more"], removed_scopes=["scope0"])
        assert len(changed.scopes) == 256

    async def test_one_that_has_changed_is_not_what_was_read(self, clients: Clients) -> None:
        app = await clients.client(DEVELOPER)
        await clients.change(app, added_scopes=["a"], etag='"1"')
        assert await reason_of(clients.change(app, added_scopes=["b"], etag='"1"')) == "ETAG_MISMATCH"
        assert await reason_of(clients.part(app, etag='"1"')) == "ETAG_MISMATCH"
        await clients.part(app, etag='"2"')
        assert await reason_of(clients.membership(app)) == "MEMBERSHIP_NOT_FOUND"
        assert (await clients.join(app, MEMBER)).etag == '"1"'

    async def test_the_audit_trail_has_what_was_given_and_taken(self, clients: Clients) -> None:
        app = await clients.client(DEVELOPER)
        membership = await clients.membership(app)
        await clients.change(app, added_scopes=["openid"], removed_scopes=[DEVELOPER])
        await clients.part(app)
        (created,), (updated,), (deleted,) = [
            await clients.events(f"client_membership.{action}") for action in ("create", "update", "delete")
        ]
        resource, number = f"client_memberships/{membership.id}", clients.organization.number
        for event in (created, updated, deleted):
            assert (event.actor, event.resource, event.organization) == ("admin", resource, number)
        assert created.changes == {"application_number": [None, app.number], "scopes": [None, [DEVELOPER]]}
        assert updated.changes == {"scopes": [[DEVELOPER], ["openid"]]}
        assert deleted.changes == {"application_number": [app.number, None], "scopes": [["openid"], None]}


class Limits(NamedTuple):
    """Scopes that somebody may give and take, and some that they may not."""

    given: tuple[str, ...]
    withheld: tuple[str, ...]


GIVES = {
    OWNER: Limits(
        (OWNER, ADMINISTRATOR, DEVELOPER, MEMBER, "org:msp:provider_admin", BILLING, "admin", "profiles"), ()
    ),
    ADMINISTRATOR: Limits(
        (ADMINISTRATOR, DEVELOPER, MEMBER, "org:msp:provider_support_user", BILLING, "profiles"),
        (OWNER, "org:msp:provider_admin", "admin"),
    ),
    DEVELOPER: Limits(
        (DEVELOPER, MEMBER, BILLING, "openid", "org:unknown", "applications", "profiles:manage"),
        (
            OWNER,
            ADMINISTRATOR,
            "org:msp:provider_admin",
            "org:msp:provider_support_user",
            "admin",
            "profiles",
            "tokens",
        ),
    ),
}
"""What each role may give."""


class TestEscalation:
    @pytest.mark.parametrize("role", GIVES)
    async def test_nobody_gives_or_takes_what_they_do_not_hold(self, clients: Clients, role: str) -> None:
        by = await clients.user("ann", role)
        for scope in GIVES[role].given:
            app, bare = await clients.client(), await clients.client("a")
            await clients.join(app, scope, by=by)
            await clients.part(app, by)
            await clients.change(bare, by, added_scopes=[scope])
            await clients.change(bare, by, removed_scopes=[scope])
        for scope in GIVES[role].withheld:
            new, bare, full = await clients.client(), await clients.client("a"), await clients.client(scope)
            for call in (
                clients.join(new, scope, by=by),
                clients.change(bare, by, added_scopes=[scope]),
                clients.change(full, by, removed_scopes=[scope]),
                clients.part(full, by),
            ):
                assert await reason_of(call) == "PERMISSION_ESCALATION", scope

    async def test_what_stays_is_not_asked_about(self, clients: Clients) -> None:
        app = await clients.client(OWNER)
        by = await clients.user("dev", DEVELOPER)
        changed = await clients.change(app, by, added_scopes=[DEVELOPER, OWNER])
        assert list(changed.scopes) == [OWNER, DEVELOPER]

    async def test_who_acts_for_another_gives_what_they_hold_themselves(self, clients: Clients) -> None:
        app = await clients.client()
        await clients.user("owner", OWNER)
        for name, role, outcome in (("adm", ADMINISTRATOR, "PERMISSION_ESCALATION"), ("boss", OWNER, "")):
            by = (*await clients.user(name, role), ("almoner-on-behalf-of", "owner"))
            if outcome:
                assert await reason_of(clients.join(app, OWNER, by=by)) == outcome
            else:
                assert list((await clients.join(app, OWNER, by=by)).scopes) == [OWNER]

    async def test_a_role_elsewhere_gives_nothing_here(self, clients: Clients) -> None:
        other = await clients.almoner.organization("Other")
        app = await clients.client(organization_id=other.id)
        owner = await clients.almoner.user("ann", organization_id=other.id, role_ids=[10])
        await bind(clients, owner.id, 12, clients.organization.id)
        by = clients.almoner.as_("ann")
        assert await reason_of(clients.join(app, OWNER, by=by)) == "PERMISSION_ESCALATION"
        assert await clients.join(app, DEVELOPER, by=by)
        assert await clients.join(app, OWNER, by=by, organization_id=other.id)

    async def test_who_takes_a_client_over_must_hold_all_that_it_is_given(self, clients: Clients) -> None:
        app = await clients.client(OWNER)
        by = await clients.user("dev", DEVELOPER)
        assert await reason_of(rotate(clients, app, by)) == "PERMISSION_ESCALATION"
        assert await reason_of(set_secret(clients, app, by)) == "PERMISSION_ESCALATION"
        await clients.allow(app, DEVELOPER)
        await rotate(clients, app, by)
        await set_secret(clients, app, by)

    async def test_all_memberships_count(self, clients: Clients) -> None:
        other = await clients.almoner.organization("Other")
        app = await clients.client(DEVELOPER)
        by = await clients.user("owner", OWNER)
        await rotate(clients, app, by)
        await clients.join(app, MEMBER, organization_id=other.id)
        assert await reason_of(rotate(clients, app, by)) == "PERMISSION_ESCALATION"

    async def test_who_allows_more_must_hold_what_it_then_is_worth(self, clients: Clients) -> None:
        app = await clients.client(OWNER, allowed=[DEVELOPER, MEMBER])
        by = await clients.user("dev", DEVELOPER)
        assert await reason_of(clients.allow(app, DEVELOPER, MEMBER, OWNER, by=by)) == "PERMISSION_ESCALATION"
        await clients.allow(app, DEVELOPER, MEMBER, "openid", by=by)
        await clients.allow(app, by=by)
        await clients.allow(app, OWNER)
        assert await reason_of(clients.allow(app, OWNER, MEMBER, by=by)) == "PERMISSION_ESCALATION"


class TestServiceAccounts:
    async def account(self, clients: Clients, app: App) -> Any:
        return (await clients.who(await clients.by_client(app))).user

    async def test_the_first_membership_makes_one_that_stays_with_the_application(self, clients: Clients) -> None:
        app, other = await clients.client(DEVELOPER), await clients.almoner.organization("Other")
        account = await self.account(clients, app)
        assert (account.username, account.display_name) == (f"client:{app.number}", app.id)
        assert account.organization_id == clients.organization.id
        await clients.part(app)
        await clients.join(app, MEMBER, organization_id=other.id)
        await clients.join(app, MEMBER)
        assert await self.account(clients, app) == account

    async def test_the_directory_does_not_know_it(self, clients: Clients) -> None:
        app = await clients.client(DEVELOPER)
        account = await self.account(clients, app)
        directory = clients.directory
        calls: list[Awaitable[Any]] = [
            directory.GetUser(D.GetUserRequest(id=account.id), metadata=clients.by_admin),
            directory.GetUser(D.GetUserRequest(username=account.username), metadata=clients.by_admin),
            directory.UpdateUser(
                D.UpdateUserRequest(user=directory_pb2.User(id=account.id, display_name="x")), metadata=clients.by_admin
            ),
            directory.DeleteUser(D.DeleteUserRequest(id=account.id, cascade=True), metadata=clients.by_admin),
            clients.api_token(clients.by_admin, user_id=account.id),
            bind(clients, account.id, 12, clients.organization.id),
            role_for(clients, account.id),
            rule_for(clients, app, account.id),
        ]
        for call in calls:
            assert await reason_of(call) == "USER_NOT_FOUND"
        users = await directory.ListUsers(D.ListUsersRequest(organization_id="-"), metadata=clients.by_admin)
        assert [user.username for user in users.users] == ["admin"]
        assert not (
            await directory.ListRoleBindings(
                D.ListRoleBindingsRequest(filter=f"user_id = {account.id}", organization_id="-"),
                metadata=clients.by_admin,
            )
        ).role_bindings

    async def test_nobody_acts_for_it_or_logs_in_as_it(self, clients: Clients) -> None:
        app = await clients.client(DEVELOPER)
        account = await self.account(clients, app)
        by = (*clients.by_admin, ("almoner-on-behalf-of", account.username.replace(":", "%3A")))
        assert await reason_of(clients.who(by)) == "ON_BEHALF_REFUSED"
        assert await reason_of(clients.who(clients.almoner.as_(account.username, "x"))) == "CREDENTIALS_INVALID"

    async def test_the_client_has_no_api_tokens_or_password(self, clients: Clients) -> None:
        app = await clients.client(MEMBER)
        by = await clients.by_client(app)
        account = await self.account(clients, app)
        assert await reason_of(clients.api_token(by)) == "USER_NOT_FOUND"
        changed = directory_pb2.User(id=account.id, password="a new password")
        request = D.UpdateUserRequest(user=changed, update_mask=FieldMask(paths=["password"]))
        assert await reason_of(clients.directory.UpdateUser(request, metadata=by)) == "USER_NOT_FOUND"

    async def test_people_cannot_have_its_name(self, clients: Clients) -> None:
        assert (await refusal_of(clients.almoner.user("client:7"))).fields == ["user.username"]

    async def test_profiles_of_a_client_keep_its_application(self, clients: Clients) -> None:
        app, other = await clients.client(DEVELOPER), await clients.almoner.organization("Other")
        await clients.join(app, DEVELOPER, organization_id=other.id)
        for organization_id in (clients.organization.id, other.id):
            await profile(clients, await clients.by_client(app, organization_id=organization_id))
        refusal = await refusal_of(clients.delete(app))
        assert (refusal.reason, refusal.metadata) == ("APPLICATION_IN_USE", {"profiles": "2"})
        assert await clients.delete(app, cascade=True) == 2
        gone = await clients.events("profile.delete")
        assert [event.organization for event in gone] == [clients.organization.number, other.number]

    async def test_it_goes_with_the_application_and_leaves_what_it_made_to_nobody(self, clients: Clients) -> None:
        app = await clients.client(DEVELOPER)
        made = await clients.client(by=await clients.by_client(app))
        await clients.delete(app)
        request = A.GetApplicationRequest(id=made.id)
        found = (await clients.applications.GetApplication(request, metadata=clients.by_admin)).application
        assert found.owner_id == 0
        again = await clients.client(DEVELOPER, application_id=app.id)
        assert (await self.account(clients, again)).username == f"client:{again.number}"
