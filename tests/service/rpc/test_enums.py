# SPDX-License-Identifier: Apache-2.0
"""The house's own enumerations, which know no protobuf, are the contract's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import grpc
import pytest

from almoner.v1 import application_pb2, directory_pb2, error_reason_pb2, grant_pb2, profile_pb2, profile_service_pb2
from service.access.permissions import ALL, Permission, from_text, to_text
from service.applications.tables import ApplicationKind, ClientAuthentication
from service.changes.tables import ChangeKind
from service.consent.revocation_endpoint import Revocation
from service.errors import DomainError, Reason
from service.grants.tables import CertificateField, GrantType
from service.profiles.tables import LinkKind, TokenState

if TYPE_CHECKING:
    from enum import IntEnum


def values_of(enum: Any, prefix: str) -> dict[str, int]:
    """Returns the names of an enumeration of the contract without their prefix, and their numbers."""
    found: dict[str, int] = {name.removeprefix(prefix): number for name, number in enum.items()}
    assert found.pop("UNSPECIFIED") == 0
    return found


@pytest.mark.parametrize(
    ("own", "contracts", "prefix"),
    [
        (Permission, directory_pb2.Permission, "PERMISSION_"),
        (LinkKind, profile_pb2.LinkKind, "LINK_KIND_"),
        (ChangeKind, profile_pb2.ChangeKind, "CHANGE_KIND_"),
        (TokenState, profile_pb2.TokenState, "TOKEN_STATE_"),
        (Revocation, profile_service_pb2.Revocation, "REVOCATION_"),
        (ClientAuthentication, application_pb2.ClientAuthentication, "CLIENT_AUTHENTICATION_"),
        (GrantType, application_pb2.GrantType, "GRANT_TYPE_"),
        (CertificateField, grant_pb2.CertificateField, "CERTIFICATE_FIELD_"),
    ],
)
def test_names_and_numbers_are_the_contracts(own: type[IntEnum], contracts: Any, prefix: str) -> None:
    assert {member.name: member.value for member in own} == values_of(contracts, prefix)


def test_the_kinds_of_applications_are_the_contracts() -> None:
    kinds = application_pb2.Application.DESCRIPTOR.oneofs_by_name["kind"].fields
    assert {kind.name.lower() for kind in ApplicationKind} == {field.name for field in kinds}


def test_reasons_are_the_contracts() -> None:
    assert {reason.name for reason in Reason} == set(values_of(error_reason_pb2.ErrorReason, "ERROR_REASON_"))
    assert all(reason.name == reason.value for reason in Reason)


def test_every_kind_of_error_has_a_code_of_grpc() -> None:
    codes = {kind.code for kind in _kinds(DomainError)}
    assert codes <= {code.name for code in grpc.StatusCode}


def _kinds(of: type[DomainError]) -> list[type[DomainError]]:
    return [found for each in of.__subclasses__() for found in (each, *_kinds(each))]


def test_permissions_are_stored_by_name() -> None:
    assert from_text(to_text(ALL)) == ALL
    assert to_text([Permission.WEB_UI, Permission.ADMINISTRATOR, Permission.WEB_UI]) == "ADMINISTRATOR WEB_UI"
    assert from_text("") == frozenset()
