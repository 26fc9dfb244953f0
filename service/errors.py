# SPDX-License-Identifier: Apache-2.0
"""The one hierarchy of domain errors: each class has its gRPC code, each error its reason from error_reason.proto.

Depends on nothing. Rules raise these; service.rpc.status turns them into a status, and only there do they meet gRPC.
"""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar, NamedTuple


class Reason(StrEnum):
    """The values of almoner.v1.ErrorReason without their prefix; a test holds the two lists together."""

    INVALID_FIELD = "INVALID_FIELD"
    INVALID_UPDATE_MASK = "INVALID_UPDATE_MASK"
    INVALID_FILTER = "INVALID_FILTER"
    INVALID_ORDER_BY = "INVALID_ORDER_BY"
    INVALID_PAGE_TOKEN = "INVALID_PAGE_TOKEN"  # noqa: S105 - the name of an error
    REQUEST_ID_REUSED = "REQUEST_ID_REUSED"
    CREDENTIALS_MISSING = "CREDENTIALS_MISSING"
    CREDENTIALS_INVALID = "CREDENTIALS_INVALID"
    PERMISSION_MISSING = "PERMISSION_MISSING"
    ON_BEHALF_REFUSED = "ON_BEHALF_REFUSED"
    PERMISSION_ESCALATION = "PERMISSION_ESCALATION"
    PROFILE_NOT_FOUND = "PROFILE_NOT_FOUND"
    APPLICATION_NOT_FOUND = "APPLICATION_NOT_FOUND"
    ORGANIZATION_NOT_FOUND = "ORGANIZATION_NOT_FOUND"
    USER_NOT_FOUND = "USER_NOT_FOUND"
    ROLE_NOT_FOUND = "ROLE_NOT_FOUND"
    ROLE_BINDING_NOT_FOUND = "ROLE_BINDING_NOT_FOUND"
    API_TOKEN_NOT_FOUND = "API_TOKEN_NOT_FOUND"  # noqa: S105 - the name of an error
    PROFILE_LINK_NOT_FOUND = "PROFILE_LINK_NOT_FOUND"
    ALREADY_EXISTS = "ALREADY_EXISTS"
    ETAG_MISMATCH = "ETAG_MISMATCH"
    PROFILE_IN_USE = "PROFILE_IN_USE"
    APPLICATION_IN_USE = "APPLICATION_IN_USE"
    ORGANIZATION_NOT_EMPTY = "ORGANIZATION_NOT_EMPTY"
    USER_IN_USE = "USER_IN_USE"
    BUILT_IN = "BUILT_IN"
    TOO_MANY_ATTEMPTS = "TOO_MANY_ATTEMPTS"
    DEADLINE_EXCEEDED = "DEADLINE_EXCEEDED"
    STORAGE_UNAVAILABLE = "STORAGE_UNAVAILABLE"
    INTERNAL = "INTERNAL"
    WRONG_KIND = "WRONG_KIND"
    ACCESS_RULE_NOT_FOUND = "ACCESS_RULE_NOT_FOUND"
    GRANT_NOT_FOUND = "GRANT_NOT_FOUND"
    JWT_MAPPING_NOT_FOUND = "JWT_MAPPING_NOT_FOUND"
    SCOPE_MISSING = "SCOPE_MISSING"
    SCOPE_REFUSED = "SCOPE_REFUSED"
    GRANT_REFUSED = "GRANT_REFUSED"
    GRANT_TYPE_REFUSED = "GRANT_TYPE_REFUSED"
    CLIENT_INVALID = "CLIENT_INVALID"
    ASSERTION_INVALID = "ASSERTION_INVALID"
    ISSUER_UNAVAILABLE = "ISSUER_UNAVAILABLE"
    TOKEN_INVALID = "TOKEN_INVALID"  # noqa: S105 - the name of an error
    REFRESH_TOKEN_REUSED = "REFRESH_TOKEN_REUSED"  # noqa: S105 - the name of an error
    AUTHORIZATION_PENDING = "AUTHORIZATION_PENDING"
    SLOW_DOWN = "SLOW_DOWN"
    AUTHORIZATION_DENIED = "AUTHORIZATION_DENIED"
    DEVICE_CODE_EXPIRED = "DEVICE_CODE_EXPIRED"
    SECRET_NOT_FOUND = "SECRET_NOT_FOUND"  # noqa: S105 - the name of an error
    SECRET_ROTATION_REFUSED = "SECRET_ROTATION_REFUSED"  # noqa: S105 - the name of an error
    SECRET_LIMIT = "SECRET_LIMIT"  # noqa: S105 - the name of an error
    MEMBERSHIP_NOT_FOUND = "MEMBERSHIP_NOT_FOUND"
    CURSOR_EXPIRED = "CURSOR_EXPIRED"
    SERVER_STOPPING = "SERVER_STOPPING"
    CONSENT_NEEDED = "CONSENT_NEEDED"
    TOKEN_IN_DOUBT = "TOKEN_IN_DOUBT"  # noqa: S105 - the name of an error
    PROVIDER_REFUSED = "PROVIDER_REFUSED"
    PROVIDER_UNAVAILABLE = "PROVIDER_UNAVAILABLE"
    PROVIDER_UNKNOWN = "PROVIDER_UNKNOWN"
    AUTHORIZATION_STATE_INVALID = "AUTHORIZATION_STATE_INVALID"
    AUTHORIZATION_REFUSED = "AUTHORIZATION_REFUSED"
    WEBHOOK_NOT_FOUND = "WEBHOOK_NOT_FOUND"


