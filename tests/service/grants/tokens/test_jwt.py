# SPDX-License-Identifier: Apache-2.0
"""Tokens for a JWT of an issuer that a mapping names (RFC 7523)."""

from __future__ import annotations

import asyncio
import base64
import gzip
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from joserfc import jwk

from almoner.v1 import directory_pb2, directory_service_pb2
from service.clock import MINUTE, SECOND
from service.grants import issuers
from tests.running import running
from tests.service.grants.tokens.counter import GrantType, Time, open_counter, reason_of, refused
from tests.service.grants.tokens.issuer import DISCOVERY, JWKS, Issuer, claims, map_to, new_key, serving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.databases import SqliteTemplate
    from tests.service.grants.tokens.counter import Counter


@pytest.fixture
async def issuer() -> AsyncIterator[Issuer]:
    async with serving() as issuer:
        yield issuer


async def issue(counter: Counter, text: str) -> Any:
    return await counter.issue("a", jwt=text)


async def test_a_jwt_stands_for_the_user_of_its_mapping(counter: Counter, issuer: Issuer) -> None:
    await map_to(counter, issuer)
    tokens = await issue(counter, issuer.sign(claims(counter, issuer)))
    assert tokens.grant.user_id == counter.user.id
    assert tokens.grant.grant_type == GrantType.GRANT_TYPE_JWT_BEARER
    assert await counter.is_good(tokens.access_token)


async def test_or_for_the_user_whom_it_names(counter: Counter, issuer: Issuer) -> None:
    await map_to(counter, issuer, user_id=0)
    tokens = await issue(counter, issuer.sign(claims(counter, issuer, sub=counter.user.username)))
    assert tokens.grant.user_id == counter.user.id
    for sub in ("nobody at all", "admin", "a" * 2048):
        assert await reason_of(issue(counter, issuer.sign(claims(counter, issuer, sub=sub)))) == "CREDENTIALS_INVALID"


async def test_but_not_for_one_who_holds_something_elsewhere(counter: Counter, issuer: Issuer) -> None:
    # An administrator of an organization could otherwise become one of the server.
    await map_to(counter, issuer, user_id=0)
    binding = directory_pb2.RoleBinding(user_id=counter.user.id, role_id=1, server=True)
    request = directory_service_pb2.CreateRoleBindingRequest(role_binding=binding)
    await counter.almoner.directory.CreateRoleBinding(request, metadata=counter.almoner.as_admin)
    signed = issuer.sign(claims(counter, issuer, sub=counter.user.username))
    assert await reason_of(issue(counter, signed)) == "CREDENTIALS_INVALID"


@pytest.mark.parametrize(
    ("kind", "size", "alg"),
    [
        ("RSA", 2048, "RS256"),
        ("RSA", 2048, "PS512"),
        ("EC", "P-256", "ES256"),
        ("EC", "P-384", "ES384"),
        ("EC", "P-521", "ES512"),
        ("OKP", "Ed25519", "EdDSA"),
        ("OKP", "Ed25519", "Ed25519"),
    ],
)
async def test_every_public_key_algorithm_is_taken(
    counter: Counter, issuer: Issuer, kind: str, size: Any, alg: str
) -> None:
    issuer.keys = [new_key("k", kind, size)]
    await map_to(counter, issuer)
    assert await issue(counter, issuer.sign(claims(counter, issuer), alg=alg))


async def test_neither_none_nor_a_secret_key_is(counter: Counter, issuer: Issuer) -> None:
    await map_to(counter, issuer)
    secret = jwk.OctKey.generate_key(256, {"kid": "1"})
    signed = issuer.sign(claims(counter, issuer), alg="HS256", key=secret)
    header, payload, _ = issuer.sign(claims(counter, issuer)).split(".")
    none = base64.urlsafe_b64encode(b'{"alg":"none"}').decode().rstrip("=")
    for text in (signed, f"{none}.{payload}.", f"{header}.{payload}."):
        refusal = await refused(issue(counter, text))
        assert (refusal.code.name, refusal.reason) == ("UNAUTHENTICATED", "ASSERTION_INVALID")
    # Nobody was asked for keys on account of the first two.
    assert issuer.asked.get(JWKS, 0) <= 1


