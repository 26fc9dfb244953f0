# SPDX-License-Identifier: Apache-2.0
"""Venafi's own Python client, as it is published, against `almoner serve --tls-self-signed`.

It speaks nothing but TLS, and is told to trust the authority of this machine's own. Known faults of the client: its
GetScopes always raises, and a 401 that lasts makes it log in again until it gives up.
"""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from pyvenafi.tpp import Authenticate
from pyvenafi.tpp.api.api_base import InvalidResponseError
from pyvenafi.tpp.api.websdk.models import oauth

from service.clock import system_clock
from service.command.certificates import ensure
from tests.command.processes import Almoner
from tests.command.tls_connections import client_certificate
from tests.databases import ADMIN_PASSWORD

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from tests.command.shell import Shell
    from tests.databases import SqliteTemplate

# The client is written for older releases of pydantic and jsonpickle.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

EVERYTHING = "admin:delete,grantrights,viewlogs;certificate:manage"
GUEST = "a client"
"""User of the client certificate, by its common name."""


class Platform(NamedTuple):
    """A server as the client sees it."""

    host: str
    ca: Path
    certificate: Path

    def log_in(self, **changes: Any) -> Any:
        """Returns the client, logged in as admin unless told otherwise."""
        options: dict[str, Any] = {
            "host": self.host,
            "username": "local:admin",
            "password": ADMIN_PASSWORD,
            "application_id": "almoner",
            "scope": EVERYTHING,
            "verify_ssl": str(self.ca),
            "connection_timeout": 5,
            "read_timeout": 20,
            **changes,
        }
        return Authenticate(**options)


@pytest.fixture(scope="module")
async def platform(
    sqlite_template: SqliteTemplate, tmp_path_factory: pytest.TempPathFactory, shell: Shell
) -> AsyncIterator[Platform]:
    """A server of its own, in a process of its own, which takes client certificates."""
    directory = tmp_path_factory.mktemp("pyvenafi")
    authority = ensure(directory / "clients", system_clock)
    certificate = directory / "client.pem"
    client_certificate(authority, certificate)
    listeners = {"ALMONER_REST_TLS_LISTEN": "127.0.0.1:0", "ALMONER_TLS_CLIENT_CA_FILE": str(authority.ca)}
    async with sqlite_template.copy(directory / "data"):
        almoner = Almoner(directory, shell)
        almoner.done("users", "create", GUEST, "--no-password")
        with almoner.serving("serve", "--tls-self-signed", **listeners) as server:
            yield Platform(server.rest_tls, directory / "data" / "tls" / "ca.crt", certificate)


def own_identity(api: Any) -> str:
    """Returns the identity of whoever has logged in."""
    identity: str = api.websdk.Authorize.Verify.get().identity
    return identity


@pytest.fixture
def api(platform: Platform) -> Any:
    """The client, logged in as admin."""
    return platform.log_in()


@pytest.fixture
def application(api: Any, request: pytest.FixtureRequest) -> Iterator[str]:
    """An application of this test."""
    application_id = f"application-{abs(hash(request.node.name))}"
    made = api.websdk.Oauth.CreateApplication.post(
        application_id=application_id,
        scope="configuration",
        maximum_scope="admin:grantrights,viewlogs;configuration;security",
        name="Application 3",
        vendor="Sample, Inc.",
        description="desc",
        url="https://www.sample-url.net",
    )
    assert (made.result, made.success) == (0, True)
    assert made.application.id == application_id
    yield application_id
    api.websdk.Oauth.DeleteApplication.post(application_id=application_id)


def test_it_is_the_published_client() -> None:
    assert version("pyvenafi") == "1.1.0"


def test_it_logs_in_and_learns_the_version(api: Any) -> None:
    assert api.websdk.tpp_version.major >= 20


def test_an_application_is_created_read_changed_and_deleted(api: Any, application: str) -> None:
    calls = api.websdk.Oauth
    whole = {
        "ID": application,
        "AccessValidity": 31_536_000,
        "Description": "A useful description",
        "GrantValidity": 7_776_000,
        "MaximumScope": "admin:grantrights,viewlogs;configuration;security",
        "Name": "Another name",
        "Renewable": True,
        "Scope": "admin:grantrights,viewlogs;configuration;security",
        "Url": "https://www.sample-url.net",
        "Vendor": "Sample, Inc.",
    }

    changed = calls.UpdateApplication.post(application=whole)
    got = calls.GetApplication.post(application_id=application).application

    assert (changed.result, changed.success) == (0, True)
    assert {name: value for name, value in got.dict(by_alias=True).items() if value is not None} == whole


def test_what_was_read_can_be_changed_and_sent_back(api: Any, application: str) -> None:
    calls = api.websdk.Oauth
    got = calls.GetApplication.post(application_id=application).application
    got.description = "Only this"

    assert isinstance(got, oauth.Application)
    assert calls.UpdateApplication.post(application=got).result == 0
    assert calls.GetApplication.post(application_id=application).application == got


def test_what_an_update_leaves_out_is_defaulted(api: Any, application: str) -> None:
    calls = api.websdk.Oauth

    assert calls.UpdateApplication.post(application={"ID": application, "Name": "All that is left"}).result == 0

    got = calls.GetApplication.post(application_id=application).application
    assert (got.name, got.vendor, got.access_validity) == ("All that is left", None, None)


