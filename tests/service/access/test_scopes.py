# SPDX-License-Identifier: Apache-2.0
"""What scopes allow, and that they never give anything: a limited caller holds what they hold and the scopes allow."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.access.caller import SERVER, SYSTEM, Caller, Held, Place, PlaceKind, organization_place
from service.access.permissions import ALL, NONE, Permission, Permissions
from service.access.scopes import KNOWN_SCOPES, SCOPES, allowed_by, limited

P = Permission

ALLOWED: dict[str, Permissions] = {
    "admin": ALL,
    "profiles": frozenset({P.MANAGEMENT_API, P.PROFILES_LIST, P.PROFILES_GET, P.PROFILES_ALL, P.LINKS_VIEW}),
    "profiles:use": frozenset({P.PROFILES_USE}),
    "profiles:reveal": frozenset({P.PROFILES_REVEAL}),
    "profiles:manage": frozenset({P.PROFILES_CREATE, P.PROFILES_UPDATE, P.LINKS_MANAGE}),
    "profiles:delete": frozenset({P.PROFILES_DELETE}),
    "applications": frozenset({P.MANAGEMENT_API, P.APPLICATIONS_VIEW}),
    "applications:reveal": frozenset({P.APPLICATIONS_REVEAL}),
    "applications:manage": frozenset({P.APPLICATIONS_MANAGE, P.APPLICATIONS_UPDATE}),
    "tokens": frozenset({P.RULES_VIEW, P.GRANTS_VIEW}),
    "tokens:introspect": frozenset({P.TOKENS_INTROSPECT}),
    "tokens:revoke": frozenset({P.GRANTS_REVOKE}),
}
"""Every scope that allows anything here."""

ORGANIZATIONS = range(1, 4)
APPLICATIONS = range(4)

numbers = st.sampled_from(ORGANIZATIONS)
places = st.one_of(
    st.just(SERVER),
    numbers.map(organization_place),
    st.sampled_from(range(1, 4)).map(lambda number: Place(PlaceKind.APPLICATION, number)),
)
permission_sets = st.frozensets(st.sampled_from(P), max_size=6)
holdings = st.lists(st.builds(Held, places, permission_sets), max_size=5).map(tuple)
callers = st.builds(Caller, st.integers(1, 9), st.just("ann"), numbers, holdings)
scope_sets = st.frozensets(st.sampled_from([*KNOWN_SCOPES, "unknown"]), max_size=4)


@pytest.mark.parametrize("scope", KNOWN_SCOPES)
def test_a_scope_allows_what_the_table_says_and_no_more(scope: str) -> None:
    assert SCOPES[scope] == ALLOWED.get(scope, NONE)


def test_every_scope_that_allows_something_is_known() -> None:
    assert ALLOWED.keys() <= set(KNOWN_SCOPES)


def test_what_goes_beyond_another_scope_has_that_one_beside_it() -> None:
    assert {scope.partition(":")[0] for scope in KNOWN_SCOPES} <= set(KNOWN_SCOPES)


@pytest.mark.parametrize(
    "permission",
    [
        P.ADMINISTRATOR,
        P.ON_BEHALF_OF,
        P.CHANGE_PASSWORD,
        P.OWN_API_TOKENS,
        P.USERS_CREATE,
        P.USERS_UPDATE,
        P.ROLES_BIND,
        P.RULES_MANAGE,
        P.TOKENS_ISSUE,
        P.TOKEN_POLICY_MANAGE,
        P.JWT_MAPPINGS_MANAGE,
    ],
)
def test_what_could_lift_the_limit_takes_the_scope_of_everything(permission: Permission) -> None:
    assert [scope for scope in SCOPES if permission in SCOPES[scope]] == ["admin"]


def test_scopes_together_allow_what_each_does() -> None:
    both = frozenset({"profiles:reveal", "applications:reveal"})
    assert allowed_by(both) == {P.PROFILES_REVEAL, P.APPLICATIONS_REVEAL}


def test_unknown_scopes_and_none_at_all_allow_nothing() -> None:
    assert allowed_by(frozenset({"unknown", "certificate:manage"})) == allowed_by(frozenset()) == NONE


def test_without_scopes_a_caller_is_not_limited() -> None:
    caller = Caller(1, "ann", 1, (Held(SERVER, ALL),))
    assert limited(caller, None) is caller


@pytest.mark.parametrize("place", [SERVER, organization_place(SYSTEM)])
def test_an_administrator_of_the_server_reaches_everything_with_what_the_scopes_allow(place: Place) -> None:
    administrator = limited(Caller(1, "admin", 1, (Held(place, ALL),)), frozenset({"applications"}))
    for organization in range(9):
        assert administrator.holds(organization, 7) == ALLOWED["applications"]
    assert administrator.holds_on_server() == ALLOWED["applications"]
    assert administrator.scopes == frozenset({"applications"})


def test_an_administrator_of_another_organization_stays_in_it() -> None:
    held = (Held(organization_place(5), frozenset({P.ADMINISTRATOR})),)
    administrator = limited(Caller(1, "ann", 5, held), frozenset({"applications"}))
    assert administrator.holds(5) == ALLOWED["applications"]
    assert administrator.holds(1) == administrator.holds_on_server() == NONE


@given(callers, scope_sets)
def test_a_limited_caller_holds_what_they_hold_and_the_scopes_allow(caller: Caller, scopes: frozenset[str]) -> None:
    narrow, allowed = limited(caller, scopes), allowed_by(scopes)
    for organization in (0, *ORGANIZATIONS):
        for application in APPLICATIONS:
            assert narrow.holds(organization, application) == caller.holds(organization, application) & allowed
    for permission in P:
        assert narrow.holds_anywhere(permission) == (permission in allowed and caller.holds_anywhere(permission))


@given(callers, scope_sets, scope_sets)
def test_more_scopes_never_allow_less(caller: Caller, scopes: frozenset[str], more: frozenset[str]) -> None:
    narrow, wide = limited(caller, scopes), limited(caller, scopes | more)
    for organization in (0, *ORGANIZATIONS):
        assert narrow.holds(organization, 1) <= wide.holds(organization, 1)


@given(callers, callers, scope_sets)
def test_acting_for_another_lifts_no_limit(actor: Caller, subject: Caller, scopes: frozenset[str]) -> None:
    acting = limited(limited(actor, scopes).acting_for(subject), scopes)
    assert acting.scopes == scopes
    for organization in (0, *ORGANIZATIONS):
        wide = actor.acting_for(subject).holds(organization, 1)
        assert acting.holds(organization, 1) <= wide & allowed_by(scopes)
