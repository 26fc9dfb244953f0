# SPDX-License-Identifier: Apache-2.0
"""The ways in which the token endpoint answers badly, as data: a test scripts them, one a request."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Answer(StrEnum):
    """What is sent where a test has not asked for the ordinary answer."""

    ORDINARY = "ordinary"
    """What the request deserves; with `held` it is slow."""
    NONE = "none"
    """The connection is closed without one."""
    CUT = "cut"
    """The connection is closed in the middle of the body."""
    HANGING = "hanging"
    """Neither an answer nor an end of the connection, for ever."""
    MALFORMED = "malformed"
    """A body that is no JSON, and says it is."""
    WRONG_TYPE = "wrong_type"
    """The ordinary body as text/html."""
    OVERSIZED = "oversized"
    """The ordinary body with ten more megabytes in it."""
    WITHOUT_ACCESS_TOKEN = "without_access_token"
    """The ordinary body without its access token."""
    WITHOUT_REFRESH_TOKEN = "without_refresh_token"
    """The ordinary body without its refresh token: the one before is to stay, or there is none."""
    ERROR_WITH_200 = "error_with_200"
    """Status 200 with `error` in the body, as Slack and GitHub have it."""
    ERROR = "error"
    """`status` with `error` in the body, and Retry-After if `retry_after` says so."""
    REDIRECT = "redirect"
    """`status` and a Location elsewhere, where it is noted whether credentials arrive."""


@dataclass(frozen=True)
class Fault:
    """What happens to one request to the token endpoint.

    Attributes:
        answer: What is sent.
        processed: Whether the request is done before that is sent: a refresh token rotates, and nobody may hear of it.
        held: Whether the request is held before anything is done about it, until the test releases it.
        answer_held: Whether the answer is held when all is done, until the test releases it.
        status: HTTP status of an error or a redirect.
        error: The error of RFC 6749 section 5.2, if any.
        retry_after: Value of the Retry-After header; empty: none.
    """

    answer: Answer = Answer.ORDINARY
    processed: bool = True
    held: bool = False
    answer_held: bool = False
    status: int = 200
    error: str = ""
    retry_after: str = ""


ORDINARY = Fault()
SLOW = Fault(held=True)
SLOW_ANSWER = Fault(answer_held=True)
SLOW_FAILURE = Fault(Answer.NONE, processed=False, held=True)
SLOW_REFUSAL = Fault(Answer.ERROR, processed=False, held=True, status=503)
LOST = Fault(Answer.NONE)
REFUSED_WITHOUT_ANSWER = Fault(Answer.NONE, processed=False)
CUT = Fault(Answer.CUT)
HANGING = Fault(Answer.HANGING, processed=False)
HANGING_AFTER_ROTATION = Fault(Answer.HANGING)
MALFORMED = Fault(Answer.MALFORMED)
WRONG_TYPE = Fault(Answer.WRONG_TYPE)
OVERSIZED = Fault(Answer.OVERSIZED)
WITHOUT_ACCESS_TOKEN = Fault(Answer.WITHOUT_ACCESS_TOKEN)
WITHOUT_REFRESH_TOKEN = Fault(Answer.WITHOUT_REFRESH_TOKEN)
ERROR_WITH_200 = Fault(Answer.ERROR_WITH_200, processed=False, error="internal_error")
INVALID_GRANT_OF_SLACK = Fault(Answer.ERROR_WITH_200, processed=False, error="invalid_refresh_token")
INVALID_GRANT_OF_GITHUB = Fault(Answer.ERROR_WITH_200, processed=False, error="bad_refresh_token")
TOO_MANY_REQUESTS = Fault(Answer.ERROR, processed=False, status=429)
TOO_MANY_REQUESTS_FOR_A_WHILE = Fault(Answer.ERROR, processed=False, status=429, retry_after="1800")
UNAVAILABLE = Fault(Answer.ERROR, processed=False, status=503)
UNAVAILABLE_FOR_A_WHILE = Fault(Answer.ERROR, processed=False, status=503, retry_after="1800")
BROKEN = Fault(Answer.ERROR, processed=False, status=500)
BROKEN_AFTER_ROTATION = Fault(Answer.ERROR, status=500)
INVALID_GRANT = Fault(Answer.ERROR, processed=False, status=400, error="invalid_grant")
INVALID_CLIENT = Fault(Answer.ERROR, processed=False, status=401, error="invalid_client")
FOUND_ELSEWHERE = Fault(Answer.REDIRECT, processed=False, status=302)
TEMPORARILY_ELSEWHERE = Fault(Answer.REDIRECT, processed=False, status=307)
