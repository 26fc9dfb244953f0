# SPDX-License-Identifier: Apache-2.0
"""The URL of an authorization request."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlsplit

from service.applications.tables import ClientAuthentication
from service.broker.providers import PROVIDERS, UNKNOWN
from service.broker.registrations import Registration
from service.consent.authorization_request import Parameters, authorization_uri, challenge_of

PARAMETERS = Parameters("https://us.example/callback?a=b", "read write", "state", "verifier")


def registration(slug: str = "") -> Registration:
    """Returns a registration at a known provider, or at one that nothing is known of."""
    return Registration(
        slug=slug,
        provider=PROVIDERS.get(slug, UNKNOWN),
        authorize_uri="",
        token_uri="",
        revocation_uri="",
        scope="",
        client_id="our client & co",
        client_secret="s3cret",
        authentication=ClientAuthentication.BASIC,
        rotates=True,
        lifetime=0,
    )


def query_of(uri: str) -> list[tuple[str, str]]:
    return parse_qsl(urlsplit(uri).query, keep_blank_values=True)


def test_it_has_the_parameters_of_a_code_request_with_pkce() -> None:
    uri = authorization_uri("https://provider.example/authorize", registration(), PARAMETERS)
    assert uri.startswith("https://provider.example/authorize?response_type=code&client_id=our%20client%20%26%20co&")
    assert dict(query_of(uri)) == {
        "response_type": "code",
        "client_id": "our client & co",
        "redirect_uri": "https://us.example/callback?a=b",
        "scope": "read write",
        "state": "state",
        "code_challenge": challenge_of("verifier"),
        "code_challenge_method": "S256",
    }


def test_the_challenge_is_that_of_rfc_7636_appendix_b() -> None:
    assert challenge_of("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk") == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


def test_the_query_of_the_endpoint_is_kept_and_overrides_nothing_of_ours() -> None:
    uri = authorization_uri("https://p.example/a?tenant=1&tenant=2&empty=&state=x#part", registration(), PARAMETERS)
    names = [name for name, _ in query_of(uri)]
    assert query_of(uri)[:3] == [("tenant", "1"), ("tenant", "2"), ("empty", "")]
    assert names.count("state") == 1
    assert ("state", "state") in query_of(uri)
    assert "#" not in uri


def test_what_a_provider_needs_to_be_asked_is_asked() -> None:
    query = dict(query_of(authorization_uri("https://p.example/a", registration("google_analytics"), PARAMETERS)))
    assert (query["access_type"], query["prompt"]) == ("offline", "consent")


def test_what_the_endpoint_says_of_that_counts() -> None:
    uri = authorization_uri("https://p.example/a?prompt=select_account", registration("google_analytics"), PARAMETERS)
    assert [value for name, value in query_of(uri) if name == "prompt"] == ["select_account"]


def test_scopes_are_separated_as_the_provider_has_it() -> None:
    query = dict(query_of(authorization_uri("https://p.example/a", registration("slack"), PARAMETERS)))
    assert query["scope"] == "read,write"


def test_no_scope_is_no_parameter() -> None:
    uri = authorization_uri("https://p.example/a", registration(), PARAMETERS._replace(scope=""))
    assert "scope" not in dict(query_of(uri))


def test_nothing_of_it_is_in_a_repr() -> None:
    assert repr(PARAMETERS) == "Parameters(***)"