class Violation(NamedTuple):
    """One member of a request at fault: its path from the request's root, and what is wrong with it."""

    field: str
    description: str


class DomainError(Exception):
    """What a rule refuses, and why. `message` is for people and never holds a secret.

    Attributes:
        code: Name of the gRPC status code.
        reason: Machine-readable reason.
        metadata: Facts of the message for machines (AIP-193).
        violations: The members of the request at fault, if input was.
        retry_after: Seconds after which to try again; 0: nothing is said about it.
    """

    code: ClassVar[str] = "UNKNOWN"
    retry_after: int = 0

    def __init__(
        self,
        reason: Reason,
        message: str,
        *,
        metadata: dict[str, str] | None = None,
        violations: tuple[Violation, ...] = (),
    ) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.metadata = metadata or {}
        self.violations = violations


class Invalid(DomainError):
    """The request breaks a rule whatever the state of the server."""

    code = "INVALID_ARGUMENT"


class InvalidField(Invalid):
    """One or more members of the request break their rules."""

    def __init__(self, *violations: Violation) -> None:
        message = "; ".join(f"{violation.field}: {violation.description}" for violation in violations)
        super().__init__(Reason.INVALID_FIELD, message, violations=violations)


class InvalidUpdateMask(Invalid):
    """update_mask names a path that does not exist or cannot be changed."""

    def __init__(self, path: str) -> None:
        description = f"{path!r} is not a path that can be changed"
        super().__init__(
            Reason.INVALID_UPDATE_MASK,
            f"update_mask: {description}",
            metadata={"path": path},
            violations=(Violation("update_mask", description),),
        )


class InvalidFilter(Invalid):
    """The filter is no AIP-160 expression over this list. `position` counts characters from 0."""

    def __init__(self, message: str, position: int) -> None:
        super().__init__(
            Reason.INVALID_FILTER,
            f"filter: {message} (at character {position})",
            metadata={"position": str(position)},
            violations=(Violation("filter", f"{message} (at character {position})"),),
        )


class InvalidOrderBy(Invalid):
    """The order names a field that the list cannot be ordered by, or one twice."""

    def __init__(self, message: str) -> None:
        super().__init__(Reason.INVALID_ORDER_BY, f"order_by: {message}", violations=(Violation("order_by", message),))


class InvalidPageToken(Invalid):
    """The page token was not issued here, or for another request."""

    def __init__(self) -> None:
        message = "not a token of this list with this filter and order"
        super().__init__(
            Reason.INVALID_PAGE_TOKEN, f"page_token: {message}", violations=(Violation("page_token", message),)
        )


class Unauthenticated(DomainError):
    """Nobody the server knows is calling."""

    code = "UNAUTHENTICATED"


