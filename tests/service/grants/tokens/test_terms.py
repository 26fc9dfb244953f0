# SPDX-License-Identifier: Apache-2.0
"""How long tokens live: nothing outlives its grant, and a rule never widens."""

from __future__ import annotations

from dataclasses import dataclass, replace

from hypothesis import given
from hypothesis import strategies as st

from service.grants.policies import Policy
from service.grants.terms import terms_of

LIFETIMES = st.integers(1, 10**16)
UNSET_OR_LIFETIME = st.one_of(st.just(0), LIFETIMES)
NOW = 1_700_000_000_000_000


@dataclass(frozen=True)
class Stated:
    """What an application or a rule says."""

    access_token_lifetime: int = 0
    grant_lifetime: int = 0
    renewable: bool | None = None


STATED = st.builds(Stated, UNSET_OR_LIFETIME, UNSET_OR_LIFETIME, st.none() | st.booleans())
POLICIES = st.builds(Policy, LIFETIMES, LIFETIMES, st.booleans())


@given(application=STATED, rule=STATED, policy=POLICIES)
def test_nothing_outlives_its_grant(application: Stated, rule: Stated, policy: Policy) -> None:
    terms = terms_of(application, rule, policy, NOW)
    assert NOW < terms.access_token_expires <= terms.expires
    assert terms.access_token_expires <= NOW + terms.access_token_lifetime
    if not terms.renewable:
        assert terms.access_token_expires == terms.expires


@given(application=STATED, rule=STATED, policy=POLICIES)
def test_a_rule_never_widens(application: Stated, rule: Stated, policy: Policy) -> None:
    without, narrowed = (terms_of(application, each, policy, NOW) for each in (Stated(), rule))
    assert narrowed.access_token_lifetime <= without.access_token_lifetime
    assert narrowed.access_token_expires <= without.access_token_expires
    assert narrowed.expires <= without.expires
    assert narrowed.renewable <= without.renewable


@given(application=STATED, rule=STATED, policy=POLICIES, limit=LIFETIMES)
def test_a_narrower_rule_never_widens(application: Stated, rule: Stated, policy: Policy, limit: int) -> None:
    before = terms_of(application, rule, policy, NOW)
    for narrower in (
        replace(rule, access_token_lifetime=min(limit, rule.access_token_lifetime or limit)),
        replace(rule, grant_lifetime=min(limit, rule.grant_lifetime or limit)),
        replace(rule, renewable=False),
    ):
        after = terms_of(application, narrower, policy, NOW)
        assert after.access_token_expires <= before.access_token_expires
        assert after.expires <= before.expires
        assert after.renewable <= before.renewable


@given(application=STATED, policy=POLICIES)
def test_the_policy_speaks_only_where_the_application_does_not(application: Stated, policy: Policy) -> None:
    terms = terms_of(application, Stated(), policy, NOW)
    assert terms.access_token_lifetime == (application.access_token_lifetime or policy.access_token_lifetime)
    assert terms.renewable == (policy.renewable if application.renewable is None else application.renewable)
    if terms.renewable:
        assert terms.expires == NOW + (application.grant_lifetime or policy.grant_lifetime)
