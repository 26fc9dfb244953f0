# SPDX-License-Identifier: Apache-2.0
"""Sealing (AES-256-GCM) and digests (HMAC-SHA256) under the keys of one keyring file, and the file's signing keys.

Depends on keyring_file, signing_keys and cryptography. A keyring may be used from several threads.
"""

from __future__ import annotations

import hmac
import os
import time
from functools import cache
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec
import structlog
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from service.clock import MINUTE
from service.crypto import keyring_file, signing_keys
from service.crypto.keyring_file import Contents, KeyringError, SigningKey

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from pathlib import Path

    from service.clock import Clock
    from service.crypto.keyring_file import SigningAlgorithm

# A sealed value: version (1 byte), key id (4, big endian), nonce (12), ciphertext, tag (16).
_VERSION: Final = b"\x01"
_PREFIX: Final = 5
_NONCE: Final = 12
_TAG: Final = 16

LOOK_INTERVAL: Final = 1.0
"""Seconds between two looks at whether the file has changed."""

SETTLING: Final = MINUTE
"""How long a new active key must be known before older ones may go: by then every process seals with it."""

log = structlog.get_logger(__name__)


class UnsealError(Exception):
    """A sealed value does not open: another place, another keyring, or not what was sealed."""


class Where(NamedTuple):
    """The place a sealed value belongs to. Moved to another table, column or row it does not open.

    A row id is compared by its text: 7 and "7" are the same row.
    """

    table: str
    column: str
    row_id: int | str

    def __bytes__(self) -> bytes:
        table, column, row_id = self
        return _column_prefix(table, column) + str(row_id).encode()


@cache
def _column_prefix(table: str, column: str) -> bytes:
    # Lengths keep ("ab", "c") and ("a", "bc") apart; the row id comes last and needs none.
    return f"{len(table)}:{table}{len(column)}:{column}".encode()


class _Keys:
    """One version of the file, ready for use; never changed, only exchanged for another."""

    __slots__ = ("active", "active_id", "active_prefix", "by_id", "root", "signing", "state")

    def __init__(self, contents: Contents, state: keyring_file.FileState) -> None:
        self.state = state
        self.root = contents.root
        self.by_id = {key.id: AESGCM(key.key) for key in contents.keys}
        self.active_id = contents.active
        self.active = self.by_id[contents.active]
        self.active_prefix = sealed_prefix(contents.active)
        self.signing = contents.signing_keys


def sealed_prefix(key_id: int) -> bytes:
    """Returns the bytes that everything sealed by a key begins with, so that a query can find its rows."""
    return _VERSION + key_id.to_bytes(4, "big")


def key_id_of(sealed: bytes) -> int:
    """Returns the id of the key that a value was sealed with.

    Raises:
        UnsealError: The value was not sealed by a keyring.
    """
    if len(sealed) < _PREFIX + _NONCE + _TAG or sealed[:1] != _VERSION:
        raise UnsealError("not a sealed value")
    return int.from_bytes(sealed[1:_PREFIX], "big")


