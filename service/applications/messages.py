# SPDX-License-Identifier: Apache-2.0
"""Between the messages of applications and what the house knows of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from google.protobuf.duration_pb2 import Duration

from almoner.v1 import application_pb2
from service.applications import drafts
from service.applications.drafts import Draft
from service.applications.tables import ApplicationKind
from service.etags import etag_of
from service.rpc.times import from_duration, to_duration, to_timestamp

if TYPE_CHECKING:
    from google.protobuf.message import Message

    from service.applications.queries import StoredApplication
    from service.applications.rotation import NewSecret
    from service.applications.tables import ApplicationSecretRow


def draft_from(application: application_pb2.Application) -> Draft:
    """Returns what a message wants an application to be."""
    member = application.WhichOneof("kind")
    client, provider = application.client, application.provider
    return Draft(
        kind=ApplicationKind[member.upper()] if member else 0,
        name=application.name,
        description=application.description,
        provider=provider.provider,
        authorize_uri=provider.authorize_uri,
        token_uri=provider.token_uri,
        scope=provider.scope,
        client_id=provider.client_id,
        client_secret=provider.client_secret,
        vendor=client.vendor,
        uri=client.uri,
        required_scopes=tuple(client.required_scopes),
        allowed_scopes=tuple(client.allowed_scopes),
        grant_types=tuple(client.grant_types),
        redirect_uris=tuple(client.redirect_uris),
        access_token_lifetime=from_duration(client.access_token_lifetime),
        grant_lifetime=from_duration(client.grant_lifetime),
        renewable=client.renewable if client.HasField("renewable") else None,
        owner_only_secret_rotation=client.owner_only_secret_rotation,
        secret_rotation_lifetime=stated_duration(client, "secret_rotation_lifetime"),
        client_authentication=provider.client_authentication,
        revocation_uri=provider.revocation_uri,
        rotates_refresh_tokens=provider.rotates_refresh_tokens if provider.HasField("rotates_refresh_tokens") else None,
        assumed_token_lifetime=from_duration(provider.assumed_token_lifetime),
    )


def stated_duration(message: Message, member: str) -> int | None:
    """Returns a member as microseconds, None where it is not set: zero is another thing."""
    return from_duration(getattr(message, member)) if message.HasField(member) else None


def application_message(application: StoredApplication, client_secret: str = "") -> application_pb2.Application:
    """Returns an application as a message, with the secret of a provider registration if it is given."""
    message = application_pb2.Application(
        id=application.id,
        number=application.number,
        organization_id=application.organization_id,
        organization_number=application.organization,
        owner_id=application.owner_id,
        name=application.name,
        description=application.description,
        create_time=to_timestamp(application.created),
        update_time=to_timestamp(application.updated),
        etag=etag_of(application.revision),
    )
    if application.kind == ApplicationKind.CLIENT:
        message.client.CopyFrom(_client(application))
    else:
        message.provider.CopyFrom(_provider(application, client_secret))
    return message


def secret_message(secret: ApplicationSecretRow, last_used: int) -> application_pb2.ApplicationSecret:
    """Returns a secret as a message, without its value."""
    return application_pb2.ApplicationSecret(
        id=secret.id,
        generated=secret.generated,
        create_time=to_timestamp(secret.created),
        expire_time=to_timestamp(secret.expires),
        last_use_time=to_timestamp(last_used),
    )


def new_secret_message(new: NewSecret) -> application_pb2.ApplicationSecret:
    """Returns a secret that was just set as a message, without its value."""
    return application_pb2.ApplicationSecret(
        id=new.id, generated=bool(new.client_secret), create_time=to_timestamp(new.created)
    )


def _client(application: StoredApplication) -> application_pb2.ClientApplication:
    stated = drafts.draft_of(application)
    return application_pb2.ClientApplication(
        vendor=stated.vendor,
        uri=stated.uri,
        required_scopes=stated.required_scopes,
        allowed_scopes=stated.allowed_scopes,
        grant_types=(application_pb2.GrantType.ValueType(number) for number in stated.grant_types),
        redirect_uris=stated.redirect_uris,
        access_token_lifetime=to_duration(stated.access_token_lifetime),
        grant_lifetime=to_duration(stated.grant_lifetime),
        renewable=stated.renewable,
        owner_only_secret_rotation=stated.owner_only_secret_rotation,
        secret_rotation_lifetime=_stated(stated.secret_rotation_lifetime),
        secret_count=application.secret_count,
        secret_last_use_time=to_timestamp(application.secret_last_used),
    )


def _stated(length: int | None) -> Duration | None:
    """Returns microseconds as a message, that of zero too."""
    return None if length is None else to_duration(length) or Duration()


def _provider(application: StoredApplication, client_secret: str) -> application_pb2.ProviderRegistration:
    return application_pb2.ProviderRegistration(
        provider=application.provider,
        authorize_uri=application.authorize_uri,
        token_uri=application.token_uri,
        scope=application.scope,
        client_id=application.client_id,
        client_secret=client_secret,
        client_secret_set=application.client_secret is not None,
        client_authentication=application_pb2.ClientAuthentication.ValueType(application.client_authentication),
        revocation_uri=application.revocation_uri,
        rotates_refresh_tokens=application.rotates_refresh_tokens,
        assumed_token_lifetime=to_duration(application.assumed_token_lifetime),
    )
