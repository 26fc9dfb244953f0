# SPDX-License-Identifier: Apache-2.0
"""JWTs as credentials of every method: whom they authenticate, what they allow, and what ends them at once."""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
import structlog
from google.protobuf.duration_pb2 import Duration
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.timestamp_pb2 import Timestamp
from grpc import StatusCode
from grpc.aio import AioRpcError
from sqlalchemy import insert

from almoner.v1 import (
    application_service_pb2,
    directory_pb2,
    directory_service_pb2,
    profile_pb2,
    profile_service_pb2,
    token_service_pb2,
)
from service.access.organization_roles import ROLES
from service.clock import SECOND, system_clock
from service.crypto.keyring import Keyring
from service.crypto.signing import TokenSigner
from service.directory.tables import ApiTokenRow
from service.storage.tables import table_of
from tests.databases import ADMIN_TOKEN
from tests.refusals import read_refusal, refusal_of
from tests.running import running
from tests.service.clients import (
    ADMINISTRATOR,
    DEVELOPER,
    MEMBER,
    OWNER,
    Time,
    bearer,
    claims_of,
    header_of,
    open_clients,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    from tests.databases import SqliteTemplate, Template
    from tests.running import Almoner, Metadata
    from tests.service.clients import Clients

A, D, F, T = application_service_pb2, directory_service_pb2, profile_service_pb2, token_service_pb2


async def reason_of(call: Awaitable[Any]) -> str:
    return (await refusal_of(call)).reason


async def is_let_in(clients: Clients, by: Metadata) -> bool:
    """Whether credentials are good for anything; if not, they are invalid and nothing else."""
    try:
        await clients.who(by)
    except AioRpcError as error:
        refusal = read_refusal(error)
        assert (refusal.code, refusal.reason) == (StatusCode.UNAUTHENTICATED, "CREDENTIALS_INVALID")
        return False
    return True


async def make_profile(clients: Clients, by: Metadata, name: str = "P") -> int:
    own = profile_pb2.ClientCredentials(client_id="c", client_secret="s")
    wanted = profile_pb2.Profile(name=name, provider="hubspot", client=own, refresh_token="r")
    reply = await clients.profiles.CreateProfile(F.CreateProfileRequest(profile=wanted), metadata=by)
    return int(reply.profile.id)


async def names_of_profiles(clients: Clients, by: Metadata, organization_id: str = "") -> list[str]:
    request = F.ListProfilesRequest(organization_id=organization_id)
    return [profile.name for profile in (await clients.profiles.ListProfiles(request, metadata=by)).profiles]


class TestClients:
    async def test_a_client_is_itself_in_the_organization_of_its_token(self, clients: Clients) -> None:
        other = await clients.almoner.organization("Other")
        app = await clients.client(OWNER)
        await clients.join(app, DEVELOPER, organization_id=other.id)
        who = await clients.who(await clients.by_client(app, organization_id=other.id))
        assert (who.user.username, who.user.display_name) == (f"client:{app.number}", app.id)
        assert who.user.organization_id == clients.organization.id
        assert who.organization.id == other.id
        assert set(who.permissions) == {int(permission) for permission in ROLES["developer"]}
        assert list(who.scopes) == [DEVELOPER]
        assert not who.HasField("actor")

    async def test_an_owner_keeps_applications_and_profiles_of_its_own(self, clients: Clients) -> None:
        app = await clients.client(OWNER)
        by = await clients.by_client(app)
        account = (await clients.who(by)).user.id
        profile_id = await make_profile(clients, by)
        got = await clients.profiles.GetProfile(F.GetProfileRequest(id=profile_id), metadata=by)
        assert (got.profile.owner_id, got.profile.organization_id) == (account, clients.organization.id)
        assert await names_of_profiles(clients, by) == ["P"]
        changed = profile_pb2.Profile(id=profile_id, name="Q")
        await clients.profiles.UpdateProfile(F.UpdateProfileRequest(profile=changed), metadata=by)
        revealed = F.GetProfileRequest(id=profile_id, view=profile_pb2.PROFILE_VIEW_TOKENS)
        assert await clients.profiles.GetProfile(revealed, metadata=by)
        await clients.profiles.DeleteProfile(F.DeleteProfileRequest(id=profile_id), metadata=by)

        made = await clients.client(DEVELOPER, by=by)
        found = await clients.applications.GetApplication(A.GetApplicationRequest(id=made.id), metadata=by)
        assert found.application.owner_id == account
        await clients.allow(made, MEMBER, by=by)
        await clients.delete(made, by)
        actions = [event.actor for event in await clients.events("application.delete")]
        assert actions == [f"client:{app.number}"]

    @pytest.mark.parametrize(
        ("role", "may_list", "may_create", "may_see_users"),
        [(MEMBER, True, False, False), (DEVELOPER, True, True, False), (ADMINISTRATOR, True, True, True)],
    )
    async def test_a_role_allows_what_its_users_may(
        self, clients: Clients, role: str, *, may_list: bool, may_create: bool, may_see_users: bool
    ) -> None:
        by = await clients.by_client(await clients.client(role))
        calls = (
            (names_of_profiles(clients, by), may_list),
            (make_profile(clients, by), may_create),
            (clients.directory.ListUsers(D.ListUsersRequest(), metadata=by), may_see_users),
        )
        for call, may in calls:
            if may:
                await call
            else:
                assert await reason_of(call) == "PERMISSION_MISSING"

    async def test_scopes_of_others_allow_nothing_here(self, clients: Clients) -> None:
        app = await clients.client("openid", "service:billing:reader", allowed=["openid", "service:billing:*", "admin"])
        by = await clients.by_client(app)
        who = await clients.who(by)
        assert not who.permissions
        assert list(who.scopes) == ["openid", "service:billing:reader"]
        assert await reason_of(names_of_profiles(clients, by)) == "PERMISSION_MISSING"

    async def test_a_token_that_was_asked_for_less_allows_less(self, clients: Clients) -> None:
        app = await clients.client(OWNER, MEMBER)
        by = await clients.by_client(app, scopes=[MEMBER])
        assert list((await clients.who(by)).scopes) == [MEMBER]
        assert await reason_of(make_profile(clients, by)) == "PERMISSION_MISSING"

    async def test_nothing_of_another_organization_exists_for_it(self, clients: Clients) -> None:
        other = await clients.almoner.organization("Other")
        app = await clients.client(OWNER)
        await clients.join(app, OWNER, organization_id=other.id)
        here, there = [
            await clients.by_client(app, organization_id=organization.id)
            for organization in (clients.organization, other)
        ]
        own = await make_profile(clients, there, "there")
        foreign = await clients.client(organization_id=other.id)
        assert await reason_of(clients.profiles.GetProfile(F.GetProfileRequest(id=own), metadata=here)) == (
            "PROFILE_NOT_FOUND"
        )
        for call in (
            clients.applications.GetApplication(A.GetApplicationRequest(id=foreign.id), metadata=here),
            clients.delete(foreign, here),
        ):
            assert await reason_of(call) == "APPLICATION_NOT_FOUND"
        assert await reason_of(clients.client(organization_id=other.id, by=here)) == "ORGANIZATION_NOT_FOUND"
        assert await reason_of(names_of_profiles(clients, here, other.id)) == "ORGANIZATION_NOT_FOUND"
        assert await names_of_profiles(clients, here, "-") == []
        assert await names_of_profiles(clients, there, "-") == ["there"]

    @pytest.mark.parametrize("role", [DEVELOPER, OWNER])
    async def test_all_organizations_are_that_of_the_token(self, clients: Clients, role: str) -> None:
        other = await clients.almoner.organization("Other")
        app = await clients.client(role)
        await clients.join(app, role, organization_id=other.id)
        here, there = await clients.by_client(app), await clients.by_client(app, organization_id=other.id)
        await make_profile(clients, here, "here")
        await make_profile(clients, there, "there")
        assert await names_of_profiles(clients, here, "-") == ["here"]
        assert await names_of_profiles(clients, there, "-") == ["there"]

    async def test_who_owns_the_first_organization_administers_the_server(self, clients: Clients) -> None:
        system = (await clients.who(clients.by_admin)).organization.id
        app = await clients.client(OWNER, organization_id=system)
        by = await clients.by_client(app)
        await make_profile(clients, await clients.user("ann", DEVELOPER), "anns")
        assert await names_of_profiles(clients, by, clients.organization.id) == ["anns"]

    async def test_it_acts_for_people_of_its_organization_if_it_may(self, clients: Clients) -> None:
        await clients.user("ann", DEVELOPER)
        await clients.user("eve", OWNER, organization_id=(await clients.almoner.organization("Other")).id)
        app, lesser = await clients.client(ADMINISTRATOR), await clients.client(DEVELOPER)
        by = await clients.by_client(app)
        who = await clients.who((*by, ("almoner-on-behalf-of", "ann")))
        assert (who.user.username, who.actor.username) == ("ann", f"client:{app.number}")
        await make_profile(clients, (*by, ("almoner-on-behalf-of", "ann")))
        (event,) = await clients.events("profile.create")
        assert (event.actor, event.subject) == (f"client:{app.number}", "ann")
        for refused in (
            (*by, ("almoner-on-behalf-of", "eve")),
            (*await clients.by_client(lesser), ("almoner-on-behalf-of", "ann")),
        ):
            assert await reason_of(clients.who(refused)) == "ON_BEHALF_REFUSED"

    async def test_without_a_membership_it_is_nobody_here(self, clients: Clients) -> None:
        app = await clients.client()
        assert not await is_let_in(clients, await clients.by_client(app))

    async def test_a_client_gives_no_more_than_its_token_allows(self, clients: Clients) -> None:
        by = await clients.by_client(await clients.client(OWNER, DEVELOPER), scopes=[DEVELOPER])
        app = await clients.client()
        assert await reason_of(clients.join(app, OWNER, by=by)) == "PERMISSION_ESCALATION"
        assert await clients.join(app, MEMBER, by=by)

    async def test_a_limited_token_of_an_owner_does_not_take_over_the_owner(self, clients: Clients) -> None:
        app = await clients.client(OWNER, DEVELOPER)
        by = await clients.by_client(app, scopes=[DEVELOPER])
        request = A.RotateSecretRequest(application_id=app.id)
        assert await reason_of(clients.applications.RotateSecret(request, metadata=by)) == "PERMISSION_ESCALATION"


class TestWhatHasChangedSince:
    """A token says what was so when it was issued; what is so now counts."""

    async def test_roles_taken_away(self, clients: Clients) -> None:
        app = await clients.client(OWNER, MEMBER)
        by = await clients.by_client(app)
        await clients.change(app, removed_scopes=[OWNER])
        assert list((await clients.who(by)).scopes) == [MEMBER]
        assert await reason_of(make_profile(clients, by)) == "PERMISSION_MISSING"

    async def test_roles_given(self, clients: Clients) -> None:
        app = await clients.client(MEMBER)
        by = await clients.by_client(app)
        await clients.change(app, added_scopes=[OWNER])
        assert list((await clients.who(by)).scopes) == [MEMBER]

    async def test_scopes_that_the_application_allows_no_longer(self, clients: Clients) -> None:
        app = await clients.client(OWNER, MEMBER)
        by = await clients.by_client(app)
        await clients.allow(app, MEMBER)
        assert list((await clients.who(by)).scopes) == [MEMBER]
        await clients.allow(app, MEMBER, OWNER)
        assert list((await clients.who(by)).scopes) == [MEMBER, OWNER]

    async def test_a_membership_that_ended_and_begins_again(self, clients: Clients) -> None:
        app = await clients.client(OWNER)
        by = await clients.by_client(app)
        await clients.part(app)
        assert not await is_let_in(clients, by)
        await clients.join(app, MEMBER)
        assert list((await clients.who(by)).scopes) == []

    @pytest.mark.parametrize("at_home", [True, False])
    async def test_a_disabled_organization(self, clients: Clients, *, at_home: bool) -> None:
        other = await clients.almoner.organization("Other")
        app = await clients.client(DEVELOPER)
        await clients.join(app, DEVELOPER, organization_id=other.id)
        by = await clients.by_client(app, organization_id=other.id)
        disabled = clients.organization if at_home else other
        await clients.disable(disabled)
        assert not await is_let_in(clients, by)
        await clients.disable(disabled, disabled=False)
        assert await is_let_in(clients, by)

    async def test_a_deleted_application_and_another_one_with_its_id(self, clients: Clients) -> None:
        app = await clients.client(OWNER, application_id="reports")
        clients.time.pass_by(SECOND)
        by = await clients.by_client(app)
        await clients.delete(app)
        assert not await is_let_in(clients, by)
        clients.time.pass_by(SECOND)
        again = await clients.client(OWNER, application_id="reports")
        assert not await is_let_in(clients, by)
        assert await is_let_in(clients, await clients.by_client(again))

    async def test_a_secret_that_ended_leaves_the_tokens(self, clients: Clients) -> None:
        app = await clients.client(DEVELOPER)
        by = await clients.by_client(app)
        request = A.RotateSecretRequest(application_id=app.id, previous_lifetime=Duration())
        await clients.applications.RotateSecret(request, metadata=clients.by_admin)
        assert await is_let_in(clients, by)


class TestTime:
    async def test_a_token_is_good_for_its_last_second_and_no_longer(self, clients: Clients) -> None:
        app = await clients.client(DEVELOPER)
        api = (await clients.exchange(ADMIN_TOKEN, lifetime={"seconds": 600})).access_token
        client = await clients.token(app)
        expires = claims_of(client)["exp"]
        assert claims_of(api)["exp"] == expires
        for time, good in (((expires - 1) * SECOND, True), (expires * SECOND - 1, True), (expires * SECOND, False)):
            clients.time.now = time
            assert [await is_let_in(clients, bearer(token)) for token in (client, api)] == [good, good]

    async def test_what_was_accepted_is_checked_again(self, clients: Clients) -> None:
        token = await clients.token(await clients.client(DEVELOPER))
        assert await is_let_in(clients, bearer(token))
        clients.time.now = claims_of(token)["exp"] * SECOND
        assert not await is_let_in(clients, bearer(token))


class TestUsers:
    async def test_a_user_is_themselves_with_all_they_hold(self, clients: Clients) -> None:
        ann = await clients.user("ann", DEVELOPER)
        made = await clients.api_token(ann)
        by = bearer((await clients.exchange(made.token)).access_token)
        assert await clients.who(by) == await clients.who(ann)
        await make_profile(clients, by)
        assert await names_of_profiles(clients, ann) == ["P"]

    async def test_the_organization_of_a_token_limits_nothing_here(self, clients: Clients) -> None:
        by = bearer((await clients.exchange(ADMIN_TOKEN, organization_id=clients.organization.id)).access_token)
        assert await clients.who(by) == await clients.who(clients.by_admin)

    async def test_what_they_hold_now_counts(self, clients: Clients) -> None:
        ann = await clients.user("ann", DEVELOPER)
        user = (await clients.who(ann)).user
        by = bearer((await clients.exchange((await clients.api_token(ann)).token)).access_token)
        await clients.who(by)
        request = D.UpdateUserRequest(
            user=directory_pb2.User(id=user.id, role_ids=[13]), update_mask=FieldMask(paths=["role_ids"])
        )
        await clients.directory.UpdateUser(request, metadata=clients.by_admin)
        assert await reason_of(make_profile(clients, by)) == "PERMISSION_MISSING"

    async def test_a_revoked_api_token(self, clients: Clients) -> None:
        made = await clients.api_token(clients.by_admin)
        by = bearer((await clients.exchange(made.token)).access_token)
        assert await is_let_in(clients, by)
        await clients.directory.RevokeApiToken(D.RevokeApiTokenRequest(id=made.api_token.id), metadata=clients.by_admin)
        assert not await is_let_in(clients, by)

    async def test_an_api_token_that_ends_within_the_last_second(self, clients: Clients) -> None:
        ends = clients.time.now + 10 * SECOND
        made = await clients.api_token(clients.by_admin, expire_time=Timestamp(seconds=ends // SECOND))
        by = bearer((await clients.exchange(made.token)).access_token)
        clients.time.now = ends - 1
        assert await is_let_in(clients, by)
        clients.time.now = ends
        assert not await is_let_in(clients, by)

    @pytest.mark.parametrize("state", ["locked", "disabled"])
    async def test_a_user_who_may_not_log_in(self, clients: Clients, state: str) -> None:
        ann = await clients.user("ann", DEVELOPER)
        user = (await clients.who(ann)).user
        by = bearer((await clients.exchange((await clients.api_token(ann)).token)).access_token)
        changed = directory_pb2.User(id=user.id, locked=state == "locked", disabled=state == "disabled")
        request = D.UpdateUserRequest(user=changed, update_mask=FieldMask(paths=[state]))
        await clients.directory.UpdateUser(request, metadata=clients.by_admin)
        assert not await is_let_in(clients, by)

    async def test_a_deleted_user(self, clients: Clients) -> None:
        ann = await clients.user("ann", DEVELOPER)
        by = bearer((await clients.exchange((await clients.api_token(ann)).token)).access_token)
        request = D.DeleteUserRequest(username="ann")
        await clients.directory.DeleteUser(request, metadata=clients.by_admin)
        assert not await is_let_in(clients, by)


def encoded(value: Any) -> str:
    data = value if isinstance(value, bytes) else msgspec.json.encode(value)
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def forged(token: str, **header: Any) -> str:
    """Returns a token whose header says something else, under the same signature."""
    _, payload, signature = token.split(".")
    return ".".join((encoded({**header_of(token), **header}), payload, signature))


def with_claims(token: str, **claims: Any) -> str:
    header, _, signature = token.split(".")
    return ".".join((header, encoded({**claims_of(token), **claims}), signature))


def signed_by_hmac(token: str, almoner: Almoner) -> str:
    """Returns a token whose MAC has the public key for its secret: algorithm confusion."""
    jwk = TokenSigner(almoner.service.keyring).jwks(almoner.service.clock())["keys"][0]
    signed = ".".join((encoded({**header_of(token), "alg": "HS256"}), token.split(".")[1]))
    return f"{signed}.{encoded(hmac.digest(msgspec.json.encode(jwk), signed.encode(), hashlib.sha256))}"


FORGERIES: dict[str, Callable[[str, Almoner], str]] = {
    "none": lambda token, _: ".".join((*forged(token, alg="none").split(".")[:2], "")),
    "none with a signature": lambda token, _: forged(token, alg="none"),
    "NONE": lambda token, _: ".".join((*forged(token, alg="NONE").split(".")[:2], "")),
    "a MAC under the public key": signed_by_hmac,
    "another algorithm": lambda token, _: forged(token, alg="EdDSA"),
    "another type": lambda token, _: forged(token, typ="JWT"),
    "no type": lambda token, _: ".".join(
        (encoded({"alg": "ES256", "kid": header_of(token)["kid"]}), *token.split(".")[1:])
    ),
    "an unknown key": lambda token, _: forged(token, kid="unknown"),
    "a key in the header": lambda token, _: forged(token, jwk={"kty": "oct", "k": "AA"}),
    "a critical extension": lambda token, _: forged(token, crit=["exp"]),
    "another client": lambda token, _: with_claims(token, client_id="other"),
    "a later end": lambda token, _: with_claims(token, exp=9_999_999_999),
    "more": lambda token, _: with_claims(token, permissions=[OWNER, ADMINISTRATOR]),
    "a truncated signature": lambda token, _: token[:-2],
    "another signature": lambda token, _: token[:-4] + ("AAAA" if token[-4:] != "AAAA" else "BBBB"),
    "no signature": lambda token, _: token.rpartition(".")[0] + ".",
    "nothing but dots": lambda _token, _: "..",
    "no header": lambda token, _: "." + token.partition(".")[2],
    "no JSON": lambda token, _: ".".join((encoded(b"{"), *token.split(".")[1:])),
    "no base64": lambda token, _: "!" + token,
    "a part too many": lambda token, _: token + ".AA",
    "a blank": lambda token, _: token.replace(".", ". ", 1),
    "too long": lambda token, _: token + "A" * (8192 - len(token)),
}


@pytest.fixture(scope="module")
async def desk(sqlite_template: SqliteTemplate, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Clients]:
    """One service for everything that no database is asked about."""
    time = Time()
    async with running(sqlite_template, tmp_path_factory.mktemp("desk"), clock=time) as almoner:
        yield await open_clients(almoner, time)


@pytest.fixture(scope="module")
async def token(desk: Clients) -> str:
    """A good token."""
    return await desk.token(await desk.client(OWNER))


class TestForgeries:
    @pytest.mark.parametrize("forgery", FORGERIES)
    async def test_what_was_not_signed_here_is_refused(self, desk: Clients, token: str, forgery: str) -> None:
        assert await is_let_in(desk, bearer(token))
        assert not await is_let_in(desk, bearer(FORGERIES[forgery](token, desk.almoner)))

    async def test_so_is_what_a_foreign_key_has_signed(self, clients: Clients, tmp_path: Path) -> None:
        token = await clients.token(await clients.client(OWNER))
        foreign = Keyring.open_or_create(tmp_path / "foreign.json", clients.time)
        foreign.ensure_signing_key("ES256", clients.time)
        signed = TokenSigner(foreign).sign(claims_of(token), clients.time.now)
        assert not await is_let_in(clients, bearer(signed))
        assert not await is_let_in(clients, bearer(forged(signed, kid=header_of(token)["kid"])))

    @pytest.mark.parametrize(
        "claims",
        [
            {"iss": "https://elsewhere.example"},
            {"iss": "http://127.0.0.1:0/"},
            {"aud": "https://elsewhere.example"},
            {"aud": []},
            {"aud": None},
            {"nbf": 9_999_999_999},
            {"org_id": "00000000-0000-4000-8000-000000000000"},
            {"org_id": None},
            {"org_id": 1},
            {"client_id": "unknown"},
            {"client_id": ""},
            {"client_id": 7},
            {"permissions": OWNER},
            {"permissions": None},
            {"iat": "now"},
            {"scope": ["openid"]},
            {"client_id": "", "sub": "user:1"},
            {"client_id": "", "sub": "user:x", "sid": "1"},
            {"client_id": "", "sub": "user:1", "sid": "x"},
            {"client_id": "", "sub": "user:1", "sid": "99"},
            {"client_id": "", "sub": "user:99", "sid": "1"},
        ],
        ids=str,
    )
    async def test_so_is_what_says_something_else_under_the_right_key(
        self, desk: Clients, token: str, claims: dict[str, Any]
    ) -> None:
        signer = TokenSigner(desk.almoner.service.keyring)
        signed = signer.sign({**claims_of(token), **claims}, desk.time.now)
        assert not await is_let_in(desk, bearer(signed))

    async def test_one_audience_of_several_is_enough(self, clients: Clients) -> None:
        token = await clients.token(await clients.client(OWNER))
        audience = [clients.almoner.settings.token_audience, "https://elsewhere.example"]
        signer = TokenSigner(clients.almoner.service.keyring)
        assert await is_let_in(clients, bearer(signer.sign({**claims_of(token), "aud": audience}, clients.time.now)))

    async def test_a_token_for_another_audience_is_refused_where_it_is_not_for(
        self, template: Template, tmp_path: Path
    ) -> None:
        time = Time()
        async with running(
            template,
            tmp_path,
            clock=time,
            token_issuer="https://almoner.example",
            token_audience="https://api.example",
        ) as almoner:
            clients = await open_clients(almoner, time)
            token = await clients.token(await clients.client(OWNER))
            assert claims_of(token).items() >= {"iss": "https://almoner.example", "aud": "https://api.example"}.items()
            assert await is_let_in(clients, bearer(token))
            signer = TokenSigner(almoner.service.keyring)
            to_issuer = signer.sign({**claims_of(token), "aud": "https://almoner.example"}, time.now)
            assert not await is_let_in(clients, bearer(to_issuer))

    async def test_what_the_directory_cannot_have_is_no_failure(self, clients: Clients) -> None:
        for token in ("a.b.c", "..\x7f", "é.ü.ö", "a.b." + "c" * 8000):
            assert not await is_let_in(clients, bearer(token))


async def store_api_token(almoner: Almoner, digest: bytes) -> None:
    row = table_of(ApiTokenRow)
    values = {"user_id": 1, "name": "chosen", "digest": digest, "expires": 0, "created": system_clock()}
    await almoner.service.store.write(lambda tx: tx.execute(insert(row).values(values)))


async def test_an_api_token_that_an_operator_chose_may_have_dots(template: Template, tmp_path: Path) -> None:
    async with running(template, tmp_path) as almoner:
        clients = await open_clients(almoner, Time())
        digest = almoner.service.keyring.digest("api-token", b"ci.token.2026")
        await store_api_token(almoner, digest)
        assert (await clients.who(bearer("ci.token.2026"))).user.username == "admin"


async def test_no_log_has_a_token_or_what_it_says(
    sqlite_template: SqliteTemplate, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    time = Time()
    with structlog.testing.capture_logs() as logs, caplog.at_level("DEBUG"):
        async with running(sqlite_template, tmp_path, clock=time, access_log=True) as almoner:
            clients = await open_clients(almoner, time)
            app = await clients.client(OWNER)
            token = await clients.token(app)
            tokens = [token, (await clients.exchange(ADMIN_TOKEN)).access_token, forged(token, kid="unknown")]
            for each in tokens:
                await is_let_in(clients, bearer(each))
            time.now = claims_of(token)["exp"] * SECOND
            assert not await is_let_in(clients, bearer(token))
    text = repr(logs) + caplog.text
    assert "WhoAmI" in text
    for each in tokens:
        assert not [part for part in each.split(".")[1:] if part in text]
        assert claims_of(each)["jti"] not in text
    assert app.secret not in text