def test_applications_are_read_together_and_in_pages(api: Any, application: str) -> None:
    calls = api.websdk.Oauth

    several = calls.GetApplications.post(application_ids=[application, "none", "almoner"])
    page = calls.EnumerateApplications.post(start=0, count=100)

    assert {each.id for each in several.applications} == {application, "almoner"}
    assert {application, "almoner"} <= {each.id for each in page.applications}


def test_an_application_that_there_is_not_is_a_result_and_no_exception(api: Any) -> None:
    answer = api.websdk.Oauth.GetApplication.post(application_id="none")

    assert (answer.result, answer.success) == (2, False)


def test_rules_are_kept(api: Any, application: str) -> None:
    calls = api.websdk.Oauth
    pair = {"application_id": application, "trustee_prefixed_universal": own_identity(api)}

    made = calls.CreateRule.post(**pair, maximum_scope="configuration", description="first")
    got = calls.GetRules.post(application_id=application).rules
    changed = got[0]
    changed.description = "second"
    updated = calls.UpdateRule.post(rule=changed)
    listed = calls.EnumerateRules.post(application_id=application, start=0, count=10).rules
    deleted = calls.DeleteRule.post(**pair)

    assert (made.result, updated.result, deleted.result) == (0, 0, 0)
    assert [each.description for each in listed] == ["second"]
    assert calls.GetRules.post(application_id=application).rules == []


def test_roles_are_granted_and_revoked(api: Any, application: str) -> None:
    calls = api.websdk.Oauth
    admin = own_identity(api)

    granted = calls.GrantRole.post(grantee_prefixed_universal=admin, role=2, application_id=application)
    listed = calls.ListRoles.post().roles

    assert granted.result == 0
    assert (application, 2) in {(each.application_id, each.role) for each in listed}
    assert calls.GetRole.post().role.role == 6


def test_grants_are_listed_counted_and_revoked(platform: Platform, api: Any, application: str) -> None:
    calls = api.websdk.Oauth
    admin = own_identity(api)
    calls.CreateRule.post(
        application_id=application, trustee_prefixed_universal=admin, maximum_scope="admin:grantrights;configuration"
    )
    other = platform.log_in(application_id=application, scope="configuration")

    listed = calls.EnumerateGrants.post(application_id=application, start=0, count=10).grants
    got = calls.GetGrants.post(grantee_prefixed_universal=admin, application_id=application).grants
    revoked = calls.RevokeGrants.post(application_id=application)

    assert [(each.application, each.scope) for each in listed] == [(application, "configuration")]
    assert [each.grantee_prefixed_universal for each in got] == [admin]
    assert revoked.result == 0
    assert calls.EnumerateGrants.post(application_id=application, start=0, count=10).grants == []
    with pytest.raises(InvalidResponseError, match="invalid_grant"):
        other.websdk.Authorize.Verify.get()


def test_the_configuration_is_read_and_written_back(api: Any) -> None:
    calls = api.websdk.Oauth
    configuration = calls.GetConfiguration.post().configuration

    assert configuration.default_grant_validity == 31_536_000
    assert calls.SetConfiguration.post(configuration=configuration).result == 0
    assert calls.GetConfiguration.post().configuration == configuration


def test_a_token_is_verified(api: Any) -> None:
    verified = api.websdk.Authorize.Verify.get()

    assert verified.application == "almoner"
    assert verified.scope == EVERYTHING
    assert verified.identity == own_identity(api)
    assert verified.valid_for == 31_536_000


def test_a_token_is_refreshed(api: Any) -> None:
    before = api.websdk._token

    api.re_authenticate()

    assert api.websdk._token != before
    assert api.websdk.Authorize.Verify.get().application == "almoner"


def test_the_client_finds_the_token_server(api: Any) -> None:
    assert api.websdk.Authorize.IsAuthServer.get().api_response.status_code == 202


def test_a_device_is_started(api: Any) -> None:
    started = api.websdk.Authorize.Device.post(client_id="almoner", scope="certificate")

    assert started.verification_uri.endswith("/aperture/activate")
    assert started.verification_url_complete.endswith(started.user_code)


def test_a_certificate_is_as_good_as_a_password(platform: Platform, api: Any) -> None:
    made = api.websdk.Oauth.CreateRule.post(
        application_id="almoner", trustee_prefixed_universal=f"local:{GUEST}", maximum_scope="certificate:manage"
    )
    pem = str(platform.certificate)

    guest = platform.log_in(
        username=None, password=None, certificate_path=pem, key_file_path=pem, scope="certificate:manage"
    )

    assert guest.websdk.Authorize.Verify.get().identity == made.rule.trustee_prefixed_universal


def test_a_revoked_token_is_good_for_nothing(platform: Platform, api: Any) -> None:
    other = platform.log_in(websdk_token=api.websdk._token, username=None, password=None, application_id=None)
    assert other.websdk.Authorize.Verify.get().application == "almoner"

    api.websdk.Revoke.Token.get()

    # Told that its token is invalid, the client warns that it logs in as was done before there were tokens.
    with pytest.warns(UserWarning, match="only a username and password"), pytest.raises(InvalidResponseError):
        other.websdk.Authorize.Verify.get()


def test_a_wrong_password_is_told(platform: Platform) -> None:
    with pytest.raises(InvalidResponseError, match="invalid_grant"):
        platform.log_in(password="wrong")
