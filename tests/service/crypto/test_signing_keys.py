# SPDX-License-Identifier: Apache-2.0
"""When signing keys sign and are published: the edges, and that nothing which is valid is ever refused."""

from __future__ import annotations

from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.clock import MINUTE, SECOND
from service.crypto.keyring_file import SigningKey
from service.crypto.signing_keys import (
    ACTIVATION_DELAY,
    LONGEST_LIFETIME,
    OVERLAP,
    current,
    new_signing_key,
    published,
    succeeded,
)

START = 1_700_000_000 * SECOND


def key(name: str, *, signs_from: int = START) -> SigningKey:
    """Returns a key that nobody signs with."""
    return SigningKey(kid=name, algorithm="ES256", private_key=b"", created=signs_from, signs_from=signs_from)


def rotated(keys: tuple[SigningKey, ...], name: str, now: int, *, delay: int, overlap: int) -> tuple[SigningKey, ...]:
    return succeeded(keys, key(name, signs_from=now + delay), now=now, overlap=overlap)


def names(keys: tuple[SigningKey, ...]) -> str:
    return "".join(each.kid for each in keys)


def signing(keys: tuple[SigningKey, ...], now: int) -> str:
    found = current(keys, now)
    assert found is not None
    return found.kid


ONE = (key("a"),)
TWO = rotated(ONE, "b", START, delay=ACTIVATION_DELAY, overlap=OVERLAP)
END = START + ACTIVATION_DELAY + OVERLAP


def test_without_keys_nothing_signs_and_nothing_is_published() -> None:
    assert current((), START) is None
    assert published((), START) == ()


@pytest.mark.parametrize(
    ("now", "signs", "shown"),
    [
        (START, "a", "ab"),
        (START + ACTIVATION_DELAY - 1, "a", "ab"),
        (START + ACTIVATION_DELAY, "b", "ab"),
        (END - 1, "b", "ab"),
        (END, "b", "b"),
        (END + 1000 * OVERLAP, "b", "b"),
    ],
)
def test_a_new_key_is_published_at_once_signs_later_and_outlives_the_one_before(
    now: int, signs: str, shown: str
) -> None:
    assert signing(TWO, now) == signs
    assert names(published(TWO, now)) == shown


def test_a_key_that_no_other_follows_is_published_for_ever() -> None:
    assert names(published(ONE, START + 1000 * OVERLAP)) == "a"


def test_the_overlap_covers_the_longest_token_and_clocks_that_differ() -> None:
    assert LONGEST_LIFETIME == 300 * MINUTE
    assert OVERLAP - LONGEST_LIFETIME == 5 * MINUTE


def test_a_clock_behind_the_first_keys_maker_still_signs_with_it() -> None:
    assert signing(ONE, START - SECOND) == "a"
    assert names(published(ONE, START - SECOND)) == "a"


def test_a_rotation_drops_what_is_published_no_longer() -> None:
    assert names(rotated(TWO, "c", END - 1, delay=0, overlap=OVERLAP)) == "abc"
    assert names(rotated(TWO, "c", END, delay=0, overlap=OVERLAP)) == "bc"


def test_a_hasty_rotation_passes_over_a_key_that_still_waits() -> None:
    keys = rotated(TWO, "c", START + MINUTE, delay=2 * SECOND, overlap=OVERLAP)

    assert [signing(keys, START + MINUTE + after) for after in (0, 2 * SECOND, ACTIVATION_DELAY)] == ["a", "c", "c"]


def test_no_overlap_ends_every_key_before_as_soon_as_the_new_one_signs() -> None:
    keys = rotated(TWO, "c", START + MINUTE, delay=2 * SECOND, overlap=0)

    assert names(published(keys, START + MINUTE + 2 * SECOND - 1)) == "abc"
    assert names(published(keys, START + MINUTE + 2 * SECOND)) == "c"


def test_a_later_rotation_never_prolongs_what_an_earlier_one_has_ended() -> None:
    keys = rotated(TWO, "c", START + MINUTE, delay=ACTIVATION_DELAY, overlap=OVERLAP)

    assert keys[0].published_until == END
    assert keys[1].published_until == END + MINUTE


def test_a_key_shows_nothing_secret() -> None:
    made = new_signing_key("ES256", created=START, signs_from=START)

    shown = f"{made!r} {made!s} {[made]}"
    assert made.kid in shown
    assert str(made.private_key) not in shown
    assert "private" not in shown


class Step(NamedTuple):
    """A rotation or a round of housekeeping, some time after the step before."""

    after: int
    rotates: bool
    delay: int


steps = st.lists(
    st.builds(Step, st.integers(0, 2 * OVERLAP), st.booleans(), st.integers(2 * SECOND, 2 * OVERLAP)), max_size=8
)


@given(steps, st.lists(st.tuples(st.integers(0, 20 * OVERLAP), st.integers(1, LONGEST_LIFETIME)), min_size=1))
def test_every_token_verifies_until_it_expires_however_keys_were_rotated(
    steps: list[Step], tokens: list[tuple[int, int]]
) -> None:
    history: list[tuple[int, tuple[SigningKey, ...]]] = [(START, ONE)]
    for number, step in enumerate(steps):
        now, keys = history[-1][0] + step.after, history[-1][1]
        if step.rotates:
            keys = rotated(keys, f"{number}", now, delay=step.delay, overlap=OVERLAP)
        history.append((now, keys if step.rotates else published(keys, now)))

    def keys_at(now: int) -> tuple[SigningKey, ...]:
        return next(keys for since, keys in reversed(history) if since <= now)

    for after, lifetime in tokens:
        signed = START + after
        kid = signing(keys_at(signed), signed)
        expires = signed + lifetime
        moments = [signed, expires - 1]
        moments += [moment for since, _ in history for moment in (since - 1, since) if signed <= moment < expires]
        for now in moments:
            assert kid in {each.kid for each in published(keys_at(now), now)}
