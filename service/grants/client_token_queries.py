# SPDX-License-Identifier: Apache-2.0
"""Every statement that JWTs are issued by, built once. None of them writes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import and_, bindparam, select

from service.applications.tables import ApplicationRow, ClientMembershipRow
from service.directory.tables import OrganizationRow
from service.grants.tables import TokenPolicyRow
from service.storage.statements import one
from service.storage.tables import table_of

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Select

    from service.storage.store import Tx


class Place:
    """An organization that a token may be for."""

    number: int
    id: str
    disabled: bool


class Terms:
    """A client application in an organization: what its tokens may carry, and for how long. Lists are JSON.

    `scopes` is None where it is no member, `refused_grant_types` where its organization has the first policy.
    """

    allowed_scopes: str
    grant_types: str
    access_token_lifetime: int
    own: int
    own_disabled: bool
    organization: int
    organization_id: str
    disabled: bool
    scopes: str | None
    refused_grant_types: str | None


_APPLICATIONS = table_of(ApplicationRow)
_MEMBERSHIPS = table_of(ClientMembershipRow)
_ORGANIZATIONS = table_of(OrganizationRow)
_HOMES = _ORGANIZATIONS.alias("homes")
_POLICIES = table_of(TokenPolicyRow)

_PLACE = select(_ORGANIZATIONS.c.number, _ORGANIZATIONS.c.id, _ORGANIZATIONS.c.disabled)
_PLACE_BY_NUMBER = _PLACE.where(_ORGANIZATIONS.c.number == bindparam("number"))
_PLACE_BY_ID = _PLACE.where(_ORGANIZATIONS.c.id == bindparam("id"))


def _terms_in(place: ColumnElement[bool]) -> Select[tuple[object, ...]]:
    return (
        select(
            _APPLICATIONS.c.allowed_scopes,
            _APPLICATIONS.c.grant_types,
            _APPLICATIONS.c.access_token_lifetime,
            _APPLICATIONS.c.organization.label("own"),
            _HOMES.c.disabled.label("own_disabled"),
            _ORGANIZATIONS.c.number.label("organization"),
            _ORGANIZATIONS.c.id.label("organization_id"),
            _ORGANIZATIONS.c.disabled,
            _MEMBERSHIPS.c.scopes,
            _POLICIES.c.refused_grant_types,
        )
        .join(_HOMES, _HOMES.c.number == _APPLICATIONS.c.organization)
        .join(_ORGANIZATIONS, place)
        .outerjoin(
            _MEMBERSHIPS,
            and_(
                _MEMBERSHIPS.c.application_number == _APPLICATIONS.c.number,
                _MEMBERSHIPS.c.organization == _ORGANIZATIONS.c.number,
            ),
        )
        .outerjoin(_POLICIES, _POLICIES.c.organization == _APPLICATIONS.c.organization)
        .where(_APPLICATIONS.c.number == bindparam("application"))
    )


_TERMS_AT_HOME = _terms_in(_ORGANIZATIONS.c.number == _APPLICATIONS.c.organization)
_TERMS = _terms_in(_ORGANIZATIONS.c.id == bindparam("organization_id"))


def find_terms(tx: Tx, application: int, organization_id: str) -> Terms | None:
    """Returns the terms of a client application, by its number, in an organization (empty: its own)."""
    if not organization_id:
        return one(tx, Terms, _TERMS_AT_HOME, {"application": application})
    return one(tx, Terms, _TERMS, {"application": application, "organization_id": organization_id.lower()})


def find_place(tx: Tx, key: int | str) -> Place | None:
    """Returns an organization by its number or its id."""
    if isinstance(key, int):
        return one(tx, Place, _PLACE_BY_NUMBER, {"number": key})
    return one(tx, Place, _PLACE_BY_ID, {"id": key.lower()})
