# SPDX-License-Identifier: Apache-2.0
"""The caller of one request: a user or a client application, what they may do where, and whom they act for."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from typing import NamedTuple

from service.access.permissions import ALL, NONE, Permission, Permissions

SYSTEM = 1
"""Number of the organization that exists from the start. Its administrators administer the server."""


class PlaceKind(IntEnum):
    """What a permission can be held on."""

    SERVER = 0
    ORGANIZATION = 1
    APPLICATION = 2


class Place(NamedTuple):
    """Where a permission is held: kind, and number of the organization or application (0 for the server)."""

    kind: PlaceKind
    number: int


SERVER = Place(PlaceKind.SERVER, 0)


def organization_place(number: int) -> Place:
    """Returns the place that is organization `number`."""
    return Place(PlaceKind.ORGANIZATION, number)


class Held(NamedTuple):
    """Permissions held in one place."""

    place: Place
    permissions: Permissions


@dataclass(frozen=True, slots=True)
class Caller:
    """A user who calls, with all they hold.

    Attributes:
        user_id: Id of the user.
        username: Name of the user.
        organization: Number of their organization.
        held_in: What they hold, by place.
        actor: The user who authenticated, where that is another one who acts on behalf of this one.
        scopes: Scopes of the access token that was shown, which limit what is held (`service.access.scopes.limited`);
            None: a password or an API token was.
        application: Number of the client application that this user is; 0: it is a person.
        held_anywhere: All they hold, wherever it is.
    """

    user_id: int
    username: str
    organization: int
    held_in: tuple[Held, ...]
    actor: Caller | None = None
    scopes: frozenset[str] | None = None
    application: int = 0
    held_anywhere: Permissions = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        # A login is made once and asked many times.
        object.__setattr__(self, "held_anywhere", NONE.union(*(permissions for _, permissions in self.held_in)))

    def holds(self, organization: int, application: int = 0) -> Permissions:
        """Returns all that the caller may do in an organization, and on one application of it."""
        found = NONE
        for (kind, number), permissions in self.held_in:
            if Permission.ADMINISTRATOR in permissions and (
                kind == PlaceKind.SERVER or (kind == PlaceKind.ORGANIZATION and number == SYSTEM)
            ):
                return ALL
            if (
                kind == PlaceKind.SERVER
                or (kind == PlaceKind.ORGANIZATION and number == organization)
                or (kind == PlaceKind.APPLICATION and application and number == application)
            ):
                found |= permissions
        return ALL if Permission.ADMINISTRATOR in found else found

    def holds_on_server(self) -> Permissions:
        """Returns what the caller may do everywhere."""
        return self.holds(0)

    def holds_anywhere(self, permission: Permission) -> bool:
        """Whether there is any place where the caller holds the permission."""
        return permission in self.held_anywhere or Permission.ADMINISTRATOR in self.held_anywhere

    def organizations_where(self, *permissions: Permission) -> list[int]:
        """Returns the numbers, sorted, of the single organizations where the caller holds all of the permissions."""
        numbers = {number for (kind, number), _ in self.held_in if kind == PlaceKind.ORGANIZATION}
        return sorted(number for number in numbers if self.holds(number).issuperset(permissions))

    def applications_where(self, permission: Permission) -> list[int]:
        """Returns the numbers, sorted, of the single applications on which the caller holds the permission."""
        sufficient = {permission, Permission.ADMINISTRATOR}
        return sorted(
            {
                number
                for (kind, number), permissions in self.held_in
                if kind == PlaceKind.APPLICATION and not permissions.isdisjoint(sufficient)
            }
        )

    def acting_for(self, subject: Caller) -> Caller:
        """Returns `subject` as the caller, allowed what this caller may do in the subject's organization.

        Which profiles are reached is the subject's affair, what may be done with them the actor's.
        """
        mine = self.holds(subject.organization) - {Permission.ADMINISTRATOR, Permission.PROFILES_ALL}
        theirs = subject.holds(subject.organization) & {Permission.PROFILES_ALL}
        return Caller(
            user_id=subject.user_id,
            username=subject.username,
            organization=subject.organization,
            held_in=(Held(organization_place(subject.organization), mine | theirs),),
            actor=self,
        )


SERVICE = Caller(0, "almoner", SYSTEM, ())
"""Who does what nobody asked for just then: the service itself. It is in the audit trail, and may nothing."""
