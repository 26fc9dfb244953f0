# SPDX-License-Identifier: Apache-2.0
"""Applications, rules, grants and the clock do what a model of a few dictionaries does, through gRPC and through REST.

Hypothesis makes up the calls, and for each of them the way: one service has both hands on it, the stubs and the Venafi
dialect. After every call both hands list the same applications and rules and count the same grants as the model.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.field_mask_pb2 import FieldMask
from grpc.aio import AioRpcError
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from typing_extensions import override

from almoner.v1 import application_service_pb2 as a
from almoner.v1 import grant_service_pb2 as g
from almoner.v1 import token_service_pb2 as t
from almoner.v1.application_pb2 import Application, ClientApplication, GrantType
from almoner.v1.application_service_pb2_grpc import ApplicationServiceStub
from almoner.v1.grant_pb2 import AccessRule, AccessRulePair
from almoner.v1.grant_service_pb2_grpc import GrantServiceStub
from almoner.v1.token_service_pb2_grpc import TokenServiceStub
from gateway.dialects.venafi.identities import prefixed_universal
from service.clock import DAY, HOUR, SECOND
from tests.refusals import read_refusal
from tests.rest import ADMIN, Rest, gateway_over
from tests.running import running
from tests.service.grants.tokens.counter import Time
from tests.vedauth import AUTHORIZE, REVOKE, VERIFY
from tests.venafi import OAUTH

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterator
    from pathlib import Path

    from tests.databases import SqliteTemplate
    from tests.running import Almoner

PASSWORD = "a password for the model"
POLICY_ACCESS, POLICY_GRANT = 90 * DAY, 365 * DAY
GRANT_TYPES = [number for number in GrantType.values() if number]

# What differs only in words between the two ways.
REFUSED = "REFUSED"
TOKEN_INVALID = "TOKEN_INVALID"


@dataclass(frozen=True)
class Terms:
    """What an application or a rule allows; 0 and None are unset. Lifetimes are seconds."""

    scopes: frozenset[str]
    access: int = 0
    grant: int = 0
    renewable: bool | None = None


class Tokens(NamedTuple):
    access: str
    refresh: str


@dataclass
class ModelGrant:
    application: str
    user: int
    scopes: frozenset[str]
    tokens: Tokens
    lifetime: int
    access_expires: int
    expires: int
    used: list[str] = field(default_factory=list)
    revoked: bool = False


class No(Exception):
    """A refusal, by its reason."""


@dataclass
class Model:
    """What the service should hold, and what it should refuse."""

    time: Time
    applications: dict[str, Terms] = field(default_factory=dict)
    rules: dict[tuple[str, int], Terms] = field(default_factory=dict)
    grants: list[ModelGrant] = field(default_factory=list)

    def live(self, application: str) -> list[ModelGrant]:
        now = self.time()
        return [
            grant
            for grant in self.grants
            if grant.application == application and not grant.revoked and grant.expires > now
        ]

    def require_allowed(self, application: str, user: int, scopes: frozenset[str]) -> Terms:
        """Returns how long and whether a grant may be renewed, by application and rule together."""
        of_application, of_rule = self.applications[application], self.rules.get((application, user))
        if of_rule is None or not scopes <= of_application.scopes & of_rule.scopes:
            raise No(REFUSED)
        access = of_application.access * SECOND or POLICY_ACCESS
        grant = of_application.grant * SECOND or POLICY_GRANT
        return Terms(
            scopes,
            min(access, of_rule.access * SECOND or access),
            min(grant, of_rule.grant * SECOND or grant),
            renewable=of_application.renewable is not False and of_rule.renewable is not False,
        )

    def issue(self, application: str, user: int, scopes: frozenset[str]) -> ModelGrant:
        if application not in self.applications:
            raise No("CLIENT_INVALID")
        terms = self.require_allowed(application, user, scopes)
        now = self.time()
        access_expires = now + min(terms.access, terms.grant)
        expires = now + terms.grant if terms.renewable else access_expires
        tokens = Tokens("", "some" if terms.renewable else "")
        return ModelGrant(application, user, scopes, tokens, terms.access, access_expires, expires)

    def refresh(self, application: str, token: str) -> ModelGrant:
        if application not in self.applications:
            raise No("CLIENT_INVALID")
        now = self.time()
        for grant in self.grants:
            live = grant.application == application and grant.expires > now
            if grant.tokens.refresh == token:
                if not live or grant.revoked:
                    raise No(TOKEN_INVALID)
                self.require_allowed(application, grant.user, grant.scopes)
                return grant
            if token in grant.used:
                if not live:
                    raise No(TOKEN_INVALID)
                grant.revoked = True
                raise No("REFRESH_TOKEN_REUSED")
        raise No(TOKEN_INVALID)

    def renew(self, grant: ModelGrant, tokens: Tokens) -> None:
        grant.used.append(grant.tokens.refresh)
        grant.tokens = tokens
        grant.access_expires = min(self.time() + grant.lifetime, grant.expires)

    def verify(self, token: str) -> ModelGrant:
        for grant in self.grants:
            if grant.tokens.access == token and not grant.revoked and grant.access_expires > self.time():
                return grant
        raise No(TOKEN_INVALID)

    def delete_application(self, application: str) -> None:
        if application not in self.applications:
            raise No("APPLICATION_NOT_FOUND")
        del self.applications[application]
        self.rules = {pair: terms for pair, terms in self.rules.items() if pair[0] != application}
        self.grants = [grant for grant in self.grants if grant.application != application]


class Hand(ABC):
    """One way to call the service. A refusal is raised as `No`."""

    @abstractmethod
    async def put_application(self, name: str, terms: Terms, *, new: bool) -> None: ...

    @abstractmethod
    async def delete_application(self, name: str) -> None: ...

    @abstractmethod
    async def put_rule(self, name: str, user: int, terms: Terms, *, new: bool) -> None: ...

    @abstractmethod
    async def delete_rule(self, name: str, user: int) -> None: ...

    @abstractmethod
    async def issue(self, name: str, user: int, scopes: frozenset[str]) -> tuple[Tokens, int]:
        """Returns the tokens, and the seconds that the access token has."""

    @abstractmethod
    async def refresh(self, name: str, token: str) -> tuple[Tokens, int]: ...

    @abstractmethod
    async def verify(self, token: str) -> tuple[str, int, frozenset[str]]:
        """Returns application, user and scopes of an access token."""

    @abstractmethod
    async def revoke(self, token: str) -> None: ...

    @abstractmethod
    async def revoke_all(self, name: str) -> None: ...

    @abstractmethod
    async def applications(self) -> dict[str, Terms]: ...

    @abstractmethod
    async def rules(self) -> dict[tuple[str, int], Terms]: ...

    @abstractmethod
    async def count(self, name: str) -> int: ...


def _lifetime(seconds: int) -> Duration | None:
    return Duration(seconds=seconds) if seconds else None


class Stubs(Hand):
    """Over gRPC."""

    def __init__(self, almoner: Almoner) -> None:
        self._by = almoner.as_admin_token
        self._applications: Any = almoner.stub(ApplicationServiceStub)
        self._grants: Any = almoner.stub(GrantServiceStub)
        self._tokens: Any = almoner.stub(TokenServiceStub)

    async def _send(self, method: Any, message: Any) -> Any:
        try:
            return await method(message, metadata=self._by)
        except AioRpcError as error:
            reason = read_refusal(error).reason
            raise No(REFUSED if reason in {"GRANT_REFUSED", "SCOPE_REFUSED"} else reason) from None

    @override
    async def put_application(self, name: str, terms: Terms, *, new: bool) -> None:
        client = ClientApplication(
            allowed_scopes=sorted(terms.scopes),
            access_token_lifetime=_lifetime(terms.access),
            grant_lifetime=_lifetime(terms.grant),
            renewable=terms.renewable,
            grant_types=GRANT_TYPES,
        )
        application = Application(id=name, name=name, client=client)
        if new:
            request = a.CreateApplicationRequest(application=application, public=True)
            await self._send(self._applications.CreateApplication, request)
        else:
            change = a.UpdateApplicationRequest(application=application, update_mask=FieldMask(paths=["client"]))
            await self._send(self._applications.UpdateApplication, change)

    @override
    async def delete_application(self, name: str) -> None:
        await self._send(self._applications.DeleteApplication, a.DeleteApplicationRequest(id=name))

    @override
    async def put_rule(self, name: str, user: int, terms: Terms, *, new: bool) -> None:
        access_rule = AccessRule(
            application_id=name,
            user_id=user,
            allowed_scopes=sorted(terms.scopes),
            access_token_lifetime=_lifetime(terms.access),
            grant_lifetime=_lifetime(terms.grant),
            renewable=terms.renewable,
        )
        if new:
            await self._send(self._grants.CreateAccessRule, g.CreateAccessRuleRequest(access_rule=access_rule))
        else:
            change = g.UpdateAccessRuleRequest(access_rule=access_rule, update_mask=FieldMask(paths=["*"]))
            await self._send(self._grants.UpdateAccessRule, change)

    @override
    async def delete_rule(self, name: str, user: int) -> None:
        pair = AccessRulePair(application_id=name, user_id=user)
        await self._send(self._grants.DeleteAccessRule, g.DeleteAccessRuleRequest(pair=pair))

    @override
    async def issue(self, name: str, user: int, scopes: frozenset[str]) -> tuple[Tokens, int]:
        request = t.IssueTokenRequest(client_id=name, user_id=user, scopes=sorted(scopes))
        return _told((await self._send(self._tokens.IssueToken, request)).tokens)

    @override
    async def refresh(self, name: str, token: str) -> tuple[Tokens, int]:
        request = t.RefreshTokenRequest(client_id=name, refresh_token=token)
        return _told((await self._send(self._tokens.RefreshToken, request)).tokens)

    @override
    async def verify(self, token: str) -> tuple[str, int, frozenset[str]]:
        grant = (await self._send(self._tokens.VerifyToken, t.VerifyTokenRequest(access_token=token))).grant
        return grant.application_id, grant.user_id, frozenset(grant.scopes)

    @override
    async def revoke(self, token: str) -> None:
        await self._send(self._tokens.RevokeToken, t.RevokeTokenRequest(token=token))

    @override
    async def revoke_all(self, name: str) -> None:
        await self._send(self._grants.RevokeGrants, g.RevokeGrantsRequest(application_id=name))

    @override
    async def applications(self) -> dict[str, Terms]:
        request = a.ListApplicationsRequest(filter='kind = client AND id != "almoner"')
        found = await self._send(self._applications.ListApplications, request)
        return {each.id: _terms(each.client) for each in found.applications}

    @override
    async def rules(self) -> dict[tuple[str, int], Terms]:
        request = g.ListAccessRulesRequest(filter='application_id != "almoner"')
        found = await self._send(self._grants.ListAccessRules, request)
        return {(each.application_id, each.user_id): _terms(each) for each in found.access_rules}

    @override
    async def count(self, name: str) -> int:
        return int((await self._send(self._grants.CountGrants, g.CountGrantsRequest(application_id=name))).grants)


def _told(tokens: t.IssuedTokens) -> tuple[Tokens, int]:
    return Tokens(tokens.access_token, tokens.refresh_token), tokens.access_token_lifetime.seconds


def _terms(message: Any) -> Terms:
    return Terms(
        frozenset(message.allowed_scopes),
        message.access_token_lifetime.seconds,
        message.grant_lifetime.seconds,
        message.renewable if message.HasField("renewable") else None,
    )


class Dialect(Hand):
    """Over REST, as a client of the vendor's does."""

    RESULTS = {2: "APPLICATION_NOT_FOUND", 4: "ACCESS_RULE_NOT_FOUND", 6: "ALREADY_EXISTS"}  # noqa: RUF012
    ERRORS = {"invalid_client": "CLIENT_INVALID", "invalid_grant": TOKEN_INVALID, "invalid_token": TOKEN_INVALID}  # noqa: RUF012

    def __init__(self, rest: Rest, usernames: dict[int, str]) -> None:
        self._rest = rest
        self._usernames = usernames
        self._ids = {prefixed_universal(user): user for user in usernames}

    async def _send(self, name: str, body: Any) -> Any:
        answer = await self._rest.post(f"{OAUTH}/{name}", body)
        assert answer.status == 200, answer
        reply = answer.json()
        if reply["Result"]:
            raise No(self.RESULTS[reply["Result"]])
        return reply

    async def _ask(self, method: str, path: str, body: Any = None, token: str = "") -> Any:
        options: Any = {} if body is None else {"json": body}
        answer = await self._rest.send(method, path, by=f"Bearer {token}" if token else ADMIN, **options)
        if answer.status == 403:
            raise No(REFUSED)
        if answer.status == 202:
            raise No(TOKEN_INVALID)
        reply = answer.json()
        if answer.status == 200:
            return reply
        raise No("REFRESH_TOKEN_REUSED" if "used before" in str(reply) else self.ERRORS[reply["error"]])

    @override
    async def put_application(self, name: str, terms: Terms, *, new: bool) -> None:
        body = {"Name": name, "Scope": "s", "Vendor": "v", "Description": "d", "Url": "u", **_body(terms)}
        if new:
            await self._send("CreateApplication", {"ApplicationId": name, **body})
        else:
            await self._send("UpdateApplication", {"Application": {"ID": name, **body}})

    @override
    async def delete_application(self, name: str) -> None:
        await self._send("DeleteApplication", {"ApplicationId": name})

    @override
    async def put_rule(self, name: str, user: int, terms: Terms, *, new: bool) -> None:
        body = {**_pair(name, user), **_body(terms)}
        await self._send("CreateRule" if new else "UpdateRule", body if new else {"Rule": body})

    @override
    async def delete_rule(self, name: str, user: int) -> None:
        await self._send("DeleteRule", _pair(name, user))

    @override
    async def issue(self, name: str, user: int, scopes: frozenset[str]) -> tuple[Tokens, int]:
        body = {"client_id": name, "username": self._usernames[user], "password": PASSWORD, "scope": _text(scopes)}
        return _read(await self._ask("POST", f"{AUTHORIZE}/oauth", body))

    @override
    async def refresh(self, name: str, token: str) -> tuple[Tokens, int]:
        return _read(await self._ask("POST", f"{AUTHORIZE}/token", {"client_id": name, "refresh_token": token}))

    @override
    async def verify(self, token: str) -> tuple[str, int, frozenset[str]]:
        reply = await self._ask("GET", VERIFY, token=token)
        return reply["application"], self._ids[reply["identity"]], frozenset(reply["scope"].split(";"))

    @override
    async def revoke(self, token: str) -> None:
        await self._ask("GET", REVOKE, token=token)

    @override
    async def revoke_all(self, name: str) -> None:
        await self._send("RevokeGrants", {"ApplicationId": name})

    @override
    async def applications(self) -> dict[str, Terms]:
        found = (await self._send("EnumerateApplications", {"Start": 0, "Count": 100}))["Applications"]
        return {each["ID"]: _terms_of(each) for each in found if each["ID"] != "almoner"}

    @override
    async def rules(self) -> dict[tuple[str, int], Terms]:
        rules = [each for user in self._usernames for each in await self._rules_of(user)]
        return {(each["ApplicationId"], self._ids[each["TrusteePrefixedUniversal"]]): _terms_of(each) for each in rules}

    async def _rules_of(self, user: int) -> Any:
        return (await self._send("GetRules", {"TrusteePrefixedUniversal": prefixed_universal(user)}))["Rules"]

    @override
    async def count(self, name: str) -> int:
        return int((await self._send("GrantCount", {"ApplicationId": name}))["Count"])


