# SPDX-License-Identifier: Apache-2.0
"""Secrets of OAuth apps (contract sections 1, 3 and 4): replaced at once, rotated by their owner, or by the app itself."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from google.protobuf.duration_pb2 import Duration

from almoner.v1.application_service_pb2 import EndRotationRequest, RotateOwnSecretRequest, RotateSecretRequest
from gateway.call import Call, Reply
from gateway.dialects.vmware.applications import found_application
from gateway.dialects.vmware.bodies import AppCredentials
from gateway.dialects.vmware.credentials import client_of
from gateway.failures import Failure

if TYPE_CHECKING:
    from gateway.dialects.vmware.bodies import EmptyObject, NewCpnSecret, NewCspSecret, OneApp, OwnClient

MEMBERS = {
    "new_client_secret": "newClientSecret",
}

_AT_ONCE = Duration()


async def replace_secret(call: Call[OneApp, None, EmptyObject]) -> Reply:
    """Makes a new secret, which is the only valid one from then on."""
    application = await found_application(call)
    message = RotateSecretRequest(application_id=application.id, previous_lifetime=_AT_ONCE, etag=call.if_match)
    rotated = await call.send(call.services.applications.RotateSecret, message)
    return Reply(AppCredentials(application.id, rotated.client_secret))


async def rotate_secret(call: Call[OneApp, None, NewCpnSecret | NewCspSecret]) -> Reply:
    """Sets a new secret. Those of before go on being valid for a while."""
    application = await found_application(call)
    message = RotateSecretRequest(
        application_id=application.id,
        client_secret=call.body.new_client_secret,
        previous_lifetime=_lifetime(call.body.expiration),
        etag=call.if_match,
    )
    await call.send(call.services.applications.RotateSecret, message)
    return Reply()


async def end_rotation(call: Call[OneApp, None, None]) -> Reply:
    """Leaves the newest secret as the only valid one."""
    application = await found_application(call)
    message = EndRotationRequest(application_id=application.id, etag=call.if_match)
    await call.send(call.services.applications.EndRotation, message)
    return Reply()


async def rotate_own_secret(call: Call[OwnClient, None, NewCpnSecret]) -> Reply:
    """Sets a new secret on the word of the app that has the one before."""
    client = client_of(call)
    if client.client_id != call.path.client_id:
        raise Failure(HTTPStatus.UNAUTHORIZED, "CLIENT_INVALID", "the credentials are those of another client")
    message = RotateOwnSecretRequest(
        client_id=client.client_id,
        client_secret=client.client_secret,
        new_client_secret=call.body.new_client_secret,
        previous_lifetime=_lifetime(call.body.expiration),
    )
    await call.send(call.services.applications.RotateOwnSecret, message)
    return Reply()


def _lifetime(seconds: int | None) -> Duration | None:
    return None if seconds is None else Duration(seconds=seconds)
