# SPDX-License-Identifier: Apache-2.0
"""One log pipeline to standard error for structlog and the standard library, without secrets.

Depends on structlog only. Code logs with `structlog.get_logger(__name__)`, an event name and keyword facts.
"""

from __future__ import annotations

import logging
import re
import sys
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, Literal

import structlog

if TYPE_CHECKING:
    from collections.abc import Mapping

    from structlog.typing import EventDict, Processor, WrappedLogger

REDACTED: Final = "[redacted]"

# A key is judged by its last word (client_secret, accessToken, X-Api-Key) or, where that is a common one, by two.
_SECRET_WORDS: Final = frozenset(
    {
        "authorization",
        "cookie",
        "cookies",
        "credential",
        "credentials",
        "passphrase",
        "passwd",
        "password",
        "passwords",
        "pepper",
        "secret",
        "secrets",
        "token",
        "tokens",
    }
)
_SECRET_PAIRS: Final = frozenset({("api", "key"), ("private", "key"), ("secret", "key"), ("sealing", "key")})
_WORD: Final = re.compile(r"[A-Z]?[a-z0-9]+|[A-Z]+(?![a-z])")

# Credentials inside texts: an Authorization header's value, what crypto.tokens generates, and JWTs ('{"' is "eyJ").
_CREDENTIAL: Final = re.compile(
    r"\b((?i:basic|bearer)\s+)[A-Za-z0-9._~+/=-]+|\b(almoner_)[A-Za-z0-9]{43}|\beyJ[\w-]+\.[\w-]+\.[\w-]+"
)


def configure(level: Literal["debug", "info", "warning", "error"], log_format: Literal["console", "json"]) -> None:
    """Sends all logs of the process to standard error; a further call replaces the settings.

    Args:
        level: Least severe level that is logged.
        log_format: One JSON object a line, or text for people, in colour on a terminal.
    """
    structlog.configure(
        processors=_STRUCTLOG,
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=_SHARED,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_ENDINGS[log_format]()],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    logging.captureWarnings(capture=True)


def redact(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Replaces the values of keys that name a secret, however deep, and credentials inside texts."""
    return {key: _redacted(key, value) for key, value in event.items()}


def _redacted(key: object, value: Any) -> Any:
    if isinstance(key, str) and value is not None and _names_secret(key):
        return REDACTED
    if isinstance(value, str):
        return _CREDENTIAL.sub(rf"\1\2{REDACTED}", value)
    if isinstance(value, dict):
        return {inner: _redacted(inner, each) for inner, each in value.items()}
    if isinstance(value, list | tuple):
        return [_redacted(None, each) for each in value]
    return value


@lru_cache(maxsize=1024)
def _names_secret(key: str) -> bool:
    words = tuple(word.lower() for word in _WORD.findall(key))
    return bool(words) and (words[-1] in _SECRET_WORDS or words[-2:] in _SECRET_PAIRS)


def _json_ending() -> list[Processor]:
    return [structlog.processors.format_exc_info, redact, structlog.processors.JSONRenderer(ensure_ascii=False)]


def _console_ending() -> list[Processor]:
    # Tracebacks as text: the pretty ones show local variables, and those hold secrets.
    renderer = structlog.dev.ConsoleRenderer(
        colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
    )
    return [structlog.processors.format_exc_info, redact, renderer]


_ENDINGS: Final[Mapping[str, Any]] = {"json": _json_ending, "console": _console_ending}

_SHARED: Final[list[Processor]] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
]

# One list for the life of the process: loggers keep the list they first saw.
_STRUCTLOG: Final[list[Processor]] = [
    structlog.stdlib.filter_by_level,
    *_SHARED,
    structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
]
