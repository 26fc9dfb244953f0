# SPDX-License-Identifier: Apache-2.0
"""Whatever is called in whatever order, the service does what a model of a few dictionaries does.

Hypothesis makes up the calls: on applications, profiles and links of one organization, with right and wrong references,
masks and etags. After every call the lists of the service are compared with the model, and so is every refusal.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar, cast

import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from grpc.aio import AioRpcError
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from almoner.v1 import application_pb2
from almoner.v1.application_service_pb2 import (
    CreateApplicationRequest,
    DeleteApplicationRequest,
    ListApplicationsRequest,
    UpdateApplicationRequest,
)
from almoner.v1.application_service_pb2_grpc import ApplicationServiceStub
from almoner.v1.profile_pb2 import LINK_KIND_CONNECTION, LINK_KIND_CUSTOMER, LINK_KIND_DATA_SOURCE, LinkCounts
from tests.refusals import read_refusal
from tests.running import running
from tests.service.profiles.desk import Application, Credentials, Desk, Profile, ProfileLink, open_desk

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator
    from pathlib import Path

    from tests.databases import SqliteTemplate
    from tests.running import Almoner

Result = TypeVar("Result")

UNKNOWN = 2**40
CUSTOMER = LINK_KIND_CUSTOMER
SECRETS = ("access_token", "refresh_token", "verification_token")
MASK = ("name", "description", "provider", "application_number", "client", "client.client_id", *SECRETS)


@dataclass
class ModelApplication:
    is_provider: bool
    name: str
    provider: str
    revision: int = 1


@dataclass
class ModelProfile:
    name: str
    description: str = ""
    provider: str = ""
    application: int = 0
    client_id: str = ""
    client_secret: bool = False
    secrets: dict[str, str] = field(default_factory=dict)
    revision: int = 1


@dataclass
class ModelLink:
    kind: int
    profile: int
    external_id: str
    name: str
    revision: int = 1


class Refused(Exception):
    """What the model refuses, with the reason."""


def answer_of(decide: Callable[[], Result]) -> tuple[Result | None, str]:
    """Returns what the model answers, or the reason that it refuses with."""
    try:
        return decide(), "OK"
    except Refused as refused:
        return None, str(refused)


def check_etag(etag: str, revision: int) -> None:
    if etag and etag != f'"{revision}"':
        raise Refused("ETAG_MISMATCH")


@dataclass
class Model:
    """What the service should hold, and what it should refuse."""

    applications: dict[int, ModelApplication] = field(default_factory=dict)
    profiles: dict[int, ModelProfile] = field(default_factory=dict)
    links: dict[int, ModelLink] = field(default_factory=dict)

    def links_of(self, profile: int) -> list[int]:
        return [number for number, link in self.links.items() if link.profile == profile]

    def check_profile(self, profile: ModelProfile) -> None:
        own = (profile.client_id, profile.client_secret, profile.provider)
        if not profile.name or not (profile.application or all(own)):
            raise Refused("INVALID_FIELD")

    def check_source(self, number: int) -> None:
        if number and number not in self.applications:
            raise Refused("APPLICATION_NOT_FOUND")
        if number and not self.applications[number].is_provider:
            raise Refused("WRONG_KIND")

    def create_profile(self, wanted: Profile) -> ModelProfile:
        profile = ModelProfile(
            wanted.name,
            wanted.description,
            "" if wanted.application_number else wanted.provider,
            wanted.application_number,
            wanted.client.client_id,
            bool(wanted.client.client_secret),
            {name: getattr(wanted, name) for name in SECRETS if getattr(wanted, name)},
        )
        self.check_profile(profile)
        self.check_source(profile.application)
        return profile

    def update_profile(self, number: int, wanted: Profile, paths: list[str], etag: str) -> ModelProfile:
        before = self.profiles.get(number)
        if before is None:
            raise Refused("PROFILE_NOT_FOUND")
        check_etag(etag, before.revision)
        named = set(MASK) if paths == ["*"] else set(paths)
        after = ModelProfile(
            wanted.name if "name" in named else before.name,
            wanted.description if "description" in named else before.description,
            wanted.provider if "provider" in named else before.provider,
            before.application,
            before.client_id,
            before.client_secret,
            dict(before.secrets),
            before.revision + 1,
        )
        if named & {"client", "client.client_id"}:
            after.client_id = wanted.client.client_id
            if "application_number" not in named:
                after.application = 0
        if "client" in named:
            after.client_secret = bool(wanted.client.client_secret)
        if "application_number" in named:
            after.application = wanted.application_number
        if after.application:
            if named & {"client", "client.client_id"} and "application_number" not in named:
                raise AssertionError
            after.provider = after.client_id = ""
            after.client_secret = False
        for name in SECRETS:
            if name in named:
                after.secrets.pop(name, None)
                if value := getattr(wanted, name):
                    after.secrets[name] = value
        self.check_profile(after)
        if after.application != before.application:
            self.check_source(after.application)
        return after

    def delete_profile(self, number: int, etag: str, *, force: bool) -> int:
        profile = self.profiles.get(number)
        if profile is None:
            raise Refused("PROFILE_NOT_FOUND")
        check_etag(etag, profile.revision)
        used = self.links_of(number)
        if used and not force:
            raise Refused("PROFILE_IN_USE")
        self.release(number)
        return len(used)

    def release(self, number: int) -> None:
        for link_number in self.links_of(number):
            link = self.links[link_number]
            if link.kind == CUSTOMER:
                del self.links[link_number]
            else:
                link.profile, link.revision = 0, link.revision + 1
        del self.profiles[number]

    def delete_application(self, number: int, etag: str, *, cascade: bool) -> int:
        application = self.applications.get(number)
        if application is None:
            raise Refused("APPLICATION_NOT_FOUND")
        check_etag(etag, application.revision)
        used = [profile for profile, each in self.profiles.items() if each.application == number]
        if used and not cascade:
            raise Refused("APPLICATION_IN_USE")
        for profile in used:
            self.release(profile)
        del self.applications[number]
        return len(used)

    def update_link(self, number: int, profile: int, external_id: str, name: str, etag: str) -> ModelLink:
        before = self.links.get(number)
        if before is None:
            raise Refused("PROFILE_LINK_NOT_FOUND")
        check_etag(etag, before.revision)
        return self.checked_link(ModelLink(before.kind, profile, external_id, name, before.revision + 1), number)

    def checked_link(self, link: ModelLink, number: int = 0) -> ModelLink:
        if link.profile and link.profile not in self.profiles:
            raise Refused("PROFILE_NOT_FOUND")
        if not link.profile and link.kind == CUSTOMER:
            raise Refused("INVALID_FIELD")
        if link.profile and link.external_id:
            for other, each in self.links.items():
                same = (each.kind, each.profile, each.external_id) == (link.kind, link.profile, link.external_id)
                if same and other != number:
                    raise Refused("ALREADY_EXISTS")
        return link


names = st.sampled_from(["", "a", "b", "Ü"])
texts = st.sampled_from(["", "x", "y"])
kinds = st.sampled_from([LINK_KIND_DATA_SOURCE, LINK_KIND_CONNECTION, LINK_KIND_CUSTOMER])
picks = st.integers(0, 20)
etags = st.sampled_from(["", "", "right", "wrong"])
masks = st.one_of(st.just(["*"]), st.lists(st.sampled_from(MASK), unique=True, min_size=1, max_size=4))


class House(RuleBasedStateMachine):
    """The calls."""

    def __init__(self, runner: asyncio.Runner, almoner: Almoner) -> None:
        super().__init__()
        self.runner = runner
        self.desk: Desk = runner.run(open_desk(almoner))
        self.applications_stub: Any = ApplicationServiceStub(almoner.channel)
        self.model = Model()

    # References: mostly to something that is there, sometimes to nothing.

    @staticmethod
    def pick(numbers: Any, pick: int) -> int:
        known = sorted(numbers)
        return known[pick % len(known)] if known and pick < 18 else UNKNOWN

    @staticmethod
    def etag(kind: str, resource: Any) -> str:
        if not kind:
            return ""
        revision = resource.revision if resource is not None else 1
        return f'"{revision if kind == "right" else revision + 1}"'

    def outcome(self, call: Coroutine[Any, Any, Any]) -> tuple[Any, str]:
        """Returns a reply, or the reason of a refusal."""
        try:
            return self.runner.run(_awaited(call)), "OK"
        except AioRpcError as error:
            return None, read_refusal(error).reason

    def message(self, source: str, name: str, text: str, pick: int, secret: str) -> Profile:
        """Returns a profile to create, or to update from."""
        members: dict[str, Any] = {secret: f"{secret} {text}"} if text else {}
        if source == "application":
            members["application_number"] = self.pick(self.model.applications, pick)
        elif source == "client":
            members["client"] = Credentials(client_id=f"id {text}", client_secret=text)
        return Profile(name=name, description=text, provider=text and f"provider {text}", **members)

    # The calls themselves.

    @rule(name=names, text=texts, is_provider=st.booleans())
    def create_application(self, name: str, text: str, *, is_provider: bool) -> None:
        wanted = Application(name=name, organization_id=self.desk.organization.id)
        if is_provider:
            wanted.provider.MergeFrom(application_pb2.ProviderRegistration(provider=text, client_id="id"))
        else:
            wanted.client.SetInParent()
        valid = bool(name) and (bool(text) or not is_provider)
        request = CreateApplicationRequest(application=wanted)
        reply, reason = self.outcome(self.applications_stub.CreateApplication(request, metadata=self.desk.chief.by))
        assert reason == ("OK" if valid else "INVALID_FIELD")
        if valid:
            model = ModelApplication(is_provider, name, text if is_provider else "")
            self.model.applications[reply.application.number] = model

    @rule(pick=picks, name=names, etag=etags)
    def rename_application(self, pick: int, name: str, etag: str) -> None:
        number = self.pick(self.model.applications, pick)
        model = self.model.applications.get(number)
        request = UpdateApplicationRequest(
            application=Application(number=number, name=name),
            update_mask=FieldMask(paths=["name"]),
            etag=self.etag(etag, model),
        )
        _, reason = self.outcome(self.applications_stub.UpdateApplication(request, metadata=self.desk.chief.by))
        if model is None:
            assert reason == "APPLICATION_NOT_FOUND"
        elif etag == "wrong":
            assert reason == "ETAG_MISMATCH"
        elif not name:
            assert reason == "INVALID_FIELD"
        else:
            assert reason == "OK"
            model.name, model.revision = name, model.revision + 1

    @rule(pick=picks, etag=etags, cascade=st.booleans())
    def delete_application(self, pick: int, etag: str, *, cascade: bool) -> None:
        number = self.pick(self.model.applications, pick)
        etag = self.etag(etag, self.model.applications.get(number))
        request = DeleteApplicationRequest(number=number, etag=etag, cascade=cascade)
        reply, reason = self.outcome(self.applications_stub.DeleteApplication(request, metadata=self.desk.chief.by))
        deleted, expected = answer_of(lambda: self.model.delete_application(number, etag, cascade=cascade))
        assert reason == expected
        assert reply is None or reply.profiles_deleted == deleted

    @rule(
        source=st.sampled_from(["application", "client", "client", "none"]),
        name=names,
        text=texts,
        pick=picks,
        secret=st.sampled_from(SECRETS),
    )
    def create_profile(self, source: str, name: str, text: str, pick: int, secret: str) -> None:
        wanted = self.message(source, name, text, pick, secret)
        reply, reason = self.outcome(self.desk.call("CreateProfile", profile=wanted))
        model, expected = answer_of(lambda: self.model.create_profile(wanted))
        assert reason == expected
        if model is not None:
            self.model.profiles[reply.profile.id] = model

    @rule(
        pick=picks,
        source=st.sampled_from(["application", "client", "none"]),
        name=names,
        text=texts,
        other=picks,
        secret=st.sampled_from(SECRETS),
        paths=masks,
        etag=etags,
    )
    def update_profile(
        self, *, pick: int, source: str, name: str, text: str, other: int, secret: str, paths: list[str], etag: str
    ) -> None:
        number = self.pick(self.model.profiles, pick)
        etag = self.etag(etag, self.model.profiles.get(number))
        wanted = self.message(source, name, text, other, secret)
        wanted.id = number
        _, reason = self.outcome(
            self.desk.call("UpdateProfile", profile=wanted, update_mask=FieldMask(paths=paths), etag=etag)
        )
        model, expected = answer_of(lambda: self.model.update_profile(number, wanted, paths, etag))
        assert reason == expected
        if model is not None:
            self.model.profiles[number] = model

    @rule(pick=picks, etag=etags, force=st.booleans())
    def delete_profile(self, pick: int, etag: str, *, force: bool) -> None:
        number = self.pick(self.model.profiles, pick)
        etag = self.etag(etag, self.model.profiles.get(number))
        reply, reason = self.outcome(self.desk.call("DeleteProfile", id=number, etag=etag, force=force))
        released, expected = answer_of(lambda: self.model.delete_profile(number, etag, force=force))
        assert reason == expected
        assert reply is None or reply.links_released == released

    @rule(kind=kinds, pick=picks, external_id=texts, name=names, bound=st.booleans())
    def create_link(self, kind: Any, pick: int, external_id: str, name: str, *, bound: bool) -> None:
        profile = self.pick(self.model.profiles, pick) if bound else 0
        wanted = ProfileLink(kind=kind, profile_id=profile, external_id=external_id, name=name)
        reply, reason = self.outcome(self.desk.call("CreateProfileLink", link=wanted))
        model, expected = answer_of(lambda: self.model.checked_link(ModelLink(kind, profile, external_id, name)))
        assert reason == expected
        if model is not None:
            self.model.links[reply.link.id] = model

    @rule(pick=picks, other=picks, external_id=texts, name=names, etag=etags, bound=st.booleans())
    def update_link(self, *, pick: int, other: int, external_id: str, name: str, etag: str, bound: bool) -> None:
        number = self.pick(self.model.links, pick)
        etag = self.etag(etag, self.model.links.get(number))
        profile = self.pick(self.model.profiles, other) if bound else 0
        wanted = ProfileLink(id=number, profile_id=profile, external_id=external_id, name=name)
        mask = FieldMask(paths=["profile_id", "external_id", "name"])
        _, reason = self.outcome(self.desk.call("UpdateProfileLink", link=wanted, update_mask=mask, etag=etag))
        model, expected = answer_of(lambda: self.model.update_link(number, profile, external_id, name, etag))
        assert reason == expected
        if model is not None:
            self.model.links[number] = model

    @precondition(lambda self: self.model.links)
    @rule(pick=picks, etag=etags)
    def delete_link(self, pick: int, etag: str) -> None:
        number = self.pick(self.model.links, pick)
        model = self.model.links.get(number)
        etag = self.etag(etag, model)
        _, reason = self.outcome(self.desk.call("DeleteProfileLink", id=number, etag=etag))
        if model is None:
            assert reason == "PROFILE_LINK_NOT_FOUND"
        elif etag not in {"", f'"{model.revision}"'}:
            assert reason == "ETAG_MISMATCH"
        else:
            assert reason == "OK"
            del self.model.links[number]

    # What must be so after each.

    @invariant()
    def applications_are_the_models(self) -> None:
        request = ListApplicationsRequest(page_size=1000)
        reply, _ = self.outcome(self.applications_stub.ListApplications(request, metadata=self.desk.chief.by))
        found = {
            each.number: ModelApplication(
                each.WhichOneof("kind") == "provider", each.name, each.provider.provider, int(each.etag.strip('"'))
            )
            for each in reply.applications
        }
        assert found == self.model.applications

    @invariant()
    def profiles_are_the_models(self) -> None:
        reply, _ = self.outcome(self.desk.page(page_size=1000))
        assert [profile.id for profile in reply.profiles] == sorted(self.model.profiles)
        for profile in reply.profiles:
            self.profile_is_the_models(profile, self.model.profiles[profile.id])

    def profile_is_the_models(self, profile: Profile, model: ModelProfile) -> None:
        assert (profile.name, profile.description) == (model.name, model.description)
        assert profile.application_number == model.application
        if model.application:
            assert profile.provider == self.model.applications[model.application].provider
            assert profile.client_id == "id"
        else:
            assert (profile.provider, profile.client_id) == (model.provider, model.client_id)
        assert profile.stored.client_secret == model.client_secret
        assert {name for name in SECRETS if getattr(profile.stored, name)} == set(model.secrets)
        kinds_of_links = [self.model.links[number].kind for number in self.model.links_of(profile.id)]
        assert profile.link_counts == LinkCounts(
            data_sources=kinds_of_links.count(LINK_KIND_DATA_SOURCE),
            connections=kinds_of_links.count(LINK_KIND_CONNECTION),
            customers=kinds_of_links.count(LINK_KIND_CUSTOMER),
        )
        assert profile.etag == f'"{model.revision}"'

    @invariant()
    def links_are_the_models(self) -> None:
        reply, _ = self.outcome(self.desk.call("ListProfileLinks", page_size=1000))
        found = {
            link.id: ModelLink(link.kind, link.profile_id, link.external_id, link.name, int(link.etag.strip('"')))
            for link in reply.links
        }
        assert found == self.model.links


async def _awaited(call: Any) -> Any:
    return await call


@pytest.fixture
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


@pytest.mark.timeout(180)
def test_the_service_does_what_the_model_does(
    sqlite_template: SqliteTemplate, tmp_path: Path, runner: asyncio.Runner
) -> None:
    service = running(sqlite_template, tmp_path)
    almoner = runner.run(service.__aenter__())
    try:
        run_state_machine_as_test(
            cast("Any", lambda: House(runner, almoner)),
            settings=settings(
                max_examples=30, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
            ),
        )
    finally:
        runner.run(service.__aexit__(None, None, None))
