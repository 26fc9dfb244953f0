# SPDX-License-Identifier: Apache-2.0
"""Callers with an access token: their own grants are theirs to see and revoke only if its scopes say so."""

from __future__ import annotations

import base64
import secrets
from typing import TYPE_CHECKING

import pytest

from service.access.authentication import ACCESS_TOKEN_DIGEST
from tests.refusals import refusal_of

if TYPE_CHECKING:
    from tests.running import Metadata
    from tests.service.grants.office import Application, Office
    from tests.service.profiles.desk import Person


async def token(office: Office, application: Application, who: Person, scopes: str) -> Metadata:
    """Returns the metadata of calls with an access token, whose grant the caller also has."""
    text = base64.b64encode(secrets.token_bytes(16)).decode()
    digest = office.almoner.service.keyring.digest(ACCESS_TOKEN_DIGEST, text.encode())
    await office.grant(application, who, scopes=scopes, access_token=digest)
    return (("authorization", f"Bearer {text}"),)


@pytest.mark.parametrize(
    ("scopes", "sees", "revokes"),
    [
        ("certificate", False, False),
        ("tokens", True, False),
        ("tokens:revoke", False, True),
        ("tokens tokens:revoke", True, True),
        ("admin", True, True),
    ],
)
async def test_ones_own_grants_take_a_scope(
    office: Office,
    scopes: str,
    sees: bool,  # noqa: FBT001
    revokes: bool,  # noqa: FBT001
) -> None:
    application, who = await office.application(), await office.person()
    grant = await office.grant(application, who)
    by = await token(office, application, who, scopes)

    assert bool(await office.grants(by)) == sees
    assert bool((await office.call("CountGrants", by)).grants) == sees
    for call in (
        office.call("RevokeGrant", by, id=grant),
        office.call("RevokeGrants", by, user_id=who.id, application_id=application.id),
    ):
        if revokes:
            await call
        else:
            assert (await refusal_of(call)).reason == "PERMISSION_MISSING"


async def test_a_revoked_grants_access_token_is_refused_at_once(office: Office) -> None:
    application, who = await office.application(), await office.person()
    by = await token(office, application, who, "admin")
    assert await office.grants(by)

    assert (await office.call("RevokeGrants", user_id=who.id)).revoked == 1

    assert (await refusal_of(office.grants(by))).code.name == "UNAUTHENTICATED"


async def test_an_access_token_does_not_give_what_its_user_does_not_hold(office: Office) -> None:
    application, who = await office.application(), await office.person()
    by = await token(office, application, who, "admin admin:delete tokens")

    assert (await refusal_of(office.rules(by))).reason == "PERMISSION_MISSING"
    assert (await refusal_of(office.call("RevokeGrants", by, application_id=application.id))).code.name == (
        "PERMISSION_DENIED"
    )
