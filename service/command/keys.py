# SPDX-License-Identifier: Apache-2.0
"""`almoner keys`: the keys that seal stored secrets and those that sign tokens, and how a new one takes over."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Final

from service.command import output
from service.command.parsing import DATABASE, add_actions, duration_or_none

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

    from service.command.opening import Opened
    from service.command.parsing import CommandParser
    from service.crypto.keyring_file import SigningKey

_SIGNING_COLUMNS: Final = ("kid", "algorithm", "state", "create_time", "sign_time", "drop_time")


def configure(parser: CommandParser) -> None:
    """Adds the actions."""
    parser.epilog = (
        "`almoner keys rotate` makes a new key, with which everything is sealed from then on, and seals what is stored\n"
        "again. Later `almoner keys prune` removes the old key. `almoner keys rotate-signing` makes a new key for tokens,\n"
        "which is published at once and signs later; servers remove the old one by themselves, once no token of it is\n"
        "valid any more. Back the keyring up after each of them.\n"
    )
    add = add_actions(parser)
    output.add_json(add("list", "List the keys, and how many stored values each has sealed.", _list))
    rotation = add("rotate", "Make a new key the active one, and seal everything stored again with it.", _rotate)
    rotation.add_argument(
        "--no-reseal", action="store_true", help="leave what is stored under its old key, for `almoner keys reseal`"
    )
    add("reseal", "Seal what is stored under other keys again with the active one. May be repeated.", _reseal)
    add("prune", "Remove the keys that seal nothing which is stored any more.", _prune)
    output.add_json(add("list-signing", "List the keys that sign tokens, and what each does now.", _list_signing))
    signing = add(
        "rotate-signing",
        "Make a new key that signs tokens from a while later on; the ones before it stay published meanwhile.",
        _rotate_signing,
        DATABASE | {"token_signing_algorithm"},
    )
    signing.add_argument(
        "--activate-in",
        type=duration_or_none,
        default="10m",
        metavar="DURATION",
        help="until it signs, for resource servers to fetch it; never less than 2s (default: %(default)s)",
    )
    signing.add_argument(
        "--overlap",
        type=duration_or_none,
        default="305m",
        metavar="DURATION",
        help="from then until the keys before it are dropped; tokens that are valid for longer are refused, and all of "
        "them with 0s (default: %(default)s)",
    )


def _list(options: argparse.Namespace) -> int:
    from service.command.administration import with_database  # noqa: PLC0415 - slow: not for --help
    from service.crypto import keyring_file  # noqa: PLC0415
    from service.resealing import keys_in_use  # noqa: PLC0415

    async def action(opened: Opened) -> int:
        contents = keyring_file.read(opened.settings.keyring_file)
        in_use = await opened.store.scan(keys_in_use)
        rows: list[output.Row] = [
            {
                "id": key.id,
                "active": key.id == contents.active,
                "create_time": output.rfc3339(key.created),
                "sealed_values": in_use.get(key.id, 0),
            }
            for key in contents.keys
        ]
        output.rows(rows, ("id", "active", "create_time", "sealed_values"), as_json=options.json)
        return 0

    return with_database(options, action)


def _rotate(options: argparse.Namespace) -> int:
    from service.clock import system_clock  # noqa: PLC0415 - slow: not for --help
    from service.command.administration import record, with_database  # noqa: PLC0415
    from service.crypto.keyring import LOOK_INTERVAL  # noqa: PLC0415

    async def action(opened: Opened) -> int:
        before = opened.keyring.active_key_id
        added = opened.keyring.rotate(system_clock)
        await record(opened, "keyring.rotate", {"active_key": [before, added]})
        print(f"key {added} is the active one now", flush=True)
        if options.no_reseal:
            return 0
        # By then every server has looked at the file, and seals nothing more with the key before.
        await asyncio.sleep(LOOK_INTERVAL)
        return await _reseal_everything(opened)

    return with_database(options, action)


def _reseal(options: argparse.Namespace) -> int:
    from service.command.administration import with_database  # noqa: PLC0415 - slow: not for --help

    return with_database(options, _reseal_everything)


def _prune(options: argparse.Namespace) -> int:
    from service.clock import system_clock  # noqa: PLC0415 - slow: not for --help
    from service.command.administration import record, with_database  # noqa: PLC0415
    from service.resealing import keys_in_use  # noqa: PLC0415

    async def action(opened: Opened) -> int:
        in_use = await opened.store.scan(keys_in_use)
        removed = opened.keyring.prune(in_use, system_clock)
        if removed:
            await record(opened, "keyring.prune", {"keys": [sorted(removed), None]})
        kept = opened.keyring.key_ids
        print(f"removed: {_ids(removed)}; kept: {_ids(kept)}")
        others = sorted(kept - {opened.keyring.active_key_id})
        for key_id in others:
            if key_id in in_use:
                output.note(f"key {key_id} seals {in_use[key_id]} stored values: run `almoner keys reseal` first")
            else:
                output.note(f"key {key_id} stays until the active one is a minute old: servers may still use it")
        return 0

    return with_database(options, action)


def _list_signing(options: argparse.Namespace) -> int:
    from service.clock import system_clock  # noqa: PLC0415 - slow: not for --help
    from service.command.administration import with_database  # noqa: PLC0415
    from service.crypto.signing_keys import current  # noqa: PLC0415

    async def action(opened: Opened) -> int:
        keys, now = opened.keyring.signing_keys, system_clock()
        signing = current(keys, now)
        rows: list[output.Row] = [
            {
                "kid": key.kid,
                "algorithm": key.algorithm,
                "state": "signs" if key is signing else _state(key, now),
                "create_time": output.rfc3339(key.created),
                "sign_time": output.rfc3339(key.signs_from),
                "drop_time": None if key.published_until is None else output.rfc3339(key.published_until),
            }
            for key in keys
        ]
        output.rows(rows, _SIGNING_COLUMNS, as_json=options.json)
        return 0

    return with_database(options, action)


def _state(key: SigningKey, now: int) -> str:
    """Returns what a key does that does not sign."""
    if key.published_until is None:
        return "waits"
    return "verifies" if now < key.published_until else "dropped"


def _rotate_signing(options: argparse.Namespace) -> int:
    from service.clock import SECOND, system_clock  # noqa: PLC0415 - slow: not for --help
    from service.command.administration import record, with_database  # noqa: PLC0415
    from service.crypto.signing_keys import current  # noqa: PLC0415

    async def action(opened: Opened) -> int:
        before = current(opened.keyring.signing_keys, system_clock())
        added = opened.keyring.rotate_signing(
            opened.settings.token_signing_algorithm,
            system_clock,
            delay=options.activate_in * SECOND,
            overlap=options.overlap * SECOND,
        )
        await record(opened, "keyring.rotate_signing", {"signing_key": [before and before.kid, added.kid]})
        print(
            f"key {added.kid} ({added.algorithm}) is published now, and signs from {output.rfc3339(added.signs_from)}"
        )
        return 0

    return with_database(options, action)


async def _reseal_everything(opened: Opened) -> int:
    """Seals everything again, and tells how far it is."""
    from service.command.administration import record  # noqa: PLC0415 - slow: not for --help
    from service.resealing import keys_in_use, reseal_everything  # noqa: PLC0415

    active = opened.keyring.active_key_id
    in_use = await opened.store.scan(keys_in_use)
    total = sum(in_use.values()) - in_use.get(active, 0)
    progress = _Progress(total)
    done = 0
    unreadable: list[str] = []
    async for resealed in reseal_everything(opened.store, opened.keyring):
        done += resealed.values
        unreadable += resealed.unreadable
        progress.show(done)
    progress.end()
    if done:
        await record(opened, "keyring.reseal", {"active_key": active, "values": done})
    print(f"sealed again with key {active}: {done} of {total} values")
    for line in unreadable:
        output.note(f"cannot be opened, and stays as it is: {line}")
    return 1 if unreadable else 0


class _Progress:
    """A line on standard error that counts, where that is a terminal; elsewhere a line for every tenth part."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._terminal = sys.stderr.isatty()
        self._tenths = 0

    def show(self, done: int) -> None:
        """Shows how far it is."""
        if self._terminal:
            print(f"\rsealing again: {done} of {self._total}", end="", file=sys.stderr, flush=True)
            return
        tenths = 10 * done // max(self._total, 1)
        if tenths > self._tenths:
            self._tenths = tenths
            output.note(f"sealing again: {done} of {self._total}")

    def end(self) -> None:
        """Leaves the line."""
        if self._terminal and self._total:
            print(file=sys.stderr)


def _ids(key_ids: Iterable[int]) -> str:
    return ", ".join(str(key_id) for key_id in sorted(key_ids)) or "none"
