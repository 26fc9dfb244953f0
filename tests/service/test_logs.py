# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
import logging
import warnings
from typing import TYPE_CHECKING, Any, Literal

import pytest
import structlog

from service import logs
from service.crypto.tokens import new_api_token

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CANARY = "canary-of-the-logs"


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    """Leaves logging as it was."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    logging.captureWarnings(capture=False)
    structlog.contextvars.clear_contextvars()
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)


def _lines(captured: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    out, err = captured.readouterr()
    assert out == ""
    return [json.loads(line) for line in err.splitlines()]


def test_an_event_is_one_json_object_on_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("info", "json")
    structlog.get_logger("service.x").info("server.started", port=8080, text="a\nb", name="Zoë")
    (line,) = _lines(capsys)
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "server.started",
        "level": "info",
        "logger": "service.x",
        "port": 8080,
        "text": "a\nb",
        "name": "Zoë",
    }


def test_the_standard_library_takes_the_same_way(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("info", "json")
    structlog.contextvars.bind_contextvars(request_id="r-1")
    logging.getLogger("library").warning("slow: %d ms", 7)
    (line,) = _lines(capsys)
    assert (line["event"], line["level"], line["logger"]) == ("slow: 7 ms", "warning", "library")
    assert line["request_id"] == "r-1"


def test_a_warning_of_python_is_a_line_too(capsys: pytest.CaptureFixture[str]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logs.configure("info", "json")
        warnings.warn("old", UserWarning, stacklevel=1)
        logging.captureWarnings(capture=False)
    (line,) = _lines(capsys)
    assert "UserWarning: old" in line["event"]


def test_the_request_id_of_the_context_is_merged(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("info", "json")
    structlog.contextvars.bind_contextvars(request_id="r-1")
    structlog.get_logger("service.x").info("x")
    (line,) = _lines(capsys)
    assert line["request_id"] == "r-1"


@pytest.mark.parametrize(("level", "seen"), [("debug", 4), ("info", 3), ("warning", 2), ("error", 1)])
def test_less_severe_events_are_left_out(
    level: Literal["debug", "info", "warning", "error"], seen: int, capsys: pytest.CaptureFixture[str]
) -> None:
    logs.configure(level, "json")
    for log in (structlog.get_logger("service.x"), logging.getLogger("library")):
        for method in ("debug", "info", "warning", "error"):
            getattr(log, method)("x")
    assert len(_lines(capsys)) == 2 * seen


def test_a_logger_already_used_follows_a_new_configuration(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("error", "console")
    log = structlog.get_logger("service.x")
    log.info("unseen")
    logs.configure("info", "json")
    log.info("seen")
    (line,) = _lines(capsys)
    assert line["event"] == "seen"


@pytest.mark.parametrize("log_format", ["json", "console"])
@pytest.mark.parametrize("get_logger", [structlog.get_logger, logging.getLogger], ids=["structlog", "standard library"])
def test_a_traceback_has_no_local_variables(
    log_format: Literal["json", "console"], get_logger: Callable[[str], Any], capsys: pytest.CaptureFixture[str]
) -> None:
    logs.configure("info", log_format)
    try:
        _fail(CANARY)
    except ZeroDivisionError:
        get_logger("service.x").exception("failed")
    _, err = capsys.readouterr()
    assert "ZeroDivisionError: division by zero" in err
    assert "in _fail" in err
    assert CANARY not in err
    if log_format == "json":
        assert len(err.splitlines()) == 1


@pytest.mark.parametrize(
    "key",
    [
        "password",
        "Password",
        "admin_password",
        "secret",
        "client_secret",
        "clientSecret",
        "CLIENT_SECRET",
        "oauth-client-secret",
        "secrets",
        "token",
        "access_token",
        "accessToken",
        "refresh_token",
        "verification_token",
        "Authorization",
        "Proxy-Authorization",
        "credentials",
        "Set-Cookie",
        "api_key",
        "X-API-Key",
        "privateKey",
        "APIKey",
    ],
)
@pytest.mark.parametrize("log_format", ["json", "console"])
def test_the_value_of_a_secret_key_is_redacted(
    key: str, log_format: Literal["json", "console"], capsys: pytest.CaptureFixture[str]
) -> None:
    logs.configure("info", log_format)
    log = structlog.get_logger("service.x")
    log.info("x", **{key: CANARY})
    log.info("x", body={"items": [{key: CANARY}, ({key: {"inner": CANARY}},)]})
    _, err = capsys.readouterr()
    assert err.count(logs.REDACTED) == 3
    assert CANARY not in err


@pytest.mark.parametrize(
    "key",
    ["token_url", "secret_set", "password_expire_time", "key", "key_id", "tokenizer", "author", "passwordless", "_"],
)
def test_other_keys_are_left(key: str) -> None:
    assert logs.redact(None, "info", {key: "value"}) == {key: "value"}


def test_a_secret_that_is_not_there_is_shown_as_such() -> None:
    assert logs.redact(None, "info", {"password": None}) == {"password": None}


@pytest.mark.parametrize(
    ("text", "logged"),
    [
        (f"header Authorization: Bearer {CANARY}", f"header Authorization: Bearer {logs.REDACTED}"),
        ("basic dXNlcjpwYXNz== refused", f"basic {logs.REDACTED} refused"),
        ("no Bearer here", f"no Bearer {logs.REDACTED}"),
        ("almoner_ is a prefix", "almoner_ is a prefix"),
        ("token eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJ4In0.c2ln-_ refused", f"token {logs.REDACTED} refused"),
        ("token=eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJ4In0.c2ln", f"token={logs.REDACTED}"),
        ("eyJ is how a JWT begins", "eyJ is how a JWT begins"),
    ],
)
def test_a_credential_inside_a_text_is_redacted(text: str, logged: str) -> None:
    assert logs.redact(None, "info", {"event": text}) == {"event": logged}


def test_a_generated_token_inside_an_exception_is_redacted(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("info", "json")
    token = new_api_token()
    try:
        int(token)
    except ValueError:
        structlog.get_logger("service.x").exception("failed")
    (line,) = _lines(capsys)
    assert token not in json.dumps(line)
    assert f"almoner_{logs.REDACTED}" in line["exception"]


def _fail(secret: str) -> float:
    return len(secret) / 0
