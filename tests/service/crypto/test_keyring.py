# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import base64
import json
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
import structlog
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from service.clock import HOUR, MINUTE, SECOND, system_clock
from service.crypto import keyring_file
from service.crypto.keyring import LOOK_INTERVAL, SETTLING, Keyring, UnsealError, Where, key_id_of, sealed_prefix
from service.crypto.keyring_file import KeyringError
from service.crypto.signing_keys import SHORTEST_DELAY

if TYPE_CHECKING:
    from pathlib import Path

    from service.crypto.keyring_file import SigningAlgorithm

HERE = Where("profiles", "access_token", 7)
START = 1_700_000_000 * SECOND

places = st.builds(Where, st.text(), st.text(), st.integers() | st.text())


class Seconds:
    """A monotonic clock that a test moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(scope="module")
def keyring(tmp_path_factory: pytest.TempPathFactory) -> Keyring:
    return Keyring.open_or_create(tmp_path_factory.mktemp("keyring") / "keyring.json", system_clock)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "keys" / "keyring.json"
    Keyring.open_or_create(path, lambda: START)
    return path


class TestSealing:
    @given(st.binary(), places)
    def test_what_is_sealed_opens_in_its_place(self, keyring: Keyring, data: bytes, where: Where) -> None:
        assert keyring.unseal(keyring.seal(data, where), where) == data

    @given(st.text())
    def test_a_text_comes_back_as_the_text_it_was(self, keyring: Keyring, text: str) -> None:
        assert keyring.unseal_text(keyring.seal(text, HERE), HERE) == text

    @given(places, places)
    def test_another_place_does_not_open_it(self, keyring: Keyring, where: Where, other: Where) -> None:
        if _texts(where) == _texts(other):
            return
        with pytest.raises(UnsealError):
            keyring.unseal(keyring.seal(b"secret", where), other)

    @pytest.mark.parametrize(
        "other",
        [
            HERE._replace(table="applications"),
            HERE._replace(column="refresh_token"),
            HERE._replace(row_id=8),
            Where("profilesa", "ccess_token", 7),
            Where("profiles", "access_toke", "n7"),
            Where("profiles", "access_token7", ""),
            Where("profiles12:access_token", "", 7),
        ],
    )
    def test_a_place_that_only_looks_alike_does_not_open_it(self, keyring: Keyring, other: Where) -> None:
        with pytest.raises(UnsealError):
            keyring.unseal(keyring.seal("secret", HERE), other)

    def test_a_number_and_its_text_are_the_same_row(self, keyring: Keyring) -> None:
        assert keyring.unseal(keyring.seal(b"secret", HERE), HERE._replace(row_id="7")) == b"secret"

    @pytest.mark.parametrize("position", range(1 + 4 + 12 + len("secret") + 16))
    def test_a_change_of_any_byte_is_noticed(self, keyring: Keyring, position: int) -> None:
        sealed = bytearray(keyring.seal("secret", HERE))
        sealed[position] ^= 1
        with pytest.raises(UnsealError):
            keyring.unseal(bytes(sealed), HERE)

    def test_a_shortened_value_does_not_open(self, keyring: Keyring) -> None:
        sealed = keyring.seal("secret", HERE)
        for length in range(len(sealed)):
            with pytest.raises(UnsealError):
                keyring.unseal(sealed[:length], HERE)

    def test_two_seals_of_one_value_differ(self, keyring: Keyring) -> None:
        assert keyring.seal("secret", HERE) != keyring.seal("secret", HERE)

    def test_another_keyring_does_not_open_it(self, keyring: Keyring, path: Path) -> None:
        with pytest.raises(UnsealError):
            Keyring.open(path).unseal(keyring.seal("secret", HERE), HERE)

    def test_an_error_names_the_place_and_not_the_value(self, keyring: Keyring) -> None:
        with pytest.raises(UnsealError) as raised:
            keyring.unseal(keyring.seal("secret", HERE), HERE._replace(row_id=8))
        assert "profiles.access_token of row 8" in str(raised.value)
        assert "secret" not in str(raised.value)

    def test_a_keyring_serves_several_threads(self, keyring: Keyring) -> None:
        def round_trip(number: int) -> bool:
            where = HERE._replace(row_id=number)
            return keyring.unseal(keyring.seal(str(number), where), where) == str(number).encode()

        with ThreadPoolExecutor(4) as threads:
            assert all(threads.map(round_trip, range(2_000)))


class TestKeyIds:
    def test_a_sealed_value_tells_its_key(self, keyring: Keyring) -> None:
        assert key_id_of(keyring.seal("secret", HERE)) == keyring.active_key_id

    @given(st.integers(1, 2**32 - 1))
    def test_the_prefix_of_a_key_begins_what_it_sealed(self, key_id: int) -> None:
        assert key_id_of(sealed_prefix(key_id) + bytes(12 + 16)) == key_id

    def test_only_its_own_rows_have_a_keys_prefix(self, path: Path) -> None:
        keyring = Keyring.open(path)
        before = keyring.seal("secret", HERE)
        keyring.rotate(lambda: START)
        after = keyring.seal("secret", HERE)
        assert [sealed.startswith(sealed_prefix(1)) for sealed in (before, after)] == [True, False]

    @pytest.mark.parametrize("sealed", [b"", b"\x01", b"plain text that was never sealed by anything", bytes(33)])
    def test_what_was_not_sealed_has_no_key(self, sealed: bytes) -> None:
        with pytest.raises(UnsealError, match="not a sealed value"):
            key_id_of(sealed)


class TestRotation:
    def test_a_new_key_seals_and_the_old_one_still_opens(self, path: Path) -> None:
        keyring = Keyring.open(path)
        before = keyring.seal("secret", HERE)
        assert keyring.rotate(lambda: START) == 2
        assert keyring.active_key_id == 2
        assert keyring.key_ids == {1, 2}
        assert keyring.unseal_text(before, HERE) == "secret"
        assert key_id_of(keyring.seal("secret", HERE)) == 2

    def test_an_unknown_key_is_looked_for_at_once(self, path: Path) -> None:
        here, elsewhere = Keyring(path, monotonic=Seconds()), Keyring.open(path)
        elsewhere.rotate(lambda: START)
        assert here.unseal_text(elsewhere.seal("secret", HERE), HERE) == "secret"

    def test_a_new_active_key_is_seen_within_the_interval(self, path: Path) -> None:
        seconds = Seconds()
        here = Keyring(path, monotonic=seconds)
        Keyring.open(path).rotate(lambda: START)
        seconds.now = LOOK_INTERVAL / 2
        assert here.active_key_id == 1
        seconds.now = LOOK_INTERVAL
        assert here.active_key_id == 2

    def test_a_key_that_was_pruned_elsewhere_no_longer_opens(self, path: Path) -> None:
        seconds = Seconds()
        here, elsewhere = Keyring(path, monotonic=seconds), Keyring.open(path)
        sealed = here.seal("secret", HERE)
        elsewhere.rotate(lambda: START)
        elsewhere.prune((), lambda: START + SETTLING)
        seconds.now = LOOK_INTERVAL
        with pytest.raises(UnsealError, match="key 1 is not in the keyring"):
            here.unseal(sealed, HERE)

    def test_rotations_of_several_processes_at_once_all_count(self, path: Path) -> None:
        keyrings = [Keyring.open(path) for _ in range(8)]
        with ThreadPoolExecutor(len(keyrings)) as threads:
            ids = list(threads.map(lambda keyring: keyring.rotate(lambda: START), keyrings))
        assert sorted(ids) == list(range(2, 10))
        assert Keyring.open(path).key_ids == set(range(1, 10))

    @pytest.mark.parametrize("damage", ["", "{", "[]"])
    def test_a_running_process_outlives_a_damaged_file(self, path: Path, damage: str) -> None:
        seconds = Seconds()
        keyring = Keyring(path, monotonic=seconds)
        sealed = keyring.seal("secret", HERE)
        path.write_text(damage)
        seconds.now = LOOK_INTERVAL
        with structlog.testing.capture_logs() as logs:
            assert keyring.unseal_text(sealed, HERE) == "secret"
        assert [entry["event"] for entry in logs] == ["keyring.not_reloaded"]

    def test_a_running_process_refuses_another_keyring(self, path: Path, tmp_path: Path) -> None:
        seconds = Seconds()
        keyring = Keyring(path, monotonic=seconds)
        sealed, fingerprint = keyring.seal("secret", HERE), keyring.fingerprint
        Keyring.open_or_create(tmp_path / "other.json", system_clock)
        (tmp_path / "other.json").replace(path)
        seconds.now = LOOK_INTERVAL
        with structlog.testing.capture_logs() as logs:
            assert keyring.unseal_text(sealed, HERE) == "secret"
        assert keyring.fingerprint == fingerprint
        assert "different root key" in logs[0]["error"]

    def test_a_linked_file_stays_linked(self, path: Path, tmp_path: Path) -> None:
        link = tmp_path / "link.json"
        link.symlink_to(path)
        Keyring.open(link).rotate(lambda: START)
        assert link.is_symlink()
        assert Keyring.open(path).active_key_id == 2


class TestPruning:
    @pytest.mark.parametrize(
        ("in_use", "removed"), [((), {1, 2}), ((1,), {2}), ((1, 2), set()), ((3,), {1, 2}), ((9,), {1, 2})]
    )
    def test_keys_out_of_use_go(self, path: Path, in_use: tuple[int, ...], removed: set[int]) -> None:
        keyring = Keyring.open(path)
        keyring.rotate(lambda: START)
        keyring.rotate(lambda: START)
        assert keyring.prune(in_use, lambda: START + SETTLING) == removed
        assert keyring.key_ids == Keyring.open(path).key_ids == {1, 2, 3} - removed

    def test_nothing_goes_while_another_process_may_still_seal_with_it(self, path: Path) -> None:
        keyring = Keyring.open(path)
        keyring.rotate(lambda: START)
        assert keyring.prune((), lambda: START + SETTLING - 1) == frozenset()
        assert keyring.key_ids == {1, 2}

    def test_an_id_is_never_used_twice(self, path: Path) -> None:
        keyring = Keyring.open(path)
        keyring.rotate(lambda: START)
        keyring.prune((), lambda: START + SETTLING)
        assert keyring.rotate(lambda: START + SETTLING) == 3


class TestDigests:
    def test_a_digest_is_the_same_in_every_process_and_after_rotation(self, path: Path) -> None:
        keyring = Keyring.open(path)
        before = keyring.digest("api-token", b"token")
        keyring.rotate(lambda: START)
        assert before == keyring.digest("api-token", b"token") == Keyring.open(path).digest("api-token", b"token")
        assert len(before) == 32

    @given(st.tuples(st.text(), st.binary()), st.tuples(st.text(), st.binary()))
    def test_other_data_or_another_purpose_has_another_digest(
        self, keyring: Keyring, one: tuple[str, bytes], other: tuple[str, bytes]
    ) -> None:
        assert (keyring.digest(*one) == keyring.digest(*other)) == (one == other)

    def test_another_keyring_has_other_digests_and_another_fingerprint(self, keyring: Keyring, path: Path) -> None:
        other = Keyring.open(path)
        assert keyring.digest("api-token", b"token") != other.digest("api-token", b"token")
        assert keyring.fingerprint != other.fingerprint

    def test_the_fingerprint_outlives_rotation(self, path: Path) -> None:
        keyring = Keyring.open(path)
        keyring.rotate(lambda: START)
        assert Keyring.open(path).fingerprint == keyring.fingerprint


class TestFile:
    def test_only_its_owner_may_read_it(self, path: Path) -> None:
        Keyring.open(path).rotate(lambda: START)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700

    def test_nothing_else_is_left_beside_it(self, path: Path) -> None:
        Keyring.open(path).rotate(lambda: START)
        assert list(path.parent.iterdir()) == [path]

    def test_an_existing_keyring_is_opened_and_not_replaced(self, path: Path) -> None:
        before = path.read_bytes()
        Keyring.open_or_create(path, system_clock)
        assert path.read_bytes() == before

    def test_a_missing_one_is_named(self, tmp_path: Path) -> None:
        with pytest.raises(KeyringError, match=r"missing\.json: No such file"):
            Keyring.open(tmp_path / "missing.json")

    def test_a_directory_is_no_keyring(self, tmp_path: Path) -> None:
        with pytest.raises(KeyringError, match="Is a directory"):
            Keyring.open(tmp_path)

    def test_a_place_that_cannot_be_made_is_named(self, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        with pytest.raises(KeyringError, match=r"file/keyring\.json cannot be created"):
            Keyring.open_or_create(tmp_path / "file" / "keyring.json", system_clock)

    @pytest.mark.parametrize(
        ("member", "value"),
        [
            ("version", 2),
            ("root", "AAAA"),
            ("root", "not base64!"),
            ("root", None),
            ("active", 2),
            ("active", "1"),
            ("keys", []),
            ("keys", [{"id": 1, "key": "AAAA", "created": 0}]),
            ("keys", [{"id": 0, "key": base64.b64encode(bytes(32)).decode(), "created": 0}]),
            ("keys", [{"id": 1, "key": base64.b64encode(bytes(32)).decode(), "created": 0}] * 2),
            ("unknown", 1),
        ],
    )
    def test_a_malformed_one_is_named_and_not_quoted(self, path: Path, member: str, value: object) -> None:
        contents = json.loads(path.read_text())
        path.write_text(json.dumps(contents | {member: value}))
        with pytest.raises(KeyringError) as raised:
            Keyring.open(path)
        assert f"keyring {path} is malformed" in str(raised.value)
        assert contents["root"] not in str(raised.value)

    @pytest.mark.parametrize("damage", [b"", b"{", b"[]", b"\xff\xfe", b'"\xff"'])
    def test_what_is_no_json_object_is_named(self, path: Path, damage: bytes) -> None:
        path.write_bytes(damage)
        with pytest.raises(KeyringError, match="is malformed"):
            Keyring.open(path)

    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(cut=st.integers(0, 200))
    def test_a_truncated_one_is_never_taken_for_a_keyring(self, path: Path, cut: int) -> None:
        short = path.with_name("short.json")
        short.write_bytes(path.read_bytes()[:cut])
        with pytest.raises(KeyringError):
            Keyring.open(short)

    def test_no_text_of_it_shows_a_key(self, path: Path) -> None:
        keyring = Keyring.open(path)
        keyring.ensure_signing_key("ES256", lambda: START)
        contents = keyring_file.read(path)
        shown = (keyring, keyring._keys, contents, *contents.keys, *contents.signing_keys)
        texts = [f(each) for f in (repr, str) for each in shown]
        keys = (key.key for key in contents.keys)
        for key in (contents.root, *keys, *(key.private_key for key in contents.signing_keys)):
            for form in (repr(key), key.hex(), base64.b64encode(key).decode()):
                assert not [text for text in texts if form in text]

    def test_processes_that_start_at_once_get_one_keyring(self, tmp_path: Path) -> None:
        path = tmp_path / "new" / "keyring.json"
        fingerprints = _at_once(path, "Keyring.open_or_create(path, system_clock).fingerprint")
        assert len(set(fingerprints)) == 1
        assert list(path.parent.iterdir()) == [path]


class TestSigningKeys:
    def test_a_new_keyring_has_none_until_one_is_wanted(self, path: Path) -> None:
        assert Keyring.open(path).signing_keys == ()
        assert "signing_keys" not in json.loads(path.read_text())

    @pytest.mark.parametrize("algorithm", ["ES256", "RS256", "EdDSA"])
    def test_the_first_signs_at_once(self, path: Path, algorithm: SigningAlgorithm) -> None:
        keyring = Keyring.open(path)
        keyring.ensure_signing_key(algorithm, lambda: START)
        (key,) = keyring.signing_keys
        assert (key.algorithm, key.created, key.signs_from, key.published_until) == (algorithm, START, START, None)

    def test_there_is_only_one_first(self, path: Path) -> None:
        one, other = Keyring.open(path), Keyring(path, monotonic=Seconds())
        one.ensure_signing_key("ES256", lambda: START)
        other.ensure_signing_key("RS256", lambda: START + SECOND)
        assert one.signing_keys == other.signing_keys

    def test_processes_that_start_at_once_get_one_key(self, path: Path) -> None:
        made = "[keyring.ensure_signing_key('ES256', system_clock), keyring.signing_keys[0].kid, len(keyring.signing_keys)]"
        assert len(set(_at_once(path, made))) == 1
        assert len(Keyring.open(path).signing_keys) == 1

    def test_processes_that_rotate_at_once_all_count(self, path: Path) -> None:
        Keyring.open(path).ensure_signing_key("ES256", lambda: START)
        added = _at_once(path, "keyring.rotate_signing('ES256', system_clock, delay=600_000_000, overlap=1).kid")
        first, *others = Keyring.open(path).signing_keys
        assert sorted(key.kid for key in others) == sorted(kid.strip() for kid in added)
        assert [key.published_until is None for key in (first, *others)] == [False] * len(others) + [True]
        times = [key.signs_from for key in (first, *others)]
        assert times == sorted(times)

    def test_a_rotation_on_an_old_file_makes_a_key_that_signs_at_once(self, path: Path) -> None:
        keyring = Keyring.open(path)
        added = keyring.rotate_signing("EdDSA", lambda: START, delay=MINUTE, overlap=0)
        assert keyring.signing_keys == (added,)
        assert added.signs_from == START

    @pytest.mark.parametrize(
        ("delay", "kept"), [(0, SHORTEST_DELAY), (SHORTEST_DELAY, SHORTEST_DELAY), (MINUTE, MINUTE)]
    )
    def test_a_new_key_signs_no_sooner_than_every_process_knows_it(self, path: Path, delay: int, kept: int) -> None:
        keyring = Keyring.open(path)
        keyring.ensure_signing_key("ES256", lambda: START)
        added = keyring.rotate_signing("ES256", lambda: START, delay=delay, overlap=HOUR)
        assert added.signs_from == START + kept
        assert [key.published_until for key in keyring.signing_keys] == [START + kept + HOUR, None]
        assert SHORTEST_DELAY > LOOK_INTERVAL * SECOND

    def test_the_file_loses_a_key_with_its_publication(self, path: Path) -> None:
        keyring, other = Keyring.open(path), Keyring.open(path)
        keyring.ensure_signing_key("ES256", lambda: START)
        added = keyring.rotate_signing("ES256", lambda: START, delay=MINUTE, overlap=HOUR)
        before = path.read_bytes()
        keyring.drop_signing_keys(lambda: START + MINUTE + HOUR - 1)
        assert path.read_bytes() == before
        keyring.drop_signing_keys(lambda: START + MINUTE + HOUR)
        other.drop_signing_keys(lambda: START + MINUTE + HOUR)
        assert keyring.signing_keys == Keyring.open(path).signing_keys == (added,)

    def test_changes_of_sealing_keys_leave_them_as_they_are(self, path: Path) -> None:
        keyring = Keyring.open(path)
        keyring.ensure_signing_key("ES256", lambda: START)
        before = keyring.signing_keys
        keyring.rotate(lambda: START)
        keyring.prune((), lambda: START + SETTLING)
        assert keyring.signing_keys == before
        assert keyring.key_ids == {2}

    def test_changes_of_them_leave_what_is_sealed_as_it_is(self, path: Path) -> None:
        keyring = Keyring.open(path)
        sealed, digest = keyring.seal("secret", HERE), keyring.digest("api-token", b"token")
        keyring.rotate_signing("ES256", lambda: START, delay=0, overlap=0)
        keyring.rotate_signing("ES256", lambda: START, delay=0, overlap=0)
        assert Keyring.open(path).unseal_text(sealed, HERE) == "secret"
        assert keyring.digest("api-token", b"token") == digest

    def test_the_file_stays_for_its_owner_alone(self, path: Path) -> None:
        keyring = Keyring.open(path)
        keyring.ensure_signing_key("ES256", lambda: START)
        keyring.rotate_signing("ES256", lambda: START, delay=0, overlap=0)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert list(path.parent.iterdir()) == [path]

    def test_the_same_tuple_is_given_until_the_file_changes(self, path: Path) -> None:
        keyring = Keyring.open(path)
        keyring.ensure_signing_key("ES256", lambda: START)
        before = keyring.signing_keys
        assert keyring.signing_keys is before
        keyring.rotate_signing("ES256", lambda: START, delay=0, overlap=0)
        assert keyring.signing_keys is not before

    @pytest.mark.parametrize(
        ("member", "value"),
        [
            ("kid", "short"),
            ("kid", "a" * 42 + "/"),
            ("kid", "a" * 43 + "\n"),
            ("algorithm", "HS256"),
            ("algorithm", "none"),
            ("private_key", "not base64!"),
            ("signs_from", None),
            ("published_until", "later"),
            ("unknown", 1),
        ],
    )
    def test_a_malformed_one_is_named_and_not_quoted(self, path: Path, member: str, value: object) -> None:
        Keyring.open(path).ensure_signing_key("ES256", lambda: START)
        contents = json.loads(path.read_text())
        (key,) = contents["signing_keys"]
        path.write_text(json.dumps(contents | {"signing_keys": [key | {member: value}]}))
        with pytest.raises(KeyringError) as raised:
            Keyring.open(path)
        assert f"keyring {path} is malformed" in str(raised.value)
        assert key["private_key"] not in str(raised.value)

    def test_two_with_the_same_kid_are_malformed(self, path: Path) -> None:
        Keyring.open(path).ensure_signing_key("ES256", lambda: START)
        contents = json.loads(path.read_text())
        path.write_text(json.dumps(contents | {"signing_keys": contents["signing_keys"] * 2}))
        with pytest.raises(KeyringError, match="two signing keys have the same kid"):
            Keyring.open(path)


def _at_once(path: Path, expression: str) -> list[str]:
    """Returns what the expression is in each of several processes that compute it at the same moment."""
    program = (
        "import sys; from pathlib import Path\n"
        "from service.clock import system_clock\n"
        "from service.crypto import jose\n"
        "from service.crypto.keyring import Keyring\n"
        "path = Path(sys.argv[1]); keyring = Keyring.open(path) if path.exists() else None\n"
        f"print('ready', flush=True); sys.stdin.readline(); print({expression})\n"
    )
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", program, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(5)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    shown = [process.communicate()[0] for process in processes]
    assert [process.returncode for process in processes] == [0] * len(processes)
    return shown


def _texts(where: Where) -> tuple[str, str, str]:
    return where.table, where.column, str(where.row_id)