@pytest.mark.parametrize(
    "others",
    [
        {"aud": "other"},
        {"aud": None},
        {"aud": ["other", "another"]},
        {"aud": {"almoner": True}},
        {"sub": None},
        {"sub": ""},
        {"sub": ["one", "two"]},
        {"sub": "a\u0000"},
        {"exp": None},
        {"exp": "soon"},
        {"exp": True},
        {"exp": -1},
        {"exp": 1e300},
        {"iss": None},
        {"iss": 1},
        {"iss": "http://elsewhere.example"},
        {"iss": "\u0000"},
    ],
    ids=str,
)
async def test_claims_that_no_mapping_covers_are_refused(
    counter: Counter, issuer: Issuer, others: dict[str, Any]
) -> None:
    await map_to(counter, issuer)
    assert await reason_of(issue(counter, issuer.sign(claims(counter, issuer, **others)))) == "ASSERTION_INVALID"


@pytest.mark.parametrize(
    ("purpose", "aud"),
    [
        ("almoner", "almoner"),
        ("alm*", "almoner"),
        ("*", "anything"),
        ("https://*.example/*/x", "https://a.example/b/c/x"),
        ("almoner", ["other", "almoner"]),
        ("4*", 42),
    ],
)
async def test_a_match_may_have_stars_and_one_value_of_a_list_will_do(
    counter: Counter, issuer: Issuer, purpose: str, aud: Any
) -> None:
    await map_to(counter, issuer, purpose_match=purpose)
    assert await issue(counter, issuer.sign(claims(counter, issuer, aud=aud)))


async def test_the_first_mapping_that_covers_it_counts(counter: Counter, issuer: Issuer) -> None:
    other = await counter.another_user()
    await counter.allow(None, other)
    await map_to(counter, issuer, name="first", id_match="robot-*")
    await map_to(counter, issuer, name="second", id_match="*", user_id=other.id)
    names = {
        sub: (await issue(counter, issuer.sign(claims(counter, issuer, sub=sub)))).grant.username
        for sub in ("robot-1", "human")
    }
    assert names == {"robot-1": counter.user.username, "human": other.username}


async def test_it_is_good_from_when_to_when_it_says(counter: Counter, issuer: Issuer) -> None:
    await map_to(counter, issuer)
    now = counter.time.now // SECOND
    counter.time.now = now * SECOND

    async def outcome(**others: Any) -> str:
        text = issuer.sign(claims(counter, issuer, **others))
        return "OK" if others.get("good") else await reason_of(issue(counter, text))

    assert await outcome(exp=now) == "ASSERTION_INVALID"
    assert await outcome(nbf=now + 61) == "ASSERTION_INVALID"
    assert await outcome(iat=now + 61) == "ASSERTION_INVALID"
    good = claims(counter, issuer, exp=now + 1, nbf=now + 60, iat=now + 60)
    assert await issue(counter, issuer.sign(good))


@pytest.mark.parametrize(
    "text",
    [
        "x",
        "a.b",
        "a.b.c",
        "..",
        "e30.e30.",
        "é.é.é",
        "a.b.c.d.e",
        base64.urlsafe_b64encode(b"[" * 9_000).decode().rstrip("=") + ".e30.x",
        "eyJhbGciOiJFUzI1NiJ9." + base64.urlsafe_b64encode(b'{"a":' * 2_000).decode().rstrip("=") + ".x",
        "A" * 16_384,
    ],
    ids=range(10),
)
async def test_what_is_no_jwt_is_refused(counter: Counter, text: str) -> None:
    refusal = await refused(issue(counter, text))
    assert (refusal.code.name, refusal.reason) == ("UNAUTHENTICATED", "ASSERTION_INVALID")