class Keyring:
    """The keys of one file, followed while the file changes.

    Random nonces of 96 bits allow 2**32 seals under one key (NIST SP 800-38D, section 8.3); rotate before that.
    """

    sealed_prefix = staticmethod(sealed_prefix)
    key_id_of = staticmethod(key_id_of)

    def __init__(self, path: Path, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        """Reads the file; prefer `open` and `open_or_create`.

        Args:
            path: The keyring file.
            monotonic: Seconds that only grow; decides when to look at the file again.

        Raises:
            KeyringError: The file is missing, unreadable or malformed.
        """
        self._path = path
        self._monotonic = monotonic
        self._keys = _load(path)
        self._next_look = monotonic() + LOOK_INTERVAL
        self._digest_keys: dict[str, bytes] = {}
        self.fingerprint: Final = self._derive("fingerprint", 16).hex()
        """Tells this keyring from any other (32 hex digits); says nothing about its keys."""

    @classmethod
    def open(cls, path: Path) -> Keyring:
        """Opens an existing keyring.

        Raises:
            KeyringError: The file is missing, unreadable or malformed.
        """
        return cls(path)

    @classmethod
    def open_or_create(cls, path: Path, clock: Clock) -> Keyring:
        """Opens the keyring, made now with random keys if the file is missing.

        Processes that do this at once end up with the same keyring. The file gets mode 0600, a new directory 0700.

        Raises:
            KeyringError: The file is unreadable or malformed, or cannot be created.
        """
        if not os.path.exists(path):  # noqa: PTH110 - Path.exists raises where the directory may not be looked into
            keyring_file.create(path, keyring_file.new_contents(clock()))
        return cls(path)

    def __repr__(self) -> str:
        return f"Keyring({str(self._path)!r}, fingerprint={self.fingerprint!r}, active_key_id={self._keys.active_id})"

    @property
    def active_key_id(self) -> int:
        """Id of the key that seals now."""
        return self._current().active_id

    @property
    def key_ids(self) -> frozenset[int]:
        """Ids of all keys, the active one among them."""
        return frozenset(self._current().by_id)

    def seal(self, plaintext: bytes | str, where: Where) -> bytes:
        """Encrypts a value for one place, under the active key.

        Args:
            plaintext: A text is sealed as UTF-8.
            where: The only place where the result can be opened.
        """
        keys = self._current()
        data = plaintext.encode() if isinstance(plaintext, str) else plaintext
        nonce = os.urandom(_NONCE)
        return keys.active_prefix + nonce + keys.active.encrypt(nonce, data, keys.active_prefix + bytes(where))

    def unseal(self, sealed: bytes, where: Where) -> bytes:
        """Decrypts what `seal` made for the same place.

        Raises:
            UnsealError: The value was changed, belongs to another place, or its key is not in the keyring.
        """
        key_id = key_id_of(sealed)
        key = self._current().by_id.get(key_id) or self._reloaded().by_id.get(key_id)
        if key is None:
            raise UnsealError(f"{_named(where)}: key {key_id} is not in the keyring {self._path}")
        nonce, ciphertext = sealed[_PREFIX : _PREFIX + _NONCE], sealed[_PREFIX + _NONCE :]
        try:
            return key.decrypt(nonce, ciphertext, sealed[:_PREFIX] + bytes(where))
        except InvalidTag:
            raise UnsealError(f"{_named(where)}: the sealed value does not belong here") from None

    def unseal_text(self, sealed: bytes, where: Where) -> str:
        """Decrypts a text; see `unseal`."""
        return self.unseal(sealed, where).decode()

    def digest(self, purpose: str, data: bytes) -> bytes:
        """Returns HMAC-SHA256 (32 bytes) of data under the purpose's own key, which never rotates.

        Args:
            purpose: A fixed name, such as "api-token"; the digests of two purposes have nothing in common.
            data: What is digested: only what cannot be guessed, since the digest is fast.
        """
        key = self._digest_keys.get(purpose)
        if key is None:
            key = self._digest_keys[purpose] = self._derive(f"digest/{purpose}", keyring_file.KEY_BYTES)
        return hmac.digest(key, data, "sha256")

    def rotate(self, clock: Clock) -> int:
        """Adds a key and makes it the active one; the older ones stay for what they sealed.

        Returns:
            The new key's id.

        Raises:
            KeyringError: The file cannot be read or written.
        """
        with keyring_file.exclusive(self._path):
            contents = keyring_file.read(self._path)
            added = keyring_file.new_sealing_key(max(key.id for key in contents.keys) + 1, clock())
            keyring_file.replace(
                self._path, msgspec.structs.replace(contents, active=added.id, keys=(*contents.keys, added))
            )
        self._reload()
        return added.id

    def prune(self, in_use: Collection[int], clock: Clock) -> frozenset[int]:
        """Removes the keys that sealed nothing which is still stored.

        Args:
            in_use: Ids of keys that stored values were sealed with. The active key stays in any case, and all keys
                stay while the active one is younger than SETTLING: another process may still seal with an older one.
            clock: The clock that `rotate` is given.

        Returns:
            The ids removed.

        Raises:
            KeyringError: The file cannot be read or written.
        """
        with keyring_file.exclusive(self._path):
            contents = keyring_file.read(self._path)
            active = next(key for key in contents.keys if key.id == contents.active)
            if clock() - active.created < SETTLING:
                return frozenset()
            kept = tuple(key for key in contents.keys if key is active or key.id in in_use)
            if len(kept) == len(contents.keys):
                return frozenset()
            keyring_file.replace(self._path, msgspec.structs.replace(contents, keys=kept))
        self._reload()
        return frozenset(key.id for key in contents.keys) - frozenset(key.id for key in kept)

    @property
    def signing_keys(self) -> tuple[SigningKey, ...]:
        """The keys of access tokens, in the order in which they were made; the same tuple until the file changes."""
        return self._current().signing

    def ensure_signing_key(self, algorithm: SigningAlgorithm, clock: Clock) -> None:
        """Makes the first signing key, unless there is one. Processes that do this at once end up with the same key.

        Args:
            algorithm: What it signs with.
            clock: Read once nobody else changes the file.

        Raises:
            KeyringError: The file cannot be read or written.
        """
        if self.signing_keys:
            return
        with keyring_file.exclusive(self._path):
            contents = keyring_file.read(self._path)
            if not contents.signing_keys:
                now = clock()
                first = signing_keys.new_signing_key(algorithm, created=now, signs_from=now)
                self._replace_signing_keys(contents, (first,))
        self._reload()

    def rotate_signing(self, algorithm: SigningAlgorithm, clock: Clock, *, delay: int, overlap: int) -> SigningKey:
        """Adds a signing key, published at once, which takes over later; drops the keys that have served their time.

        Args:
            algorithm: What it signs with.
            clock: Read once nobody else changes the file.
            delay: Microseconds until it signs, SHORTEST_DELAY at the least. The first key of all signs at once.
            overlap: Microseconds that the keys before it stay published from then on.

        Returns:
            The new key.

        Raises:
            KeyringError: The file cannot be read or written.
        """
        with keyring_file.exclusive(self._path):
            contents = keyring_file.read(self._path)
            now = clock()
            signs_from = now + max(delay, signing_keys.SHORTEST_DELAY) if contents.signing_keys else now
            added = signing_keys.new_signing_key(algorithm, created=now, signs_from=signs_from)
            self._replace_signing_keys(
                contents, signing_keys.succeeded(contents.signing_keys, added, now=now, overlap=overlap)
            )
        self._reload()
        return added

    def drop_signing_keys(self, clock: Clock) -> None:
        """Removes the signing keys that are published no longer from the file, if there are any.

        Raises:
            KeyringError: The file cannot be read or written.
        """
        if len(signing_keys.published(self.signing_keys, clock())) == len(self.signing_keys):
            return
        with keyring_file.exclusive(self._path):
            contents = keyring_file.read(self._path)
            kept = signing_keys.published(contents.signing_keys, clock())
            if kept != contents.signing_keys:
                self._replace_signing_keys(contents, kept)
        self._reload()

    def _replace_signing_keys(self, contents: Contents, keys: tuple[SigningKey, ...]) -> None:
        keyring_file.replace(self._path, msgspec.structs.replace(contents, signing_keys=keys))

    def _current(self) -> _Keys:
        now = self._monotonic()
        if now >= self._next_look:
            self._next_look = now + LOOK_INTERVAL
            return self._reloaded()
        return self._keys

    def _reloaded(self) -> _Keys:
        # A file that is gone or broken must not stop a server that has its keys in memory.
        try:
            if keyring_file.state(self._path) != self._keys.state:
                self._reload()
        except KeyringError as error:
            log.warning("keyring.not_reloaded", error=str(error))
        return self._keys

    def _reload(self) -> None:
        keys = _load(self._path)
        if not hmac.compare_digest(keys.root, self._keys.root):
            raise KeyringError(f"keyring {self._path} was exchanged for another one with a different root key")
        self._keys = keys

    def _derive(self, info: str, length: int) -> bytes:
        info_bytes = b"almoner/" + info.encode()
        return HKDF(algorithm=SHA256(), length=length, salt=None, info=info_bytes).derive(self._keys.root)


def _load(path: Path) -> _Keys:
    # The state is taken first: if the file changes in between, the next look sees a difference and reads again.
    state = keyring_file.state(path)
    return _Keys(keyring_file.read(path), state)


def _named(where: Where) -> str:
    return f"{where.table}.{where.column} of row {where.row_id}"
