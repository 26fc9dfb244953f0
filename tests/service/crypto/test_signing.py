# SPDX-License-Identifier: Apache-2.0
"""Access tokens: what is signed verifies, here and at a resource server, and nothing else does."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import jwt
import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed448, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from service.clock import MINUTE, SECOND
from service.crypto import keyring_file
from service.crypto.jose import JoseKey
from service.crypto.keyring import Keyring
from service.crypto.keyring_file import KeyringError
from service.crypto.signing import MAX_TOKEN_BYTES, InvalidTokenError, NoSigningKeyError, TokenSigner
from service.crypto.signing_keys import ACTIVATION_DELAY, LONGEST_LIFETIME, OVERLAP, new_signing_key

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from service.crypto.keyring_file import SigningAlgorithm

ALGORITHMS: Final[tuple[SigningAlgorithm, ...]] = ("ES256", "RS256", "EdDSA")
NOW: Final = 1_700_000_000 * SECOND
ISSUER: Final = "https://almoner.example"
AUDIENCE: Final = "https://api.example"
CLAIMS: Final[dict[str, Any]] = {
    "iss": ISSUER,
    "aud": AUDIENCE,
    "sub": "client",
    "client_id": "client",
    "iat": NOW // SECOND,
    "exp": (NOW + 30 * MINUTE) // SECOND,
    "jti": "Zoë's token",
}


@dataclass
class Signing:
    """A keyring with one key of an algorithm, and what signs with it."""

    algorithm: SigningAlgorithm
    path: Path
    keyring: Keyring
    signer: TokenSigner

    def verify(self, token: str, now: int = NOW) -> dict[str, Any]:
        return self.signer.verify(token, now, issuer=ISSUER, audience=AUDIENCE)

    def refusal_of(self, token: str, now: int = NOW) -> str:
        """Returns why a token is refused, which says nothing of the token."""
        with pytest.raises(InvalidTokenError) as raised:
            self.verify(token, now)
        assert raised.value.__cause__ is None
        assert raised.value.__suppress_context__ or raised.value.__context__ is None
        message = str(raised.value)
        assert not any(part in message for part in token.split(".") if len(part) > 8)
        return message

    def rotate(self, now: int, algorithm: SigningAlgorithm = "ES256") -> None:
        self.keyring.rotate_signing(algorithm, lambda: now, delay=ACTIVATION_DELAY, overlap=OVERLAP)


def signing_with(algorithm: SigningAlgorithm, path: Path) -> Signing:
    keyring = Keyring.open_or_create(path, lambda: NOW)
    keyring.ensure_signing_key(algorithm, lambda: NOW)
    return Signing(algorithm, path, keyring, TokenSigner(keyring))


@pytest.fixture(scope="module", params=ALGORITHMS)
def any_algorithm(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Signing:
    """Each algorithm. Nobody rotates its key."""
    return signing_with(request.param, tmp_path_factory.mktemp("keyring") / "keyring.json")


@pytest.fixture
def es256(tmp_path: Path) -> Signing:
    """A keyring of its own."""
    return signing_with("ES256", tmp_path / "keyring.json")


def segment(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def header_of(token: str) -> dict[str, Any]:
    return dict(jwt.get_unverified_header(token))


def set_of(signing: Signing, now: int = NOW) -> jwt.PyJWKSet:
    """Returns the published set as a resource server gets it."""
    return jwt.PyJWKSet.from_dict(json.loads(json.dumps(signing.signer.jwks(now))))


class TestSigning:
    def test_what_is_signed_verifies(self, any_algorithm: Signing) -> None:
        assert any_algorithm.verify(any_algorithm.signer.sign(CLAIMS, NOW)) == CLAIMS

    def test_the_header_names_the_key_and_the_kind_of_token_and_no_more(self, any_algorithm: Signing) -> None:
        (key,) = any_algorithm.keyring.signing_keys

        header = header_of(any_algorithm.signer.sign(CLAIMS, NOW))
        assert header == {"alg": any_algorithm.algorithm, "kid": key.kid, "typ": "at+jwt"}

    def test_a_resource_server_verifies_it_with_the_published_set_alone(self, any_algorithm: Signing) -> None:
        token = any_algorithm.signer.sign(CLAIMS, NOW)

        key = set_of(any_algorithm)[header_of(token)["kid"]]
        claims = jwt.decode(
            token,
            key,
            algorithms=[any_algorithm.algorithm],
            audience=AUDIENCE,
            issuer=ISSUER,
            options={"verify_exp": False, "require": ["exp", "iat"]},
        )
        assert claims == CLAIMS

    @pytest.mark.parametrize("left", [LONGEST_LIFETIME + SECOND, 10 * LONGEST_LIFETIME, 0, -SECOND])
    def test_what_would_outlive_its_key_or_has_expired_is_not_signed(self, es256: Signing, left: int) -> None:
        with pytest.raises(ValueError, match="exp is past, or further away"):
            es256.signer.sign({**CLAIMS, "exp": (NOW + left) // SECOND}, NOW)

    def test_the_longest_lifetime_is_signed_though_its_end_is_rounded_up(self, es256: Signing) -> None:
        now = NOW + 1
        token = es256.signer.sign({**CLAIMS, "exp": NOW // SECOND + LONGEST_LIFETIME // SECOND + 1}, now)
        assert es256.verify(token, now)

    def test_a_token_that_no_header_could_hold_is_not_signed(self, es256: Signing) -> None:
        with pytest.raises(ValueError, match="more than 8192 bytes"):
            es256.signer.sign({**CLAIMS, "scope": "s" * MAX_TOKEN_BYTES}, NOW)

    def test_a_keyring_without_signing_keys_signs_and_verifies_nothing(self, es256: Signing, tmp_path: Path) -> None:
        signer = TokenSigner(Keyring.open_or_create(tmp_path / "other.json", lambda: NOW))

        with pytest.raises(NoSigningKeyError):
            signer.sign(CLAIMS, NOW)
        with pytest.raises(InvalidTokenError):
            signer.verify(es256.signer.sign(CLAIMS, NOW), NOW, issuer=ISSUER)
        assert signer.jwks(NOW) == {"keys": []}


class TestClaims:
    @pytest.mark.parametrize(
        ("changed", "message"),
        [
            ({"iss": "https://other.example"}, "another issuer"),
            ({"iss": [ISSUER]}, "another issuer"),
            ({"iss": None}, "another issuer"),
            ({"aud": "https://other.example"}, "another audience"),
            ({"aud": ["https://other.example"]}, "another audience"),
            ({"aud": None}, "another audience"),
            ({"aud": {AUDIENCE: AUDIENCE}}, "another audience"),
            ({"nbf": NOW // SECOND + 1}, "not valid yet"),
            ({"nbf": "now"}, "from when to when"),
            ({"nbf": True}, "from when to when"),
        ],
    )
    def test_what_is_not_meant_for_us_is_refused(
        self, es256: Signing, changed: dict[str, object], message: str
    ) -> None:
        assert message in es256.refusal_of(es256.signer.sign({**CLAIMS, **changed}, NOW))

    @pytest.mark.parametrize("changed", [{"aud": [AUDIENCE, "other"]}, {"nbf": NOW // SECOND}])
    def test_what_is_meant_for_us_too_is_accepted(self, es256: Signing, changed: dict[str, object]) -> None:
        assert es256.verify(es256.signer.sign({**CLAIMS, **changed}, NOW)) == {**CLAIMS, **changed}

    def test_whoever_names_no_audience_accepts_any(self, es256: Signing) -> None:
        token = es256.signer.sign({**CLAIMS, "aud": "other"}, NOW)

        assert es256.signer.verify(token, NOW, issuer=ISSUER)["aud"] == "other"

    def test_it_expires_to_the_microsecond(self, es256: Signing) -> None:
        token, end = es256.signer.sign(CLAIMS, NOW), CLAIMS["exp"] * SECOND

        assert es256.verify(token, end - 1)
        assert es256.refusal_of(token, end) == "the token has expired"

    @pytest.mark.parametrize("exp", [None, "tomorrow", True, 1.5, [1]])
    def test_what_does_not_say_when_it_ends_is_refused(self, es256: Signing, exp: object) -> None:
        (key,) = es256.keyring.signing_keys
        token = JoseKey(key).sign("at+jwt", json.dumps({**CLAIMS, "exp": exp}).encode())

        assert "from when to when" in es256.refusal_of(token)

    @pytest.mark.parametrize("payload", [b"", b"[]", b'"text"', b"{", b"\xff", b"null"])
    def test_what_is_no_set_of_claims_is_refused(self, es256: Signing, payload: bytes) -> None:
        (key,) = es256.keyring.signing_keys

        assert es256.refusal_of(JoseKey(key).sign("at+jwt", payload)) == "the token has no claims"


class TestForgeries:
    def test_a_change_of_any_character_is_noticed(self, any_algorithm: Signing) -> None:
        token = any_algorithm.signer.sign(CLAIMS, NOW)
        for position, character in enumerate(token):
            for other in {"A", "B", "_", "=", ".", "+", "\n"} - {character}:
                any_algorithm.refusal_of(token[:position] + other + token[position + 1 :])

    def test_a_shortened_or_lengthened_one_is_refused(self, any_algorithm: Signing) -> None:
        token = any_algorithm.signer.sign(CLAIMS, NOW)
        for length in range(len(token)):
            any_algorithm.refusal_of(token[:length])
        for added in ("A", "=", ".", ".A", " ", "\n", "\x00"):
            any_algorithm.refusal_of(token + added)
            any_algorithm.refusal_of(added + token)

    @pytest.mark.parametrize("algorithm", ["none", "None", "NONE", "", "HS256", "HS384", "HS512"])
    def test_unsigned_tokens_and_macs_are_refused(self, any_algorithm: Signing, algorithm: str) -> None:
        (key,) = any_algorithm.keyring.signing_keys
        body = f"{segment({'alg': algorithm, 'kid': key.kid, 'typ': 'at+jwt'})}.{segment(CLAIMS)}"

        assert any_algorithm.refusal_of(f"{body}.") == "the token names another algorithm than its key's"
        assert any_algorithm.refusal_of(f"{body}.{segment('mac')}")

    def test_a_mac_under_the_public_key_is_refused(self, any_algorithm: Signing) -> None:
        (public,) = any_algorithm.signer.jwks(NOW)["keys"]
        body = f"{segment({'alg': 'HS256', 'kid': public['kid'], 'typ': 'at+jwt'})}.{segment(CLAIMS)}"

        mac = hmac.digest(json.dumps(public).encode(), body.encode(), "sha256")
        token = f"{body}.{base64.urlsafe_b64encode(mac).decode().rstrip('=')}"
        assert any_algorithm.refusal_of(token) == "the token names another algorithm than its key's"

    def test_each_key_verifies_with_its_own_algorithm_only(self, any_algorithm: Signing, tmp_path: Path) -> None:
        (key,) = any_algorithm.keyring.signing_keys
        for algorithm in {*ALGORITHMS, "ES384", "PS256", "Ed25519"} - {any_algorithm.algorithm}:
            forged = f"{segment({'alg': algorithm, 'kid': key.kid, 'typ': 'at+jwt'})}.{segment(CLAIMS)}.{segment('s')}"
            assert any_algorithm.refusal_of(forged) == "the token names another algorithm than its key's"

    def test_another_keyrings_token_is_refused_also_under_our_kid(self, any_algorithm: Signing) -> None:
        (key,) = any_algorithm.keyring.signing_keys
        theirs = new_signing_key(any_algorithm.algorithm, created=NOW, signs_from=NOW)
        payload = json.dumps(CLAIMS).encode()
        token = JoseKey(theirs).sign("at+jwt", payload)

        assert any_algorithm.refusal_of(token) == "the token was signed by no key that is published"
        _, body, signature = token.split(".")
        ours = segment({"alg": key.algorithm, "kid": key.kid, "typ": "at+jwt"})
        assert any_algorithm.refusal_of(f"{ours}.{body}.{signature}") == "the token's signature is wrong"

    @pytest.mark.parametrize("typ", ["JWT", "jwt", "", "AT+JWT", "application/at+jwt", "id+jwt"])
    def test_another_kind_of_token_is_refused(self, es256: Signing, typ: str) -> None:
        (key,) = es256.keyring.signing_keys

        token = JoseKey(key).sign(typ, json.dumps(CLAIMS).encode())
        assert es256.refusal_of(token) == "the token is no access token"

    @pytest.mark.parametrize(
        "member",
        [
            {"crit": ["exp"], "exp": 1},
            {"b64": False, "crit": ["b64"]},
            {"jku": "https://evil.example/keys"},
            {"jwk": {"kty": "oct", "k": "AAAA"}},
            {"x5c": ["AAAA"]},
            {"zip": "DEF"},
            {"deep": [[[[[]]]]]},
        ],
    )
    def test_a_header_with_more_than_ours_have_is_refused(self, es256: Signing, member: dict[str, object]) -> None:
        (key,) = es256.keyring.signing_keys
        header = {"alg": "ES256", "kid": key.kid, "typ": "at+jwt", **member}

        _, body, signature = es256.signer.sign(CLAIMS, NOW).split(".")
        assert es256.refusal_of(f"{segment(header)}.{body}.{signature}") == "the token is malformed"

    @pytest.mark.parametrize("missing", ["alg", "kid", "typ"])
    def test_a_header_with_less_is_refused(self, es256: Signing, missing: str) -> None:
        (key,) = es256.keyring.signing_keys
        header = {"alg": "ES256", "kid": key.kid, "typ": "at+jwt"}
        del header[missing]

        _, body, signature = es256.signer.sign(CLAIMS, NOW).split(".")
        assert es256.refusal_of(f"{segment(header)}.{body}.{signature}") == "the token is malformed"

    @pytest.mark.parametrize(
        "token",
        [
            "",
            ".",
            "..",
            "...",
            "a.b.c",
            "almoner_" + "a" * 43,
            "é.é.é",
            "\ud800",
            "\x00",
            "[" * 500,
            base64.b64encode(b"[" * 300).decode() + "..",
            base64.b64encode(b'{"alg":' + b"[" * 300).decode() + "..",
            "A" * 600 + ".A.A",
        ],
    )
    def test_what_is_no_token_is_malformed(self, es256: Signing, token: str) -> None:
        assert es256.refusal_of(token) == "the token is malformed"

    @pytest.mark.parametrize("length", [MAX_TOKEN_BYTES + 1, 50_000_000])
    def test_an_oversize_one_is_refused_before_it_is_read(self, es256: Signing, length: int) -> None:
        token = es256.signer.sign(CLAIMS, NOW)

        assert es256.refusal_of(token + "A" * (length - len(token))) == "the token is too long"

    @given(st.text(max_size=200) | st.from_regex(r"[\w-]{0,80}\.[\w-]{0,80}\.[\w-]{0,80}"))
    def test_nothing_else_is_accepted_or_breaks_it(self, any_algorithm: Signing, token: str) -> None:
        any_algorithm.refusal_of(token)


class TestPublishedSet:
    def test_it_has_public_members_only(self, any_algorithm: Signing) -> None:
        (key,) = any_algorithm.signer.jwks(NOW)["keys"]

        (stored,) = any_algorithm.keyring.signing_keys
        members = {"ES256": {"crv", "x", "y"}, "RS256": {"n", "e"}, "EdDSA": {"crv", "x"}}[any_algorithm.algorithm]
        assert set(key) == members | {"kty", "use", "alg", "kid"}
        assert (key["use"], key["alg"], key["kid"]) == ("sig", any_algorithm.algorithm, stored.kid)
        assert len(base64.urlsafe_b64decode(f"{key.get('n', 'AAAA')}==")) in {3, 256}

    def test_the_kid_is_the_thumbprint(self, any_algorithm: Signing) -> None:
        (key,) = any_algorithm.signer.jwks(NOW)["keys"]

        # RFC 7638, section 3: the required members in lexicographic order, without whitespace.
        required = {name: value for name, value in sorted(key.items()) if name not in {"use", "alg", "kid"}}
        digest = hashlib.sha256(json.dumps(required, separators=(",", ":")).encode()).digest()
        assert base64.urlsafe_b64encode(digest).decode().rstrip("=") == key["kid"]

    def test_a_new_key_is_in_it_before_it_signs_and_the_old_one_until_its_end(self, es256: Signing) -> None:
        (old,) = es256.keyring.signing_keys
        es256.rotate(NOW, "RS256")
        new = es256.keyring.signing_keys[1]
        takes_over, ends = NOW + ACTIVATION_DELAY, NOW + ACTIVATION_DELAY + OVERLAP

        shown = {
            now: [(key["kid"], key["alg"]) for key in es256.signer.jwks(now)["keys"]]
            for now in (NOW, takes_over, ends - 1, ends)
        }
        both = [(new.kid, "RS256"), (old.kid, "ES256")]
        assert shown == {NOW: both, takes_over: both, ends - 1: both, ends: both[:1]}


class TestRotation:
    @pytest.mark.parametrize("after", ALGORITHMS)
    @pytest.mark.parametrize("before", ALGORITHMS)
    def test_tokens_of_the_old_key_verify_beside_those_of_the_new_one(
        self, tmp_path: Path, before: SigningAlgorithm, after: SigningAlgorithm
    ) -> None:
        signing = signing_with(before, tmp_path / "keyring.json")
        signing.rotate(NOW, after)
        takes_over = NOW + ACTIVATION_DELAY
        last = {**CLAIMS, "exp": (takes_over + LONGEST_LIFETIME) // SECOND}

        old, new = signing.signer.sign(last, takes_over - 1), signing.signer.sign(last, takes_over)

        assert [header_of(token)["alg"] for token in (old, new)] == [before, after]
        for token in (old, new):
            for now in (takes_over - 1, takes_over + LONGEST_LIFETIME - 1):
                assert signing.verify(token, now) == last
                key = set_of(signing, now)[header_of(token)["kid"]]
                jwt.decode(token, key, audience=AUDIENCE, options={"verify_exp": False})

    def test_another_process_follows_without_a_restart(self, es256: Signing) -> None:
        seconds = [0.0]
        here = TokenSigner(Keyring(es256.path, monotonic=lambda: seconds[0]))
        es256.rotate(NOW)
        later = NOW + ACTIVATION_DELAY
        token = es256.signer.sign({**CLAIMS, "exp": later // SECOND + 60}, later)

        with pytest.raises(InvalidTokenError):
            here.verify(token, later, issuer=ISSUER)
        seconds[0] = 1.0
        assert here.verify(token, later, issuer=ISSUER)

    def test_a_dropped_key_verifies_nothing_more(self, es256: Signing) -> None:
        es256.keyring.rotate_signing("ES256", lambda: NOW, delay=0, overlap=0)
        claims = {**CLAIMS, "exp": NOW // SECOND + 3600}
        token, end = es256.signer.sign(claims, NOW), NOW + 2 * SECOND

        assert es256.verify(token, end - 1)
        assert es256.refusal_of(token, end) == "the token was signed by no key that is published"
        es256.keyring.drop_signing_keys(lambda: end)
        assert es256.refusal_of(token, end) == "the token was signed by no key that is published"
        assert es256.verify(es256.signer.sign(claims, end), end)

    @settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(
        st.lists(
            st.tuples(
                st.sampled_from(["sign", "rotate", "tidy", "verify"]),
                st.integers(0, OVERLAP),
                st.integers(1, LONGEST_LIFETIME // SECOND),
            ),
            max_size=20,
        )
    )
    def test_every_token_verifies_until_it_expires(
        self, tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int, int]]
    ) -> None:
        signing = signing_with("ES256", tmp_path_factory.mktemp("rotated") / "keyring.json")
        now, tokens = NOW, [signing.signer.sign(CLAIMS, NOW)]
        for action, after, lifetime in steps:
            now += after
            moment: Callable[[], int] = lambda now=now: now  # type: ignore[misc]  # noqa: E731 - a clock that stands
            if action == "sign":
                tokens.append(signing.signer.sign({**CLAIMS, "exp": now // SECOND + lifetime}, now))
            elif action == "rotate":
                signing.keyring.rotate_signing("EdDSA", moment, delay=after, overlap=OVERLAP)
            elif action == "tidy":
                signing.keyring.drop_signing_keys(moment)
            for token in tokens:
                if now < exp_of(token) * SECOND:
                    assert signing.verify(token, now)
                else:
                    signing.refusal_of(token, now)


class TestStoredKeys:
    @pytest.fixture
    def stored(self, es256: Signing) -> Iterator[Callable[..., TokenSigner]]:
        """Changes the stored key."""

        def change(**members: Any) -> TokenSigner:
            contents = keyring_file.read(es256.path)
            changed = msgspec.structs.replace(contents.signing_keys[0], **members)
            keyring_file.replace(es256.path, msgspec.structs.replace(contents, signing_keys=(changed,)))
            return TokenSigner(Keyring.open(es256.path))

        return change  # type: ignore[return-value]

    @pytest.mark.parametrize(
        ("private_key", "algorithm"),
        [
            (ec.generate_private_key(ec.SECP384R1()), "ES256"),
            (ec.generate_private_key(ec.SECP256R1()), "RS256"),
            (ec.generate_private_key(ec.SECP256R1()), "EdDSA"),
            (ed448.Ed448PrivateKey.generate(), "EdDSA"),
            (rsa.generate_private_key(65_537, 1024), "RS256"),  # noqa: S505 - it is to be refused
        ],
    )
    def test_a_key_that_is_none_for_its_algorithm_is_refused(
        self, stored: Callable[..., TokenSigner], private_key: Any, algorithm: str
    ) -> None:
        der = private_key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
        with pytest.raises(KeyringError, match=f"is not one for {algorithm}"):
            stored(private_key=der, algorithm=algorithm).sign(CLAIMS, NOW)

    def test_a_damaged_one_is_named_and_not_quoted(self, stored: Callable[..., TokenSigner]) -> None:
        with pytest.raises(KeyringError, match=r"^signing key [\w-]{43} of the keyring is malformed$"):
            stored(private_key=b"damaged").jwks(NOW)

    def test_an_exchanged_one_is_named(self, stored: Callable[..., TokenSigner]) -> None:
        other = new_signing_key("ES256", created=NOW, signs_from=NOW)
        with pytest.raises(KeyringError, match="is another one than its kid says"):
            stored(private_key=other.private_key).sign(CLAIMS, NOW)

    def test_nothing_that_signs_shows_a_key(self, any_algorithm: Signing) -> None:
        (key,) = any_algorithm.keyring.signing_keys
        ready = JoseKey(key)
        any_algorithm.signer.sign(CLAIMS, NOW)

        shown = f"{key!r} {ready!r} {any_algorithm.signer!r} {any_algorithm.keyring!r} {any_algorithm.keyring._keys!r}"
        for form in (str(key.private_key), key.private_key.hex(), base64.b64encode(key.private_key).decode()):
            assert form not in shown


def test_nobody_loads_joserfc_who_has_no_tokens(es256: Signing) -> None:
    program = (
        "import sys; from pathlib import Path\n"
        "from service.crypto.keyring import Keyring; from service.crypto.signing import TokenSigner\n"
        "keyring = Keyring.open(Path(sys.argv[1])); keyring.ensure_signing_key('ES256', lambda: 1)\n"
        "TokenSigner(keyring); print('joserfc' in sys.modules)\n"
    )
    shown = subprocess.check_output(
        [sys.executable, "-c", program, str(es256.path)], text=True, cwd=Path(__file__).parents[3]
    )
    assert shown == "False\n"


def exp_of(token: str) -> int:
    return int(jwt.decode(token, options={"verify_signature": False})["exp"])