def _text(scopes: frozenset[str]) -> str:
    return ";".join(sorted(scopes))


def _body(terms: Terms) -> dict[str, Any]:
    body = {"MaximumScope": _text(terms.scopes), "AccessValidity": terms.access, "GrantValidity": terms.grant}
    unset = {**body, "Renewable": terms.renewable}
    return {name: value for name, value in unset.items() if value is not None and (value != 0 or value is False)}


def _pair(name: str, user: int) -> dict[str, str]:
    return {"ApplicationId": name, "TrusteePrefixedUniversal": prefixed_universal(user)}


def _read(reply: Any) -> tuple[Tokens, int]:
    return Tokens(reply["access_token"], reply.get("refresh_token", "")), reply["expires_in"]


def _terms_of(found: Any) -> Terms:
    return Terms(
        frozenset(found["MaximumScope"].split(";")),
        found.get("AccessValidity", 0),
        found.get("GrantValidity", 0),
        found.get("Renewable"),
    )


names = st.sampled_from(["first", "second", "third"])
people = st.integers(0, 1)
hands = st.integers(0, 1)
picks = st.integers(0, 30)
seldom = st.sampled_from([False] * 9 + [True])
scopes = st.sampled_from(
    [frozenset(each.split()) for each in ("certificate", "ssh", "certificate ssh", "certificate ssh security")]
)
lifetimes = st.sampled_from([0, 0, 60, 3_600, 86_400])
terms = st.builds(
    Terms, scopes=scopes, access=lifetimes, grant=lifetimes, renewable=st.sampled_from([None, None, True, False])
)