async def test_another_key_or_a_changed_payload_is_noticed(counter: Counter, issuer: Issuer) -> None:
    await map_to(counter, issuer)
    stranger = new_key("1")
    assert await reason_of(issue(counter, issuer.sign(claims(counter, issuer), key=stranger))) == "ASSERTION_INVALID"
    header, _, signature = issuer.sign(claims(counter, issuer)).split(".")
    forged = base64.urlsafe_b64encode(msgspec.json.encode(claims(counter, issuer, sub="other"))).decode().rstrip("=")
    assert await reason_of(issue(counter, f"{header}.{forged}.{signature}")) == "ASSERTION_INVALID"


async def test_critical_headers_are_not_understood(counter: Counter, issuer: Issuer) -> None:
    await map_to(counter, issuer)
    good = issuer.sign(claims(counter, issuer), nonce="unknown parameters are passed over")
    assert await issue(counter, good)
    header = base64.urlsafe_b64encode(b'{"alg":"ES256","crit":["exp"],"exp":1}').decode().rstrip("=")
    assert await reason_of(issue(counter, header + good[good.index(".") :])) == "ASSERTION_INVALID"


async def test_a_key_without_an_id_will_do(counter: Counter, issuer: Issuer) -> None:
    await map_to(counter, issuer)
    issuer.keys = [new_key("2"), new_key("1")]
    assert await issue(counter, issuer.sign(claims(counter, issuer), kid=None))


async def test_keys_of_no_use_are_passed_over(counter: Counter, issuer: Issuer) -> None:
    await map_to(counter, issuer)
    [good] = issuer.keys
    others = [
        {"kty": "oct", "k": "AAAA", "kid": "1"},
        {"kty": "RSA", "n": "AQAB", "e": "AQAB", "kid": "1"},
        {"kty": "EC", "crv": "P-256", "x": "?", "y": "!", "kid": "1"},
        {"kty": "EC", "crv": "P-999", "x": "AA", "y": "AA", "kid": "1"},
        {"kty": 1},
        "x",
        {**new_key("1").as_dict(private=False), "use": "enc"},
        {**good.as_dict(private=False), "alg": "ES256"},
    ]
    issuer.answers[JWKS] = {"body": msgspec.json.encode({"keys": others})}
    assert await issue(counter, issuer.sign(claims(counter, issuer)))


async def test_keys_are_kept_and_fetched_once(counter: Counter, issuer: Issuer) -> None:
    await map_to(counter, issuer)
    texts = [issuer.sign(claims(counter, issuer)) for _ in range(10)]
    await asyncio.gather(*(issue(counter, text) for text in texts))
    assert issuer.asked == {DISCOVERY: 1, JWKS: 1}


async def test_rotated_keys_are_found_at_most_once_a_minute(counter: Counter, issuer: Issuer) -> None:
    await map_to(counter, issuer)
    await issue(counter, issuer.sign(claims(counter, issuer)))
    issuer.keys = [new_key("2")]
    assert await reason_of(issue(counter, issuer.sign(claims(counter, issuer)))) == "ASSERTION_INVALID"
    assert issuer.asked[JWKS] == 1
    counter.time.pass_by(issuers.PAUSE)
    assert await issue(counter, issuer.sign(claims(counter, issuer)))
    assert issuer.asked[JWKS] == 2


async def test_keys_that_are_gone_are_forgotten_in_time(counter: Counter, issuer: Issuer) -> None:
    await map_to(counter, issuer)
    await issue(counter, issuer.sign(claims(counter, issuer)))
    old = issuer.keys
    issuer.keys = [new_key("2")]
    counter.time.pass_by(issuers.KEPT)
    assert await reason_of(issue(counter, issuer.sign(claims(counter, issuer), key=old[0]))) == "ASSERTION_INVALID"


async def test_an_unknown_key_does_not_cost_the_known_ones(counter: Counter, issuer: Issuer) -> None:
    await map_to(counter, issuer)
    await issue(counter, issuer.sign(claims(counter, issuer)))
    counter.time.pass_by(MINUTE)
    issuer.answers[DISCOVERY] = {"status": 503}
    unknown = issuer.sign(claims(counter, issuer), key=new_key("2"))
    assert await reason_of(issue(counter, unknown)) == "ASSERTION_INVALID"
    assert await issue(counter, issuer.sign(claims(counter, issuer)))


