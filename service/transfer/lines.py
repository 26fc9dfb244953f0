# SPDX-License-Identifier: Apache-2.0
"""The lines of the file: a header, a JSON object for each row, and a footer. Knows the schema, and no database.

A row's object has the name of its table and a member for each column; bytes are base64.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final, Union

import msgspec
from sqlalchemy import BigInteger, Integer, String

from service.schema import METADATA
from service.transfer.contents import NEVER

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sqlalchemy import Column, Table

FORMAT: Final = 1
"""Version of the format; another one is refused."""


class TransferError(Exception):
    """A file or a house that cannot be used. The message is one line, and names no value of a member."""


class Header(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The first line.

    Attributes:
        almoner_export: Version of the format.
        schema: Revision of the schema.
        secrets: What became of secrets, a `service.transfer.contents.Secrets`.
        keyring: Fingerprint of the keyring that secrets are sealed and digested with.
        time: When the snapshot was taken, RFC 3339.
        last_numbers: The last number that each table has ever given; see `service.transfer.bulk.last_numbers`.
        audit: Whether the audit trail went along.
        organizations: Numbers of the organizations that were chosen; none: all of them.
    """

    almoner_export: int
    schema: str
    secrets: str
    keyring: str
    time: str
    last_numbers: dict[str, int]
    audit: bool = False
    organizations: tuple[int, ...] = ()


class Footer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The last line.

    Attributes:
        rows: How many rows of each table there are.
        sha256: Digest of everything before this line, in hexadecimal: it tells a file that was cut or damaged.
        seal: Digest of that digest under the keyring, in hexadecimal: it tells a file that somebody else has changed.
    """

    rows: dict[str, int]
    sha256: str
    seal: str


Row = msgspec.Struct
"""A row of some table."""


class _Version(msgspec.Struct):
    """What of the first line every version of the format has."""

    almoner_export: int


_encoder = msgspec.json.Encoder()
_header_decoder: Final = msgspec.json.Decoder(Header)
_version_decoder: Final = msgspec.json.Decoder(_Version)
_footer_decoder: Final = msgspec.json.Decoder(Footer)


def _member_type(column: Column[Any]) -> Any:
    """Returns the type of a column's values, with the limits that a database has for them."""
    kind: Any = column.type.python_type
    if isinstance(column.type, Integer):
        bits = 63 if isinstance(column.type, BigInteger) else 31
        kind = Annotated[kind, msgspec.Meta(ge=-(2**bits), le=2**bits - 1)]
    elif isinstance(column.type, String) and column.type.length is not None:
        kind = Annotated[kind, msgspec.Meta(max_length=column.type.length)]
    return kind | None if column.nullable else kind


def _row_type(table: Table) -> type[Row]:
    # SQLAlchemy's names are texts of a kind of their own.
    name = str(table.name)
    members = [(str(column.name), _member_type(column)) for column in table.columns]
    return msgspec.defstruct(
        name, members, tag_field="table", tag=name, frozen=True, forbid_unknown_fields=True, gc=False
    )


ROW_TYPES: Final = {table: _row_type(table) for table in METADATA.sorted_tables if table not in NEVER}
"""What the rows of each table that may go along are read as."""

_TABLES: Final = {row_type: table for table, row_type in ROW_TYPES.items()}
_row_decoder: Final = msgspec.json.Decoder(Union[tuple(ROW_TYPES.values())])  # noqa: UP007 - made of data


def encoded(line: Header | Footer) -> bytes:
    """Returns the header's or the footer's line."""
    return _encoder.encode(line) + b"\n"


def encoded_rows(table: Table, rows: Iterable[Sequence[Any]]) -> bytes:
    """Returns the lines of rows, whose values are in the order of the table's columns."""
    row_type = ROW_TYPES[table]
    return _encoder.encode_lines([row_type(*row) for row in rows])


def decoded_header(line: bytes) -> Header:
    """Reads the first line.

    Raises:
        TransferError: it is not the header of a file of this format.
    """
    try:
        version = _version_decoder.decode(line).almoner_export
        if version != FORMAT:
            raise TransferError(f"line 1: the file has format {version}, and this release reads format {FORMAT}")
        return _header_decoder.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise TransferError(f"line 1: no header of an export: {error}") from None


def decoded_footer(line: bytes) -> Footer:
    """Reads the last line.

    Raises:
        TransferError: it is no footer.
    """
    try:
        return _footer_decoder.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise TransferError("the file has no end: it was cut off") from None


def decoded_row(line: bytes, number: int) -> tuple[Table, Row]:
    """Reads the line of a row.

    Args:
        line: The line.
        number: Its number, for the error.

    Raises:
        TransferError: it is no row of this schema.
    """
    try:
        row = _row_decoder.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise TransferError(f"line {number}: {error}") from None
    return _TABLES[type(row)], row


def values_of(row: Row) -> dict[str, Any]:
    """Returns the values of a row by the names of its columns."""
    return msgspec.structs.asdict(row)
