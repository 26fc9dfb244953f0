# SPDX-License-Identifier: Apache-2.0
"""What a server tells whoever starts it, on standard output."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from service.server import FirstStart
    from service.settings import Settings

_RULE: Final = "-" * 72

_LINES: Final = {
    "REST": "http://{}  (OpenAPI: http://{}/openapi.json)",
    "REST TLS": "https://{}  (OpenAPI: https://{}/openapi.json)",
    "gRPC": "{}",
    "gRPC TLS": "{}",
    "metrics": "http://{}/metrics",
}


def ready(settings: Settings, listening: Mapping[str, str], *, database: bool) -> None:
    """Says where the server listens and, if it has a database, where that and the keys are."""
    lines = [f"Almoner {version('almoner')} is ready."]
    lines += [_line(name, _LINES[name].format(address, address)) for name, address in listening.items()]
    if settings.tls_self_signed and any(name.endswith(" TLS") for name in listening):
        lines.append(_line("TLS CA", f"{settings.tls_directory / 'ca.crt'}  (what clients must trust)"))
    if settings.workers > 1:
        lines.append(_line("Workers", f"{settings.workers}"))
    if database:
        lines.append(_line("Database", settings.shown_database_url))
        lines.append(_line("Keys", f"{settings.keyring_file}  (back it up with the database, which needs it)"))
    print("\n".join(lines), flush=True)


def first_start(made: FirstStart) -> None:
    """Shows the credentials that the first start generated. They are stored as digests only."""
    shown = {"Password": made.password, "API token": made.api_token}
    generated = {name: value for name, value in shown.items() if value is not None}
    lines = ["First start: user admin was made, the administrator of this server."]
    if generated:
        lines.append("Keep these credentials: they are shown this once and cannot be shown again.")
    lines += [_line(name, value) for name, value in generated.items()]
    # At once: what comes after may fail, and they cannot be shown again.
    print("\n".join([_RULE, *lines, _RULE]), flush=True)


def _line(name: str, text: str) -> str:
    return f"  {name:<10} {text}"