@pytest.mark.parametrize(
    ("path", "answer"),
    [
        (DISCOVERY, {"status": 404}),
        (DISCOVERY, {"status": 302, "headers": {"Location": JWKS}}),
        (DISCOVERY, {"text": '{"issuer":"http://other.example","jwks_uri":"http://other.example"}'}),
        (DISCOVERY, {"text": '{"issuer":"x"}'}),
        (DISCOVERY, {"text": "[" * 100_000}),
        (DISCOVERY, {"body": b"\xff\xfe"}),
        (JWKS, {"text": " " * (256 * 1024) + "{}"}),
        (JWKS, {"status": 500}),
        (JWKS, {"text": '{"keys":{}}'}),
        (JWKS, {"body": gzip.compress(b'{"keys":[]}'), "headers": {"Content-Encoding": "gzip"}}),
    ],
    ids=range(10),
)
async def test_an_issuer_that_does_not_answer_as_it_must_is_unavailable(
    counter: Counter, issuer: Issuer, path: str, answer: dict[str, Any]
) -> None:
    await map_to(counter, issuer)
    issuer.answers[path] = answer
    refusal = await refused(issue(counter, issuer.sign(claims(counter, issuer))))
    assert (refusal.code.name, refusal.reason) == ("UNAVAILABLE", "ISSUER_UNAVAILABLE")
    assert refusal.metadata == {"issuer": issuer.uri}
    # It is left alone for a while, then asked again.
    assert await reason_of(issue(counter, issuer.sign(claims(counter, issuer)))) == "ISSUER_UNAVAILABLE"
    assert issuer.asked[DISCOVERY] == 1
    counter.time.pass_by(issuers.PAUSE_AFTER_FAILURE)
    assert await issue(counter, issuer.sign(claims(counter, issuer)))


async def test_a_slow_issuer_is_unavailable(counter: Counter, issuer: Issuer, monkeypatch: pytest.MonkeyPatch) -> None:
    await map_to(counter, issuer)
    issuer.hang = asyncio.Event()
    outgoing = counter.almoner.service._outgoing
    get = outgoing.get
    monkeypatch.setattr(outgoing, "get", lambda url: get(url, seconds=0.05))
    assert await reason_of(issue(counter, issuer.sign(claims(counter, issuer)))) == "ISSUER_UNAVAILABLE"


@pytest.mark.parametrize("allowed", [{"outgoing_allow_http": True}, {"outgoing_allow_private": True}], ids=str)
async def test_without_being_allowed_neither_http_nor_this_machine_is_asked(
    sqlite_template: SqliteTemplate, tmp_path: Path, issuer: Issuer, allowed: dict[str, Any]
) -> None:
    time = Time()
    async with running(sqlite_template, tmp_path, clock=time, **allowed) as almoner:
        counter = await open_counter(almoner, time)
        await map_to(counter, issuer)
        assert await reason_of(issue(counter, issuer.sign(claims(counter, issuer)))) == "ISSUER_UNAVAILABLE"
        assert issuer.asked == {}


async def test_mappings_of_other_organizations_do_not_count(counter: Counter, issuer: Issuer) -> None:
    elsewhere = await open_counter(counter.almoner, counter.time)
    await map_to(elsewhere, issuer)
    assert await reason_of(issue(counter, issuer.sign(claims(counter, issuer)))) == "ASSERTION_INVALID"


async def test_a_user_without_rule_or_locked_gets_nothing(counter: Counter, issuer: Issuer) -> None:
    await map_to(counter, issuer)
    await counter.change_user("locked", locked=True)
    assert await reason_of(issue(counter, issuer.sign(claims(counter, issuer)))) == "CREDENTIALS_INVALID"
    await counter.drop_rule()
    assert await reason_of(issue(counter, issuer.sign(claims(counter, issuer)))) == "GRANT_REFUSED"