class PermissionDenied(DomainError):
    """The caller is known, and may not."""

    code = "PERMISSION_DENIED"


class NotFound(DomainError):
    """The resource does not exist for this caller."""

    code = "NOT_FOUND"


class AlreadyExists(DomainError):
    """Something else has the name, or the request id."""

    code = "ALREADY_EXISTS"


class EtagMismatch(DomainError):
    """The resource has changed since the caller read it (AIP-154)."""

    code = "ABORTED"

    def __init__(self, current: str) -> None:
        super().__init__(
            Reason.ETAG_MISMATCH, "the resource has changed since this etag was read", metadata={"etag": current}
        )


class FailedPrecondition(DomainError):
    """The state of the resource does not allow it."""

    code = "FAILED_PRECONDITION"


class TooManyAttempts(DomainError):
    """Too many password checks are waiting already, or too much else is."""

    code = "RESOURCE_EXHAUSTED"
    retry_after = 1

    def __init__(self, message: str = "too many password checks are waiting; try again") -> None:
        super().__init__(Reason.TOO_MANY_ATTEMPTS, message)


class SlowDown(DomainError):
    """A device asks more often than it was told to (RFC 8628 section 3.5)."""

    code = "RESOURCE_EXHAUSTED"

    def __init__(self, interval: int) -> None:
        """`interval` is in seconds."""
        super().__init__(Reason.SLOW_DOWN, f"ask every {interval} seconds")
        self.retry_after = interval


class DeadlineExceeded(DomainError):
    """The call took longer than its caller, or the server, gives it."""

    code = "DEADLINE_EXCEEDED"

    def __init__(self) -> None:
        super().__init__(Reason.DEADLINE_EXCEEDED, "the deadline has passed")


class StorageUnavailable(DomainError):
    """The database does not answer, or refuses to write.

    Nothing was changed, unless the connection to it was lost during the commit: then nobody knows.
    """

    code = "UNAVAILABLE"

    def __init__(self) -> None:
        super().__init__(Reason.STORAGE_UNAVAILABLE, "the database is not available; try again")


class CursorExpired(DomainError):
    """What happened after a cursor is not kept any more."""

    code = "OUT_OF_RANGE"

    def __init__(self) -> None:
        super().__init__(Reason.CURSOR_EXPIRED, "what happened after this cursor is not kept any more; list anew")


class ServerStopping(DomainError):
    """The server ends, and with it what would go on for ever. Another one, or the next, goes on from the cursor."""

    code = "UNAVAILABLE"

    def __init__(self) -> None:
        super().__init__(Reason.SERVER_STOPPING, "the server is stopping; go on with another one")


class IssuerUnavailable(DomainError):
    """The keys of the issuer of a JWT cannot be had."""

    code = "UNAVAILABLE"

    def __init__(self, issuer: str) -> None:
        super().__init__(
            Reason.ISSUER_UNAVAILABLE,
            "the keys of the issuer cannot be had; the log says why",
            metadata={"issuer": issuer},
        )


class ProviderUnavailable(DomainError):
    """A provider did not answer, or asks to come back later."""

    code = "UNAVAILABLE"

    def __init__(self, error: str, retry_after: int) -> None:
        """`error` is a word for what failed, `retry_after` is in seconds."""
        super().__init__(
            Reason.PROVIDER_UNAVAILABLE,
            f"the provider is not available ({error}); try again in {retry_after} seconds",
            metadata={"error": error},
        )
        self.retry_after = retry_after


class ConsentLost(DomainError):
    """A provider did not answer when it was shown a code, which is good once: somebody must consent again."""

    code = "UNAVAILABLE"

    def __init__(self, error: str) -> None:
        """`error` is a word for what failed."""
        super().__init__(
            Reason.PROVIDER_UNAVAILABLE,
            f"the provider is not available ({error}), and the code may be spent: begin again",
            metadata={"error": error},
        )


class ProviderRefused(DomainError):
    """A provider refuses for a reason that trying again does not change."""

    code = "FAILED_PRECONDITION"

    def __init__(self, error: str) -> None:
        """`error` is the provider's word for why."""
        super().__init__(Reason.PROVIDER_REFUSED, f"the provider refuses: {error}", metadata={"error": error})
