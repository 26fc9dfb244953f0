# SPDX-License-Identifier: Apache-2.0
"""What may be done with access rules: who may get tokens of which client application."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from service.access.authorization import Target, authorize, denied, reaches
from service.access.caller import SYSTEM
from service.access.permissions import Permission
from service.applications.tables import ApplicationKind
from service.applications.targets import application_not_found
from service.audit import rules as audit
from service.directory.targets import user_target
from service.directory.users import not_found as user_not_found
from service.errors import AlreadyExists, FailedPrecondition, InvalidField, NotFound, Reason, Violation
from service.etags import require_etag
from service.grants import access_rule_queries as queries
from service.grants import parties, party_queries
from service.grants.sight import scope_within, sight_of
from service.listing.listing import PageContext

if TYPE_CHECKING:
    from service.grants.access_rule_queries import StoredAccessRule
    from service.grants.party_queries import Application, Person
    from service.listing.listing import Page, PageQuery
    from service.work import Work

SHOWN_IN_AUDIT: Final = 100
"""How many ids of what was changed at once an audit event has at the most."""


@dataclass(frozen=True, slots=True)
class Draft:
    """What a caller wants an access rule to be. Lifetimes are microseconds, 0 where the application's are to count."""

    allowed_scopes: tuple[str, ...] = ()
    description: str = ""
    access_token_lifetime: int = 0
    grant_lifetime: int = 0
    renewable: bool | None = None


MEMBERS: Final = frozenset(Draft.__dataclass_fields__)
"""Names of everything that can be changed: all but what a rule joins."""

_decode_scopes = msgspec.json.Decoder(tuple[str, ...]).decode


class Pair(NamedTuple):
    """What an access rule joins."""

    application_id: str
    user_id: int

    def __str__(self) -> str:
        return f"{self.application_id}/{self.user_id}"


def allowed_scopes_of(rule: StoredAccessRule) -> tuple[str, ...]:
    """Returns the scopes that a rule allows, in order."""
    return _decode_scopes(rule.allowed_scopes)


def get(work: Work, key: int | Pair, needed: Permission = Permission.RULES_VIEW) -> StoredAccessRule:
    """Returns an access rule, by its id or by what it joins, that the caller may do something with.

    Raises:
        PermissionDenied: the permission is missing.
        NotFound: there is no such rule for the caller.
    """
    rule = queries.find(work.tx, key) if isinstance(key, int) else queries.find_named_pair(work.tx, *key)
    missing = NotFound(Reason.ACCESS_RULE_NOT_FOUND, f"there is no access rule {key}", metadata={"id": str(key)})
    authorize(work.caller, needed, _target_of(rule) if rule else None, missing)
    if rule is None:
        raise missing
    return rule


def page(work: Work, organization_id: str, query: PageQuery) -> Page[StoredAccessRule]:
    """Returns a page of the rules of applications on which the caller holds RULES_VIEW.

    Raises:
        PermissionDenied: RULES_VIEW is missing.
        NotFound: there is no such organization for the caller.
        Invalid: the query is not one of this list.
    """
    caller = work.caller
    if not caller.holds_anywhere(Permission.RULES_VIEW):
        raise denied(Permission.RULES_VIEW)
    scope = scope_within(work, organization_id, sight_of(caller, Permission.RULES_VIEW))
    context = PageContext(organization_id, str(caller.user_id))
    return queries.ACCESS_RULES.page(work.tx, work.keyring, query, scope=scope, context=context)


def create(work: Work, pair: Pair, draft: Draft) -> StoredAccessRule:
    """Lets a user get tokens of a client application.

    Raises:
        PermissionDenied: RULES_MANAGE is missing.
        InvalidField: the application or the user is missing, or a scope is no scope token.
        NotFound: there is no such application or user for the caller.
        FailedPrecondition: the application is no client.
        AlreadyExists: the pair has a rule.
    """
    if not work.caller.holds_anywhere(Permission.RULES_MANAGE):
        raise denied(Permission.RULES_MANAGE)
    _check_pair(pair)
    application = _application_of(work, pair.application_id)
    person = _person_of(work, pair.user_id, application)
    _check_scopes(draft)
    twin = queries.find_pair(work.tx, application.number, person.id)
    if twin is not None:
        raise AlreadyExists(
            Reason.ALREADY_EXISTS,
            f"access rule {twin.id} joins the two already",
            metadata={"id": str(twin.id)},
            violations=(Violation("access_rule.user_id", f"has access rule {twin.id} for this application"),),
        )
    joined = {"application_number": application.number, "user_id": person.id}
    times = {"created": work.now, "updated": work.now, "revision": 1}
    rule_id = queries.add(work.tx, {**joined, **_values(draft), **times})
    changes = audit.stated({**joined, **_shown(draft)})
    audit.record(work, "access_rule.create", f"access_rules/{rule_id}", application.organization, changes)
    return _stored(work, rule_id)


