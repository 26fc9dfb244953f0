# SPDX-License-Identifier: Apache-2.0
"""Looks for a mark in bytes, in every form that secrets commonly take on their way out."""

from __future__ import annotations

import base64
import secrets


def new_mark() -> str:
    """Returns a text that nothing else contains."""
    return f"canary{secrets.token_hex(12)}"


def forms_of(mark: str) -> dict[str, bytes]:
    """Returns a mark as it is, reversed, in hexadecimal, and in base64 wherever in a longer text it stands."""
    plain = mark.encode()
    forms = {
        "plain": plain,
        "reversed": plain[::-1],
        "hexadecimal": plain.hex().encode(),
        "HEXADECIMAL": plain.hex().upper().encode(),
        "UTF-16": mark.encode("utf-16-le"),
    }
    for before in range(3):
        # The characters that come from the mark alone, whatever stands before and behind it.
        encoded = base64.b64encode(bytes(before) + plain + b"\0\0")
        first = -(-before * 4 // 3)
        last = (before + len(plain)) * 4 // 3
        forms[f"base64 after {before}"] = encoded[first:last]
    return forms


def found_in(data: bytes, marks: list[str]) -> list[str]:
    """Returns the forms of the marks that are in the data; both cases of the alphabet of URLs are one."""
    data = data.replace(b"-", b"+").replace(b"_", b"/")
    return [
        f"{mark}: {name}"
        for mark in marks
        for name, form in forms_of(mark).items()
        if form.replace(b"-", b"+").replace(b"_", b"/") in data
    ]
