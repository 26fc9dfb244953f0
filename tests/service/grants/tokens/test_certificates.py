# SPDX-License-Identifier: Apache-2.0
"""Tokens for a TLS client certificate, on the word of who has seen the handshake."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from almoner.v1 import directory_pb2, grant_pb2
from service.clock import SECOND
from service.grants.certificates import UPN
from tests.running import running
from tests.service.directory.house import House
from tests.service.grants.tokens.counter import GrantType, Time, open_counter, reason_of, refused

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tests.databases import SqliteTemplate
    from tests.service.grants.tokens.counter import Counter

ISSUER = x509.Name.from_rfc4514_string("CN=Issuing CA,OU=PKI,O=Example\\, Inc.,C=DE")


def utf8_string(text: str) -> bytes:
    data = text.encode()
    length = bytes([len(data)]) if len(data) < 128 else b"\x81" + bytes([len(data)])
    return b"\x0c" + length + data


def upn(text: str) -> x509.GeneralName:
    return x509.OtherName(UPN, utf8_string(text))


def certificate(now: int, *common_names: str, alternatives: Sequence[x509.GeneralName] = (), days: int = 1) -> bytes:
    """Returns a certificate that is good for a day around now, or began to be `days` later."""
    key = ec.generate_private_key(ec.SECP256R1())
    start = datetime.fromtimestamp(now // SECOND, UTC) + timedelta(days=days - 1, hours=-12)
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name) for name in common_names]))
        .issuer_name(ISSUER)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(start)
        .not_valid_after(start + timedelta(days=1))
    )
    if alternatives:
        builder = builder.add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
    return builder.sign(key, SHA256()).public_bytes(Encoding.DER)


async def issue(counter: Counter, der: bytes, **members: Any) -> Any:
    return await counter.issue("a", certificate=der, **members)


async def test_the_common_name_is_the_user(counter: Counter) -> None:
    tokens = await issue(counter, certificate(counter.time.now, counter.user.username))
    assert tokens.grant.user_id == counter.user.id
    assert tokens.grant.grant_type == GrantType.GRANT_TYPE_CERTIFICATE
    for name in ("nobody at all", counter.user.username.upper()):
        assert await reason_of(issue(counter, certificate(counter.time.now, name))) == "CREDENTIALS_INVALID"


@pytest.mark.parametrize(
    ("field", "name"),
    [
        (grant_pb2.CERTIFICATE_FIELD_UPN, "upn@example.com"),
        (grant_pb2.CERTIFICATE_FIELD_UPN, "ü" * 60 + "@example.com"),
        (grant_pb2.CERTIFICATE_FIELD_EMAIL, "mail@example.com"),
    ],
    ids=["upn", "long upn", "mail"],
)
async def test_or_the_policy_names_another_place(counter: Counter, field: Any, name: str) -> None:
    await counter.change_policy("certificate_field", certificate_field=field)
    name = f"{counter.organization.number}{name}"
    user = await counter.almoner.user(name, organization_id=counter.organization.id)
    await counter.allow(None, user)
    here = upn(name) if field == grant_pb2.CERTIFICATE_FIELD_UPN else x509.RFC822Name(name)
    there = x509.RFC822Name("x@example.com") if field == grant_pb2.CERTIFICATE_FIELD_UPN else upn("x@example.com")
    der = certificate(counter.time.now, counter.user.username, alternatives=[there, here, x509.DNSName("x")])
    assert (await issue(counter, der)).grant.username == name
    common_name_only = certificate(counter.time.now, counter.user.username)
    assert await reason_of(issue(counter, common_name_only)) == "CREDENTIALS_INVALID"


@pytest.mark.parametrize("value", [b"\x05\x00", b"\x16\x03abc", b"\x0c\x02\xff\xff", b"\x0c\x00"], ids=range(4))
async def test_a_principal_name_that_is_no_text_is_refused(counter: Counter, value: bytes) -> None:
    await counter.change_policy("certificate_field", certificate_field=grant_pb2.CERTIFICATE_FIELD_UPN)
    der = certificate(counter.time.now, alternatives=[x509.OtherName(UPN, value)])
    assert await reason_of(issue(counter, der)) == "CREDENTIALS_INVALID"


async def test_a_certificate_has_exactly_one_name(counter: Counter) -> None:
    name = counter.user.username
    for names in ((), (name, name), (name, "other")):
        assert await reason_of(issue(counter, certificate(counter.time.now, *names))) == "CREDENTIALS_INVALID"


@pytest.mark.parametrize("days", [-1, 3])
async def test_it_is_good_in_its_time(counter: Counter, days: int) -> None:
    der = certificate(counter.time.now, counter.user.username, days=days)
    assert await reason_of(issue(counter, der)) == "CREDENTIALS_INVALID"


@pytest.mark.parametrize("der", [b"x", b"\x30\x00", b"\x30\x82\xff\xff" + bytes(100)])
async def test_what_is_no_certificate_is_refused(counter: Counter, der: bytes) -> None:
    refusal = await refused(issue(counter, der))
    assert (refusal.code.name, refusal.reason) == ("UNAUTHENTICATED", "CREDENTIALS_INVALID")


async def test_the_policy_names_the_issuers(counter: Counter) -> None:
    der = certificate(counter.time.now, counter.user.username)
    await counter.change_policy("certificate_issuers", certificate_issuers=["CN=Other", "C=DE"])
    assert await reason_of(issue(counter, der)) == "CREDENTIALS_INVALID"
    named = ["CN=Other", "CN=Issuing CA,OU=PKI,O=Example\\2C Inc.,C=DE"]
    await counter.change_policy("certificate_issuers", certificate_issuers=named)
    assert await issue(counter, der)


async def test_over_the_network_it_takes_somebody_who_may_issue_anywhere(
    sqlite_template: SqliteTemplate, tmp_path: Path
) -> None:
    time = Time()
    async with running(sqlite_template, tmp_path, over_grpc=True, clock=time) as almoner:
        counter, house = await open_counter(almoner, time), House(almoner)
        der = certificate(time.now, counter.user.username)
        assert await reason_of(issue(counter, der)) == "CREDENTIALS_MISSING"
        issuer = await counter.another_user(permissions=[directory_pb2.PERMISSION_TOKENS_ISSUE])
        by = almoner.as_(issuer.username)
        assert await reason_of(issue(counter, der, metadata=by)) == "PERMISSION_MISSING"
        role = await house.call(
            "CreateRole",
            role=directory_pb2.Role(name="gateway", permissions=[directory_pb2.PERMISSION_TOKENS_ISSUE]),
        )
        await house.bind(issuer, role.role, server=True)
        assert await issue(counter, der, metadata=by)
