# SPDX-License-Identifier: Apache-2.0
"""How long tokens live, and whether they can be refreshed. Pure: lifetimes and times are microseconds."""

from __future__ import annotations

from typing import NamedTuple, Protocol


class ApplicationTerms(Protocol):
    """What a client application says: lifetimes, 0 where it says nothing; None where it does not say."""

    @property
    def access_token_lifetime(self) -> int: ...  # noqa: D102 - named for what it is
    @property
    def grant_lifetime(self) -> int: ...  # noqa: D102
    @property
    def renewable(self) -> bool | None: ...  # noqa: D102


class PolicyTerms(Protocol):
    """What the policy of its organization says, for what the application does not."""

    @property
    def access_token_lifetime(self) -> int: ...  # noqa: D102
    @property
    def grant_lifetime(self) -> int: ...  # noqa: D102
    @property
    def renewable(self) -> bool: ...  # noqa: D102


class Terms(NamedTuple):
    """What a grant is issued with.

    Attributes:
        access_token_lifetime: Of each of its access tokens.
        access_token_expires: When the first one expires.
        expires: When the grant expires, and the refresh token with it.
        renewable: Whether there is a refresh token.
    """

    access_token_lifetime: int
    access_token_expires: int
    expires: int
    renewable: bool


def terms_of(application: ApplicationTerms, rule: ApplicationTerms, policy: PolicyTerms, now: int) -> Terms:
    """Returns the terms of a grant that is issued now.

    The application decides, and the policy where it does not; the rule narrows that and never widens it. No access
    token outlives its grant, and a grant that cannot be refreshed ends with its access token.

    Args:
        application: What the client application says.
        rule: What the user's access rule says, in the same form.
        policy: What holds otherwise.
        now: The time.
    """
    access = _narrowed(application.access_token_lifetime or policy.access_token_lifetime, rule.access_token_lifetime)
    grant = _narrowed(application.grant_lifetime or policy.grant_lifetime, rule.grant_lifetime)
    renewable = policy.renewable if application.renewable is None else application.renewable
    renewable = renewable and rule.renewable is not False
    access_expires = now + min(access, grant)
    return Terms(access, access_expires, now + grant if renewable else access_expires, renewable)


def _narrowed(lifetime: int, limit: int) -> int:
    return min(lifetime, limit) if limit else lifetime