def update(work: Work, key: int | Pair, draft: Draft, members: frozenset[str], etag: str) -> StoredAccessRule:
    """Changes the named members of an access rule to what the draft has.

    Raises:
        PermissionDenied: RULES_MANAGE is missing.
        NotFound: there is no such rule for the caller.
        EtagMismatch: it has changed.
        InvalidField: a scope is no scope token.
    """
    before = get(work, key, Permission.RULES_MANAGE)
    require_etag(etag, before.revision)
    old = Draft(
        allowed_scopes=allowed_scopes_of(before),
        description=before.description,
        access_token_lifetime=before.access_token_lifetime,
        grant_lifetime=before.grant_lifetime,
        renewable=before.renewable,
    )
    after = replace(old, **{name: getattr(draft, name) for name in members})
    _check_scopes(after)
    queries.change(work.tx, before.id, {**_values(after), "updated": work.now, "revision": before.revision + 1})
    changes = audit.differences(_shown(old), _shown(after))
    audit.record(work, "access_rule.update", f"access_rules/{before.id}", before.organization, changes)
    return _stored(work, before.id)


def delete(work: Work, key: int | Pair, etag: str) -> None:
    """Deletes an access rule. Grants that were issued under it stay.

    Raises:
        PermissionDenied: RULES_MANAGE is missing.
        NotFound: there is no such rule for the caller.
        EtagMismatch: it has changed.
    """
    rule = get(work, key, Permission.RULES_MANAGE)
    require_etag(etag, rule.revision)
    queries.remove(work.tx, rule.id)
    changes = {"application_number": [rule.application_number, None], "user_id": [rule.user_id, None]}
    audit.record(work, "access_rule.delete", f"access_rules/{rule.id}", rule.organization, changes)


def delete_all(work: Work, application_id: str, user_id: int) -> int:
    """Deletes the rules of an application, of a user, or of the two together, where the caller may.

    They may be many: belongs into a sweep.

    Args:
        work: The unit of work.
        application_id: Id of the application; empty: any.
        user_id: The user; 0: any.

    Returns:
        How many there were.

    Raises:
        PermissionDenied: RULES_MANAGE is missing, or is missing for the application.
        NotFound: there is no such application or user for the caller.
    """
    needed = Permission.RULES_MANAGE
    if not work.caller.holds_anywhere(needed):
        raise denied(needed)
    number, organization, resource = 0, 0, ""
    if user_id:
        person = parties.known_person(work, user_id, needed)
        organization, resource = person.organization, f"users/{user_id}"
    if application_id:
        application = parties.known_application(work, application_id)
        authorize(work.caller, needed, parties.application_target(application), None)
        number, organization = application.number, application.organization
        resource = f"applications/{number}"
    sight = sight_of(work.caller, needed)
    shown = queries.ids_of(work.tx, number, user_id, sight, SHOWN_IN_AUDIT)
    deleted = queries.remove_of(work.tx, number, user_id, sight)
    if deleted:
        changes = {"user_id": user_id, "deleted": deleted, "access_rules": shown}
        audit.record(work, "access_rule.delete_all", resource, organization, changes)
    return deleted


def _target_of(rule: StoredAccessRule) -> Target:
    return Target(rule.organization, reached_by=parties.OF_RULES, application=rule.application_number)


def _check_pair(pair: Pair) -> None:
    missing = []
    if not pair.application_id:
        missing.append("access_rule.application_id")
    if not pair.user_id:
        missing.append("access_rule.user_id")
    if missing:
        raise InvalidField(*(Violation(path, "is required") for path in missing))


def _application_of(work: Work, application_id: str) -> Application:
    """Returns the client application that a new rule names, if the caller manages its rules."""
    application = party_queries.find_application(work.tx, application_id)
    missing = application_not_found(
        application_id, Violation("access_rule.application_id", "there is no such application")
    )
    target = parties.application_target(application) if application else None
    authorize(work.caller, Permission.RULES_MANAGE, target, missing)
    if application is None:
        raise missing
    if application.kind != ApplicationKind.CLIENT:
        kind = ApplicationKind(application.kind).name.lower()
        raise FailedPrecondition(
            Reason.WRONG_KIND,
            f"application {application_id} is no client",
            metadata={"id": application_id, "kind": kind},
            violations=(Violation("access_rule.application_id", "is no client application"),),
        )
    return application


def _person_of(work: Work, user_id: int, application: Application) -> Person:
    """Returns a user of the application's organization. Those of the first one serve all whom the caller knows."""
    person = party_queries.find_person(work.tx, user_id)
    if person is not None and (
        person.organization == application.organization
        or (application.organization == SYSTEM and reaches(work.caller, user_target(person.id, person.organization)))
    ):
        return person
    raise user_not_found(user_id, (Violation("access_rule.user_id", "there is no such user"),))


def _check_scopes(draft: Draft) -> None:
    """A grant's scopes are kept separated by blanks, so that none may have any (RFC 6749 section 3.3)."""
    violations = [
        Violation(f"access_rule.allowed_scopes[{index}]", "is no scope token: it has blanks")
        for index, scope in enumerate(draft.allowed_scopes)
        if scope.split() != [scope]
    ]
    if violations:
        raise InvalidField(*violations)


def _shown(draft: Draft) -> dict[str, object]:
    return {
        "allowed_scopes": sorted(set(draft.allowed_scopes)),
        "description": draft.description,
        "access_token_lifetime": draft.access_token_lifetime,
        "grant_lifetime": draft.grant_lifetime,
        "renewable": draft.renewable,
    }


def _values(draft: Draft) -> dict[str, object]:
    shown = _shown(draft)
    return {**shown, "allowed_scopes": msgspec.json.encode(shown["allowed_scopes"]).decode()}


def _stored(work: Work, rule_id: int) -> StoredAccessRule:
    rule = queries.find(work.tx, rule_id)
    if rule is None:
        raise LookupError(f"access rule {rule_id} is gone in the transaction that wrote it")
    return rule