class Company(RuleBasedStateMachine):
    """The calls."""

    def __init__(self, runner: asyncio.Runner, hands_: tuple[Hand, ...], users: list[int], time: Time) -> None:
        super().__init__()
        self.runner = runner
        self.hands = hands_
        self.users = users
        self.model = Model(time)

    def answers(self, call: Coroutine[Any, Any, Any], expected: Any) -> Any:
        """Holds a call to what the model says of it, and returns what both say."""
        try:
            wanted, refusal = expected(), ""
        except No as no:
            wanted, refusal = None, str(no)
        try:
            got, refused = self.runner.run(call), ""
        except No as no:
            got, refused = None, str(no)
        assert refused == refusal
        return None if refused else (wanted, got)

    @override
    def teardown(self) -> None:
        for name in list(self.model.applications):
            self.runner.run(self.hands[0].delete_application(name))

    @initialize(names=st.sets(names, min_size=1), hand=hands, of_application=terms, of_rule=terms)
    def begin(self, names: set[str], hand: int, of_application: Terms, of_rule: Terms) -> None:
        """Begins with what it takes to issue something."""
        for name in sorted(names):
            self.create_application(hand, name, of_application)
            self.create_rule(1 - hand, name, 0, of_rule)

    @rule(hand=hands, name=names, wanted=terms)
    def create_application(self, hand: int, name: str, wanted: Terms) -> None:
        def expected() -> None:
            if name in self.model.applications:
                raise No("ALREADY_EXISTS")

        if self.answers(self.hands[hand].put_application(name, wanted, new=True), expected):
            self.model.applications[name] = wanted

    @rule(hand=hands, name=names, wanted=terms)
    def update_application(self, hand: int, name: str, wanted: Terms) -> None:
        def expected() -> None:
            if name not in self.model.applications:
                raise No("APPLICATION_NOT_FOUND")

        if self.answers(self.hands[hand].put_application(name, wanted, new=False), expected):
            self.model.applications[name] = wanted

    @rule(hand=hands, name=names, really=seldom)
    def delete_application(self, hand: int, name: str, *, really: bool) -> None:
        # Mostly of what is not there: whatever hangs on an application would have no time to grow.
        if name not in self.model.applications or really:
            self.answers(self.hands[hand].delete_application(name), lambda: self.model.delete_application(name))

    @rule(hand=hands, name=names, who=people, wanted=terms)
    def create_rule(self, hand: int, name: str, who: int, wanted: Terms) -> None:
        pair = (name, self.users[who])

        def expected() -> None:
            if name not in self.model.applications:
                raise No("APPLICATION_NOT_FOUND")
            if pair in self.model.rules:
                raise No("ALREADY_EXISTS")

        if self.answers(self.hands[hand].put_rule(*pair, wanted, new=True), expected):
            self.model.rules[pair] = wanted

    @rule(hand=hands, name=names, who=people, wanted=terms)
    def update_rule(self, hand: int, name: str, who: int, wanted: Terms) -> None:
        pair = (name, self.users[who])
        if name in self.model.applications and self.answers(
            self.hands[hand].put_rule(*pair, wanted, new=False), lambda: self.require_rule(pair)
        ):
            self.model.rules[pair] = wanted

    @rule(hand=hands, name=names, who=people)
    def delete_rule(self, hand: int, name: str, who: int) -> None:
        pair = (name, self.users[who])
        if name in self.model.applications and self.answers(
            self.hands[hand].delete_rule(*pair), lambda: self.require_rule(pair)
        ):
            del self.model.rules[pair]

    def require_rule(self, pair: tuple[str, int]) -> None:
        if pair not in self.model.rules:
            raise No("ACCESS_RULE_NOT_FOUND")

    # Two rules each, so that they come often: most others need grants.

    @rule(rest=seldom, name=names, who=people, wanted=scopes)
    def issue(self, *, rest: bool, name: str, who: int, wanted: frozenset[str]) -> None:
        user = self.users[who]
        # Seldom over REST, because a password is checked at length.
        hand = self.hands[rest]
        made = self.answers(hand.issue(name, user, wanted), lambda: self.model.issue(name, user, wanted))
        if made:
            grant, (tokens, seconds) = made
            assert bool(tokens.refresh) == bool(grant.tokens.refresh)
            assert seconds == (grant.access_expires - self.model.time()) // SECOND
            self.model.grants.append(replace(grant, tokens=tokens))

    @precondition(lambda self: self.model.rules)
    @rule(pick=picks)
    def issue_what_is_allowed(self, pick: int) -> None:
        (name, user), of_rule = list(self.model.rules.items())[pick % len(self.model.rules)]
        wanted = of_rule.scopes & self.model.applications[name].scopes
        if wanted:
            self.issue(rest=False, name=name, who=self.users.index(user), wanted=wanted)

    @precondition(lambda self: self.model.grants)
    @rule(hand=hands, pick=picks)
    def refresh_what_is_current(self, hand: int, pick: int) -> None:
        self.refresh(hand=hand, pick=pick, replay=False, of_other=False, name="")

    @precondition(lambda self: self.model.grants)
    @rule(hand=hands, pick=picks, replay=seldom, of_other=seldom, name=names)
    def refresh(self, *, hand: int, pick: int, replay: bool, of_other: bool, name: str) -> None:
        grant = self.model.grants[-1 - pick % len(self.model.grants)]
        token = grant.used[pick % len(grant.used)] if grant.used and replay else grant.tokens.refresh
        if not token:
            return
        client = name if of_other else grant.application
        made = self.answers(self.hands[hand].refresh(client, token), lambda: self.model.refresh(client, token))
        if made:
            renewed, (tokens, seconds) = made
            self.model.renew(renewed, tokens)
            assert seconds == (renewed.access_expires - self.model.time()) // SECOND

    @precondition(lambda self: self.model.grants)
    @rule(hand=hands, pick=picks)
    def revoke(self, hand: int, pick: int) -> None:
        token = self.model.grants[pick % len(self.model.grants)].tokens.access
        made = self.answers(self.hands[hand].revoke(token), lambda: self.model.verify(token))
        if made:
            made[0].revoked = True

    @rule(hand=hands, name=names, really=seldom)
    def revoke_all(self, hand: int, name: str, *, really: bool) -> None:
        if really and name in self.model.applications:
            self.runner.run(self.hands[hand].revoke_all(name))
            for grant in self.model.live(name):
                grant.revoked = True

    @rule(by=st.sampled_from([1, SECOND, 61 * SECOND, HOUR, DAY, 100 * DAY]))
    def let_time_pass(self, by: int) -> None:
        self.model.time.pass_by(by)

    @precondition(lambda self: self.model.grants)
    @rule(pick=picks, short=st.booleans(), of_grant=st.booleans())
    def let_something_expire(self, pick: int, *, short: bool, of_grant: bool) -> None:
        """Goes to the very moment at which a token expires, or to the one before."""
        grant = self.model.grants[pick % len(self.model.grants)]
        by = (grant.expires if of_grant else grant.access_expires) - short - self.model.time()
        if by > 0:
            self.model.time.pass_by(by)

    @invariant()
    def both_hands_find_what_the_model_has(self) -> None:
        for hand in self.hands:
            assert self.runner.run(hand.applications()) == self.model.applications
            assert self.runner.run(hand.rules()) == self.model.rules
            for name in self.model.applications:
                assert self.runner.run(hand.count(name)) == len(self.model.live(name))

    @invariant()
    def both_hands_verify_what_the_model_does(self) -> None:
        for grant in self.model.grants[-4:]:
            token = grant.tokens.access
            for hand in self.hands:
                verified = self.answers(hand.verify(token), lambda token=token: self.model.verify(token))
                assert verified is None or verified[1] == (grant.application, grant.user, grant.scopes)


@pytest.fixture
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


@pytest.mark.timeout(180)
def test_grants_are_what_the_model_says_over_grpc_and_over_rest(
    sqlite_template: SqliteTemplate, tmp_path: Path, runner: asyncio.Runner
) -> None:
    time = Time()
    service = running(sqlite_template, tmp_path, clock=time)
    almoner = runner.run(service.__aenter__())
    made = [runner.run(almoner.user(f"user {number}", PASSWORD)) for number in range(2)]
    gateway = gateway_over(almoner)
    rest = runner.run(gateway.__aenter__())
    hands_ = (Stubs(almoner), Dialect(rest, {user.id: user.username for user in made}))
    try:
        run_state_machine_as_test(
            cast("Any", lambda: Company(runner, hands_, [user.id for user in made], time)),
            settings=settings(
                max_examples=15, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
            ),
        )
    finally:
        runner.run(gateway.__aexit__(None, None, None))
        runner.run(service.__aexit__(None, None, None))
