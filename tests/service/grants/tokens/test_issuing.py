# SPDX-License-Identifier: Apache-2.0
"""Issuing tokens: to whom, for what, and for how long."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from sqlalchemy import update

from almoner.v1 import application_pb2, application_service_pb2, directory_pb2, directory_service_pb2, token_service_pb2
from service.applications.tables import ApplicationSecretRow
from service.clock import DAY, HOUR, MINUTE, SECOND
from service.storage.tables import table_of
from tests.running import as_user
from tests.service.grants.tokens.counter import EVERY_WAY, GrantType, bearer, duration, micros, reason_of, refused

if TYPE_CHECKING:
    from tests.service.grants.tokens.counter import Counter

T = token_service_pb2


def password(username: str, text: str) -> token_service_pb2.PasswordCredential:
    return T.PasswordCredential(username=username, password=text)


async def test_a_user_gets_an_access_token_and_a_refresh_token(counter: Counter) -> None:
    tokens = await counter.issue("b", "a", "a")

    for token in (tokens.access_token, tokens.refresh_token):
        assert len(token) == 24
        assert token.endswith("==")
        assert len(base64.b64decode(token, validate=True)) == 16
    assert tokens.access_token != tokens.refresh_token
    grant = tokens.grant
    assert (grant.user_id, grant.username) == (counter.user.id, counter.user.username)
    assert (grant.application_id, grant.application_number) == (counter.application.id, counter.application.number)
    assert list(grant.scopes) == ["a", "b"]
    assert grant.grant_type == GrantType.GRANT_TYPE_PASSWORD
    assert grant.renewable
    assert micros(grant.issue_time) == micros(grant.access_token_issue_time) == counter.time.now
    assert micros(tokens.access_token_lifetime) == 90 * DAY
    assert micros(grant.access_token_expire_time) == counter.time.now + 90 * DAY
    assert micros(grant.expire_time) == counter.time.now + 365 * DAY


async def test_the_access_token_is_a_credential_of_its_user_within_its_scopes(counter: Counter) -> None:
    tokens = await counter.issue("a")
    reply = await counter.almoner.directory.WhoAmI(
        directory_service_pb2.WhoAmIRequest(), metadata=bearer(tokens.access_token)
    )
    assert reply.user.id == counter.user.id


async def test_the_audit_trail_tells_of_it_without_a_secret(counter: Counter) -> None:
    tokens = await counter.issue("a", "b")

    [event] = await counter.events("grant.issue")
    assert (event.actor, event.subject) == (counter.user.username, "")
    assert event.resource == f"grants/{tokens.grant.id}"
    assert tokens.access_token not in event.changes
    assert tokens.refresh_token not in event.changes
    [changes] = await counter.changes("grant.issue")
    assert changes["scopes"] == [None, "a b"]
    assert changes["grant_type"] == [None, "PASSWORD"]


@pytest.mark.parametrize(
    ("scopes", "refused_scope"),
    [(("c",), "c"), (("a", "d"), "d"), (("d", "c"), "c"), (("A",), "A"), (("a:b",), "a:b")],
)
async def test_scopes_beyond_the_rule_or_the_application_are_refused_by_name(
    counter: Counter, scopes: tuple[str, ...], refused_scope: str
) -> None:
    refusal = await refused(counter.issue(*scopes))
    assert (refusal.code.name, refusal.reason) == ("PERMISSION_DENIED", "SCOPE_REFUSED")
    assert refusal.metadata == {"scope": refused_scope}
    assert await counter.events("grant.issue") == []


async def test_a_scope_that_the_application_lost_is_refused_though_the_rule_has_it(counter: Counter) -> None:
    await counter.change_application("allowed_scopes", allowed_scopes=["b"])
    assert (await refused(counter.issue("a"))).metadata == {"scope": "a"}


@pytest.mark.parametrize(
    ("scopes", "path"),
    [([], "scopes"), (["a b"], "scopes[0]"), (["a", " b"], "scopes[1]"), (["a", ""], "scopes[1]")],
)
async def test_what_is_no_set_of_scopes_is_bad_input(counter: Counter, scopes: list[str], path: str) -> None:
    request = T.IssueTokenRequest(client_id=counter.application.id, scopes=scopes, password=password("x", "x"))
    refusal = await refused(counter.tokens.IssueToken(request))
    assert (refusal.reason, refusal.fields) == ("INVALID_FIELD", [path])


async def test_a_user_without_a_rule_gets_nothing(counter: Counter) -> None:
    other = await counter.another_user()
    credential = password(other.username, f"password of {other.username}")
    refusal = await refused(counter.issue("a", password=credential))
    assert (refusal.code.name, refusal.reason) == ("PERMISSION_DENIED", "GRANT_REFUSED")


@pytest.mark.parametrize("change", ["locked", "disabled"])
async def test_a_user_who_may_not_log_in_gets_nothing(counter: Counter, change: str) -> None:
    await counter.change_user(change, **{change: True})
    assert await reason_of(counter.issue("a")) == "CREDENTIALS_INVALID"
    assert await reason_of(counter.issue_on_word("a")) == "CREDENTIALS_INVALID"


async def test_nor_does_one_whose_organization_is_disabled(counter: Counter) -> None:
    await counter.change_organization("disabled", disabled=True)
    assert await reason_of(counter.issue("a")) == "CREDENTIALS_INVALID"


async def test_nor_does_one_whose_password_has_expired(counter: Counter) -> None:
    expires = Timestamp(seconds=counter.time.now // SECOND + 60)
    await counter.change_user("password_expire_time", password_expire_time=expires)
    await counter.issue("a")
    counter.time.pass_by(MINUTE)
    assert await reason_of(counter.issue("a")) == "CREDENTIALS_INVALID"


async def test_a_wrong_password_and_an_unknown_user_are_answered_alike(counter: Counter) -> None:
    wrong = await refused(counter.issue("a", password=password(counter.user.username, "wrong")))
    unknown = await refused(counter.issue("a", password=password("nobody at all", "wrong")))
    assert wrong == unknown
    assert (wrong.code.name, wrong.reason) == ("UNAUTHENTICATED", "CREDENTIALS_INVALID")


async def test_stale_credentials_in_the_metadata_do_not_matter(counter: Counter) -> None:
    assert await counter.issue("a", metadata=bearer("stale"))


# Clients.


async def test_an_unknown_client_is_refused(counter: Counter) -> None:
    refusal = await refused(counter.issue("a", client_id="no such"))
    assert (refusal.code.name, refusal.reason) == ("UNAUTHENTICATED", "CLIENT_INVALID")


async def test_a_provider_registration_is_no_client(counter: Counter) -> None:
    request = application_service_pb2.CreateApplicationRequest(
        application=application_pb2.Application(
            name="P",
            organization_id=counter.organization.id,
            provider=application_pb2.ProviderRegistration(provider="p", client_id="c", client_secret="s"),
        )
    )
    made = await counter.applications.CreateApplication(request, metadata=counter.by_admin)
    assert await reason_of(counter.issue("a", client_id=made.application.id)) == "CLIENT_INVALID"


async def test_a_generated_secret_must_be_shown(counter: Counter) -> None:
    application, secret = await counter.another_application(public=False)
    await counter.allow(application)
    for wrong in ("", "wrong", secret + "x"):
        assert await reason_of(counter.issue("a", client_id=application.id, client_secret=wrong)) == "CLIENT_INVALID"
    tokens = await counter.issue("a", client_id=application.id, client_secret=secret)
    assert await reason_of(counter.refresh(tokens.refresh_token, client_id=application.id)) == "CLIENT_INVALID"
    assert await counter.refresh(tokens.refresh_token, client_id=application.id, client_secret=secret)


async def test_a_chosen_secret_must_be_shown(counter: Counter) -> None:
    application, generated = await counter.another_application(public=False, client_secret="chosen by hand")
    await counter.allow(application)
    assert generated == ""
    for wrong in ("", "chosen by Hand"):
        assert await reason_of(counter.issue("a", client_id=application.id, client_secret=wrong)) == "CLIENT_INVALID"
    assert await counter.issue("a", client_id=application.id, client_secret="chosen by hand")


async def test_an_expired_secret_is_none_and_makes_no_public_client(counter: Counter) -> None:
    application, secret = await counter.another_application(public=False)
    await counter.allow(application)
    secrets = table_of(ApplicationSecretRow)
    expire = update(secrets).where(secrets.c.application_number == application.number)
    await counter.almoner.service.store.write(lambda tx: tx.execute(expire.values(expires=counter.time.now)))
    for shown in (secret, ""):
        assert await reason_of(counter.issue("a", client_id=application.id, client_secret=shown)) == "CLIENT_INVALID"


async def test_an_application_of_the_first_organization_serves_everybody(counter: Counter) -> None:
    first = await counter.almoner.directory.GetOrganization(
        directory_service_pb2.GetOrganizationRequest(number=1), metadata=counter.by_admin
    )
    application, _ = await counter.another_application(organization_id=first.organization.id)
    await counter.allow(application)
    assert (await counter.issue("a", client_id=application.id)).grant.username == counter.user.username


# Ways.


async def test_the_application_must_allow_the_grant_type(counter: Counter) -> None:
    others = [way for way in EVERY_WAY if way != GrantType.GRANT_TYPE_PASSWORD]
    await counter.change_application("grant_types", grant_types=others)
    refusal = await refused(counter.issue("a"))
    assert (refusal.code.name, refusal.reason) == ("FAILED_PRECONDITION", "GRANT_TYPE_REFUSED")
    assert refusal.metadata == {"grant_type": "PASSWORD"}


async def test_and_so_must_the_policy_of_its_organization(counter: Counter) -> None:
    await counter.change_policy("refused_grant_types", refused_grant_types=[GrantType.GRANT_TYPE_PASSWORD])
    assert await reason_of(counter.issue("a")) == "GRANT_TYPE_REFUSED"
    # Whether the password fits is not even looked at.
    wrong = password(counter.user.username, "wrong")
    assert await reason_of(counter.issue("a", password=wrong)) == "GRANT_TYPE_REFUSED"


# Terms.


async def test_the_application_decides_how_long(counter: Counter) -> None:
    await counter.change_application(
        "access_token_lifetime", "grant_lifetime",
        access_token_lifetime=duration(HOUR), grant_lifetime=duration(DAY),
    )  # fmt: skip
    grant = (await counter.issue()).grant
    assert micros(grant.access_token_expire_time) == counter.time.now + HOUR
    assert micros(grant.expire_time) == counter.time.now + DAY


async def test_the_policy_decides_where_the_application_does_not(counter: Counter) -> None:
    await counter.change_policy(
        "access_token_lifetime", "grant_lifetime", "renewable",
        access_token_lifetime=duration(2 * HOUR), grant_lifetime=duration(DAY), renewable=False,
    )  # fmt: skip
    tokens = await counter.issue()
    assert tokens.refresh_token == ""
    assert not tokens.grant.renewable
    assert (
        micros(tokens.grant.access_token_expire_time) == micros(tokens.grant.expire_time) == counter.time.now + 2 * HOUR
    )


async def test_the_rule_narrows(counter: Counter) -> None:
    await counter.change_rule(
        "access_token_lifetime", "grant_lifetime",
        access_token_lifetime=duration(MINUTE), grant_lifetime=duration(HOUR),
    )  # fmt: skip
    grant = (await counter.issue()).grant
    assert micros(grant.access_token_expire_time) == counter.time.now + MINUTE
    assert micros(grant.expire_time) == counter.time.now + HOUR


async def test_the_rule_can_forbid_renewal_but_not_allow_it(counter: Counter) -> None:
    await counter.change_rule("renewable", renewable=False)
    assert (await counter.issue()).refresh_token == ""
    await counter.change_application("renewable", renewable=False)
    await counter.change_rule("renewable", renewable=True)
    assert (await counter.issue()).refresh_token == ""


async def test_no_access_token_outlives_its_grant(counter: Counter) -> None:
    await counter.change_application("grant_lifetime", grant_lifetime=duration(HOUR))
    grant = (await counter.issue()).grant
    assert micros(grant.access_token_expire_time) == micros(grant.expire_time) == counter.time.now + HOUR


# On somebody's word.


async def test_a_caller_who_may_issue_vouches_for_a_user(counter: Counter) -> None:
    tokens = await counter.issue_on_word("a")
    assert tokens.grant.user_id == counter.user.id
    assert tokens.grant.grant_type == GrantType.GRANT_TYPE_CLIENT_CREDENTIALS
    [event] = await counter.events("grant.issue")
    assert (event.actor, event.subject) == ("admin", counter.user.username)


async def test_without_credentials_nobody_vouches(counter: Counter) -> None:
    request = T.IssueTokenRequest(client_id=counter.application.id, scopes=["a"], user_id=counter.user.id)
    assert await reason_of(counter.tokens.IssueToken(request)) == "CREDENTIALS_MISSING"


async def test_it_takes_the_permission_for_the_application(counter: Counter) -> None:
    assert await reason_of(counter.issue_on_word("a", by=counter.by_user)) == "PERMISSION_MISSING"
    issuer = await counter.another_user(permissions=[directory_pb2.PERMISSION_TOKENS_ISSUE])
    by = counter.almoner.as_(issuer.username)
    assert (await counter.issue_on_word("a", by=by)).grant.username == counter.user.username


async def test_nobody_vouches_for_those_who_hold_more(counter: Counter) -> None:
    issuer = await counter.another_user(permissions=[directory_pb2.PERMISSION_TOKENS_ISSUE])
    chief = await counter.another_user(permissions=[directory_pb2.PERMISSION_ADMINISTRATOR])
    by = counter.almoner.as_(issuer.username)
    application, _ = await counter.another_application(allowed_scopes=["admin", "certificate:manage"])
    await counter.allow(application, chief, allowed_scopes=["admin", "certificate:manage"])

    async def vouch(scope: str) -> Any:
        return await counter.issue_on_word(scope, by=by, user_id=chief.id, client_id=application.id)

    assert await reason_of(vouch("admin")) == "PERMISSION_ESCALATION"
    # A token that is good for nothing here is worth no more than what the issuer holds.
    assert (await vouch("certificate:manage")).grant.user_id == chief.id


async def test_nobody_gets_beyond_their_own_scopes_by_vouching_for_themselves(counter: Counter) -> None:
    chief = await counter.another_user(permissions=[directory_pb2.PERMISSION_ADMINISTRATOR])
    await counter.change_application("allowed_scopes", allowed_scopes=["a", "admin", "profiles"])
    await counter.allow(None, chief, allowed_scopes=["a", "admin", "profiles"])
    credential = password(chief.username, f"password of {chief.username}")
    limited = await counter.issue("profiles", password=credential)
    by = bearer(limited.access_token)
    assert await reason_of(counter.issue_on_word("admin", by=by, user_id=chief.id)) == "PERMISSION_MISSING"


@pytest.mark.parametrize("user_id", [999_999, 2**63 - 1])
async def test_a_user_who_does_not_exist_has_no_rule(counter: Counter, user_id: int) -> None:
    assert await reason_of(counter.issue_on_word("a", user_id=user_id)) == "GRANT_REFUSED"


async def test_a_stranger_with_a_valid_login_cannot_vouch_elsewhere(counter: Counter) -> None:
    elsewhere = await counter.almoner.organization("elsewhere")
    foreign = await counter.another_user(elsewhere.id, permissions=[directory_pb2.PERMISSION_ADMINISTRATOR])
    by = as_user(foreign.username, f"password of {foreign.username}")
    assert await reason_of(counter.issue_on_word("a", by=by)) == "PERMISSION_MISSING"
