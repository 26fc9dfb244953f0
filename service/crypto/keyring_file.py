# SPDX-License-Identifier: Apache-2.0
"""The keyring's file: its JSON form, and changes that are atomic for every process reading it.

Depends on the standard library and msgspec only. No error and no repr holds a key.
"""

from __future__ import annotations

import fcntl
import os
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal, NamedTuple, TypeAlias

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator

KEY_BYTES: Final = 32

_KeyBytes = Annotated[bytes, msgspec.Meta(min_length=KEY_BYTES, max_length=KEY_BYTES)]
_KeyId = Annotated[int, msgspec.Meta(ge=1, le=2**32 - 1)]
# A JWK thumbprint: 32 bytes in base64url.
_Kid = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_-]{43}\Z")]

SigningAlgorithm: TypeAlias = Literal["ES256", "RS256", "EdDSA"]
"""`alg` of the tokens that a key signs (RFC 7518, section 3.1; RFC 8037, section 3.1, with Ed25519)."""


class KeyringError(Exception):
    """The keyring's file cannot be used. The message names the file and holds no key."""


class SealingKey(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One AES-256 key. Ids are never used twice; `created` is in epoch microseconds."""

    id: _KeyId
    key: _KeyBytes
    created: int

    def __repr__(self) -> str:
        return f"SealingKey(id={self.id}, created={self.created})"


class SigningKey(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One private key that signs access tokens. Times are in epoch microseconds.

    Attributes:
        kid: Its name in tokens and in the published set: the thumbprint of RFC 7638.
        algorithm: The only one that it is used with.
        private_key: PKCS #8, DER.
        created: When it was made, and published.
        signs_from: When it begins to sign, in place of the keys before it.
        published_until: When it is dropped from the published set; None as long as no newer key is there.
    """

    kid: _Kid
    algorithm: SigningAlgorithm
    private_key: bytes
    created: int
    signs_from: int
    published_until: int | None = None

    def __repr__(self) -> str:
        return (
            f"SigningKey(kid={self.kid!r}, algorithm={self.algorithm!r}, created={self.created}, "
            f"signs_from={self.signs_from}, published_until={self.published_until})"
        )


class Contents(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What the file holds: the root key of all digests, which never changes, sealing keys, and signing keys.

    Signing keys are in the order in which they were made. A file from before there were any has none.
    """

    version: Literal[1]
    root: _KeyBytes
    active: _KeyId
    keys: tuple[SealingKey, ...]
    signing_keys: tuple[SigningKey, ...] = ()

    def __repr__(self) -> str:
        return f"Contents(active={self.active}, keys={self.keys!r}, signing_keys={self.signing_keys!r})"


class FileState(NamedTuple):
    """Tells one version of the file from another without reading it."""

    inode: int
    modified_ns: int
    size: int


def new_sealing_key(key_id: int, created: int) -> SealingKey:
    """Returns a random key."""
    return SealingKey(id=key_id, key=os.urandom(KEY_BYTES), created=created)


def new_contents(created: int) -> Contents:
    """Returns a random root key and one random sealing key, number 1."""
    return Contents(version=1, root=os.urandom(KEY_BYTES), active=1, keys=(new_sealing_key(1, created),))


def state(path: Path) -> FileState:
    """Returns which version of the file is there now.

    Raises:
        KeyringError: The file is missing or may not be looked at.
    """
    try:
        found = path.stat()
    except OSError as error:
        raise KeyringError(f"keyring {path}: {error.strerror}") from error
    return FileState(found.st_ino, found.st_mtime_ns, found.st_size)


def read(path: Path) -> Contents:
    """Reads and checks the whole file.

    Raises:
        KeyringError: The file is missing, unreadable or malformed.
    """
    try:
        contents = msgspec.json.decode(path.read_bytes(), type=Contents)
    except OSError as error:
        raise KeyringError(f"keyring {path}: {error.strerror}") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise KeyringError(f"keyring {path} is malformed: {error}") from None
    ids = [key.id for key in contents.keys]
    if len(set(ids)) != len(ids):
        raise KeyringError(f"keyring {path} is malformed: two keys have the same id")
    if contents.active not in ids:
        raise KeyringError(f"keyring {path} is malformed: there is no key {contents.active}, the active one")
    kids = {key.kid for key in contents.signing_keys}
    if len(kids) != len(contents.signing_keys):
        raise KeyringError(f"keyring {path} is malformed: two signing keys have the same kid")
    return contents


def create(path: Path, contents: Contents) -> None:
    """Writes the file unless it exists already; the file of whoever came first stays.

    Raises:
        KeyringError: It cannot be written.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _written(path, contents) as temporary, suppress(FileExistsError):
            os.link(temporary, path)
        _sync_directory(path.parent)
    except OSError as error:
        raise KeyringError(f"keyring {path} cannot be created: {error.strerror}") from error


def replace(path: Path, contents: Contents) -> None:
    """Puts a new version in the file's place; a reader sees the old one or the new one, whole.

    Raises:
        KeyringError: It cannot be written.
    """
    target = Path(os.path.realpath(path))
    try:
        with _written(target, contents) as temporary:
            temporary.replace(target)
        _sync_directory(target.parent)
    except OSError as error:
        raise KeyringError(f"keyring {path} cannot be written: {error.strerror}") from error


@contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Keeps other processes from changing the file meanwhile (not from reading it).

    The lock is on the directory, because the file itself is replaced.

    Raises:
        KeyringError: The directory cannot be locked.
    """
    directory = os.path.dirname(os.path.realpath(path))  # noqa: PTH120 - realpath, for a linked keyring
    try:
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise KeyringError(f"keyring {path}: its directory cannot be opened: {error.strerror}") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def _written(path: Path, contents: Contents) -> Iterator[Path]:
    # mkstemp gives mode 0600 whatever the umask.
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(msgspec.json.format(msgspec.json.encode(contents), indent=2) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
