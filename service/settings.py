# SPDX-License-Identifier: Apache-2.0
"""Every setting of the service, from ALMONER_* variables, a .env file and flags.

Depends on pydantic-settings only. No error and no repr holds a secret.
"""

from __future__ import annotations

import difflib
import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, NamedTuple, get_args, get_origin
from urllib.parse import parse_qsl, urlencode, urlsplit

from dotenv import dotenv_values
from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationError, ValidationInfo
from pydantic_settings import BaseSettings, SettingsConfigDict

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pydantic.fields import FieldInfo
    from pydantic_core import ErrorDetails

ENV_PREFIX: Final = "ALMONER_"
ENV_FILE: Final = ".env"

_SSL_MODES: Final = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
_POSTGRES_SCHEMES: Final = ("postgresql", "postgres", "postgresql+asyncpg")
_SQLITE_PREFIX: Final = "sqlite:///"

# Kubernetes sets <SERVICE>_SERVICE_HOST, <SERVICE>_PORT, <SERVICE>_PORT_8080_TCP_ADDR and more in every pod beside a
# Service, and ours is likely to be called almoner.
_KUBERNETES_NAME: Final = re.compile(
    r"ALMONER_(\w+_)?(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT_\d+_(TCP|UDP|SCTP)(_\w+)?)"
)
_KUBERNETES_PORT: Final = re.compile(r"(tcp|udp|sctp)://.+")


_TOKEN_PARTY: Final = re.compile(r"[!-~]{1,512}")


class SettingsError(Exception):
    """A setting cannot be used. The message is one line that names it."""


def host_and_port(listen: str) -> tuple[str, int]:
    """Splits HOST:PORT or [IPV6]:PORT; port 0 lets the system choose.

    Raises:
        ValueError: The text has another form.
    """
    host, separator, port = listen.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        separator = ""
    if not (separator and host and port.isascii() and port.isdecimal() and int(port) <= 65_535):
        raise ValueError(f"{listen!r} is not HOST:PORT")
    return host, int(port)


def _checked_address(listen: str) -> str:
    host_and_port(listen)
    return listen


_Address = Annotated[str, AfterValidator(_checked_address)]


def _checked_address_or_socket(listen: str) -> str:
    if listen.startswith("unix:"):
        if not listen.removeprefix("unix:"):
            raise ValueError(f"{listen!r} is not unix:PATH")
        return listen
    try:
        return _checked_address(listen)
    except ValueError:
        raise ValueError(f"{listen!r} is neither HOST:PORT nor unix:PATH") from None


def _has_key(key_file: Path | None, info: ValidationInfo) -> Path | None:
    certificate_file = info.data.get("tls_certificate_file")
    if key_file is None and certificate_file is not None:
        raise ValueError("must be set with ALMONER_TLS_CERTIFICATE_FILE: the key of that certificate")
    if key_file is not None and certificate_file is None:
        raise ValueError("is of no use without ALMONER_TLS_CERTIFICATE_FILE")
    if key_file is not None and info.data.get("tls_self_signed"):
        raise ValueError("cannot be used together with ALMONER_TLS_SELF_SIGNED")
    return key_file


def _has_certificate(listen: str | None, info: ValidationInfo) -> str | None:
    if listen is not None and not (info.data.get("tls_self_signed") or info.data.get("tls_certificate_file")):
        raise ValueError("needs a certificate: ALMONER_TLS_CERTIFICATE_FILE with its key, or ALMONER_TLS_SELF_SIGNED")
    return listen


def _checked_token(token: SecretStr) -> SecretStr:
    text = token.get_secret_value()
    if len(text) < 8:
        raise ValueError("must have at least 8 characters")
    if not all("!" <= character <= "~" for character in text):
        raise ValueError("may have visible ASCII characters only, as it is sent in a header")
    return token


def _checked_issuer(issuer: str) -> str:
    # RFC 8414, section 2: metadata and keys are looked for below it.
    parts = urlsplit(issuer)
    if parts.scheme not in {"http", "https"} or not parts.netloc or not _TOKEN_PARTY.fullmatch(issuer):
        raise ValueError("is not an http or https URL")
    if "?" in issuer or "#" in issuer:
        raise ValueError("has a query or a fragment")
    return issuer


def _checked_audience(audience: str) -> str:
    if not _TOKEN_PARTY.fullmatch(audience):
        raise ValueError("is not 1 to 512 visible ASCII characters")
    return audience


def _expanded(path: Path) -> Path:
    return path.expanduser()


_File = Annotated[Path, AfterValidator(_expanded)]


def _normalized_database_url(url: str) -> str:
    # No message repeats the URL: it may hold a password.
    if url.startswith("sqlite:"):
        if not url.removeprefix(_SQLITE_PREFIX) or not url.startswith(_SQLITE_PREFIX) or "?" in url:
            raise ValueError("is not sqlite:///PATH")
        return url
    scheme, separator, rest = url.partition("://")
    if not separator or scheme not in _POSTGRES_SCHEMES:
        raise ValueError("is neither sqlite:///PATH nor postgresql://USER:PASSWORD@HOST/DATABASE")
    try:
        parts = urlsplit(f"postgresql+asyncpg://{rest}")
    except ValueError:
        raise ValueError("is not a URL") from None
    if "@" in rest and "@" not in parts.netloc:
        raise ValueError("has a user or password with /, ? or # in it, which must be percent-encoded")
    _check_port_of(parts.netloc)
    query = _asyncpg_query(parse_qsl(parts.query, keep_blank_values=True))
    return parts._replace(query=urlencode(query), fragment="").geturl()


def _check_port_of(netloc: str) -> None:
    host = netloc.rpartition("@")[2]
    _, separator, port = host.rpartition(":")
    if separator and not host.endswith("]") and not (port.isascii() and port.isdecimal() and int(port) <= 65_535):
        raise ValueError("has a port that is no port number")


def _asyncpg_query(query: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    translated = []
    for name, value in query:
        if name in {"sslmode", "ssl"}:
            if value not in _SSL_MODES:
                raise ValueError(f"sslmode is none of {', '.join(_SSL_MODES)}")
            # libpq's name for it; asyncpg takes the same values under another name.
            translated.append(("ssl", value))
        elif name in {"host", "port", "prepared_statement_cache_size"}:
            translated.append((name, value))
        else:
            # asyncpg would refuse it only when it connects. Certificates have variables: PGSSLROOTCERT, PGSSLCERT.
            raise ValueError(f"has a parameter {name!r}, which is not supported (sslmode, host and port are)")
    return translated


def _lowered(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


def _spelt_as_registered(algorithm: object) -> object:
    known = {name.lower(): name for name in get_args(SigningAlgorithm)}
    return known.get(algorithm.lower(), algorithm) if isinstance(algorithm, str) else algorithm


def _default_log_format() -> Literal["console", "json"]:
    # Standard error is None where a process was started without one.
    return "console" if sys.stderr is not None and sys.stderr.isatty() else "json"


LogLevel = Literal["debug", "info", "warning", "error"]
LogFormat = Literal["console", "json"]
SigningAlgorithm = Literal["ES256", "RS256", "EdDSA"]


class Settings(BaseSettings):
    """All settings, checked. Each field's description is its help; `SETTINGS` lists them."""

    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX,
        env_file=ENV_FILE,
        env_file_encoding="utf-8",
        # A variable set to nothing is a variable not set, as compose files leave them.
        env_ignore_empty=True,
        # Unknown variables are refused by load_settings, which knows Kubernetes' own.
        extra="ignore",
        frozen=True,
        allow_inf_nan=False,
        hide_input_in_errors=True,
    )

    data_dir: _File = Field(
        default=Path("./data"), description="Directory of the database, the keyring and the self-signed certificates."
    )
    database_url: Annotated[str, AfterValidator(_normalized_database_url)] = Field(
        default_factory=lambda data: f"{_SQLITE_PREFIX}{data['data_dir'] / 'almoner.db'}",
        description="sqlite:///PATH or postgresql://USER:PASSWORD@HOST/DATABASE, with ?sslmode=... as libpq knows it; "
        "PGSSLROOTCERT names the certificate authority's file.",
        # It may hold a password.
        repr=False,
    )
    keyring_file: _File = Field(
        default_factory=lambda data: data["data_dir"] / "keyring.json",
        description="File of the keys that seal and digest secrets and sign tokens; made at the first start.",
    )
    rest_listen: _Address = Field(default="127.0.0.1:8080", description="HOST:PORT of the REST gateway.")
    grpc_listen: Annotated[str, AfterValidator(_checked_address_or_socket)] = Field(
        default="127.0.0.1:50051", description="HOST:PORT or unix:PATH of the gRPC service."
    )
    tls_self_signed: bool = Field(
        default=False,
        description="For development: make a certificate authority (DATA_DIR/tls/ca.crt) and a certificate for "
        "localhost, 127.0.0.1 and ::1, and use it for TLS.",
    )
    tls_certificate_file: _File | None = Field(
        default=None,
        description="PEM file of the certificate of the TLS listeners, with its chain; followed when it changes.",
    )
    tls_key_file: Annotated[_File | None, AfterValidator(_has_key)] = Field(
        default=None, validate_default=True, description="PEM file of the certificate's key, without a password."
    )
    tls_client_ca_file: _File | None = Field(
        default=None,
        description="PEM file of the authorities of client certificates, which the TLS listener of REST then asks for; "
        "a client may still come without one.",
    )
    rest_tls_listen: Annotated[_Address | None, AfterValidator(_has_certificate)] = Field(
        default_factory=lambda data: "127.0.0.1:8443" if data["tls_self_signed"] else None,
        description="HOST:PORT of the REST gateway over TLS, beside the plain one.",
    )
    grpc_tls_listen: Annotated[_Address | None, AfterValidator(_has_certificate)] = Field(
        default=None, description="HOST:PORT of the gRPC service over TLS, beside the plain one."
    )
    service_ca_file: _File | None = Field(
        default=None,
        description="PEM file of the authority of the service's certificate, for serve-gateway alone: its channel to "
        "the service is then TLS.",
    )
    bootstrap_admin_password: SecretStr | None = Field(
        default=None,
        description="Password of user admin, made at the first start; generated and printed once if unset.",
    )
    bootstrap_api_token: Annotated[SecretStr, AfterValidator(_checked_token)] | None = Field(
        default=None,
        description="Bearer token of user admin, made at the first start, of at least 8 characters; generated and "
        "printed once if unset.",
    )
    reflection: bool = Field(default=True, description="Offer gRPC server reflection.")
    metrics_listen: _Address | None = Field(
        default=None,
        description="HOST:PORT of Prometheus metrics, at /metrics and without authentication; the worker of index N "
        "takes PORT + N.",
    )
    log_level: Annotated[LogLevel, BeforeValidator(_lowered)] = Field(
        default="info", description="Least severe level that is logged."
    )
    log_format: Annotated[LogFormat, BeforeValidator(_lowered)] = Field(
        default_factory=_default_log_format, description="One JSON object a line, or text for people."
    )
    access_log: bool = Field(default=False, description="Log every call of the service.")
    max_body_bytes: int = Field(default=1024 * 1024, ge=1024, description="Largest request, in bytes.")
    rpc_timeout: float = Field(
        default=30, gt=0, description="Seconds a call may take at the most, whatever deadline its caller sets."
    )
    shutdown_grace: float = Field(default=10, ge=0, description="Seconds that running calls get to finish at the end.")
    drain: float = Field(
        default=0, ge=0, description="Seconds between reporting not ready and refusing calls, for load balancers."
    )
    workers: int = Field(default=1, ge=1, le=256, description="Processes that serve on the same ports.")
    password_checks_waiting: int = Field(
        default=64, ge=0, description="Password checks that may wait in a process before further ones are refused."
    )
    postgres_pool_size: int = Field(default=10, ge=1, description="Connections to PostgreSQL of each process.")
    request_id_retention: int = Field(
        default=24, ge=1, description="Hours that the result of a request with a request_id is kept for its repetition."
    )
    grant_retention: int = Field(
        default=720, ge=1, description="Hours that a grant is kept after it has expired or was revoked."
    )
    change_retention: int = Field(
        default=168, ge=1, description="Hours that a change of a profile is kept for those who watch."
    )
    outgoing_allow_http: bool = Field(
        default=False, description="Also call JWT issuers, providers and webhooks over plain http."
    )
    outgoing_allow_private: bool = Field(
        default=False,
        description="Also connect to JWT issuers, providers and webhooks at addresses of private networks, this machine among them.",
    )
    provider_timeout: float = Field(
        default=15, gt=0, le=300, description="Seconds that a provider may take to answer the broker."
    )
    token_signing_algorithm: Annotated[SigningAlgorithm, BeforeValidator(_spelt_as_registered)] = Field(
        default="ES256",
        description="Algorithm of the keys that sign access tokens; the next `almoner keys rotate-signing` takes it up.",
    )
    token_issuer: Annotated[str, AfterValidator(_checked_issuer)] = Field(
        default_factory=lambda data: f"http://{data.get('rest_listen')}",
        description="URL that the JWTs name as their issuer: the one under which clients reach the REST gateway. A change "
        "ends those that were issued.",
    )
    token_audience: Annotated[str, AfterValidator(_checked_audience)] = Field(
        default_factory=lambda data: str(data.get("token_issuer")),
        description="Whom the JWTs are for, and what one must be for to be accepted here. A change ends those that were "
        "issued.",
    )

    @property
    def sqlite_path(self) -> Path | None:
        """The SQLite file, or None if the database is PostgreSQL."""
        if not self.database_url.startswith(_SQLITE_PREFIX):
            return None
        return Path(self.database_url.removeprefix(_SQLITE_PREFIX))

    @property
    def tls_directory(self) -> Path:
        """Where the self-signed certificates are kept."""
        return self.data_dir / "tls"

    @property
    def shown_database_url(self) -> str:
        """The database as it may be shown: without password and parameters."""
        if self.sqlite_path is not None:
            return self.database_url
        parts = urlsplit(self.database_url)
        user, at, host = parts.netloc.rpartition("@")
        return f"postgresql://{user.partition(':')[0]}{at}{host}{parts.path}"


class Setting(NamedTuple):
    """One row of the table of settings, for --help and the documentation.

    Attributes:
        name: Attribute of Settings, and key of load_settings' overrides.
        env: Environment variable.
        flag: Command line flag, or None for a secret: other users of the machine see command lines.
        default: The default as text.
        help: One or two sentences.
        boolean: Whether it is switched on and off.
        choices: All values it may have, if they are few.
    """

    name: str
    env: str
    flag: str | None
    default: str
    help: str
    boolean: bool
    choices: tuple[str, ...]


_DEFAULT_TEXTS: Final = {
    "data_dir": "./data",
    "database_url": "sqlite:///DATA_DIR/almoner.db",
    "keyring_file": "DATA_DIR/keyring.json",
    "bootstrap_admin_password": "generated",
    "bootstrap_api_token": "generated",
    "metrics_listen": "off",
    "tls_certificate_file": "none",
    "tls_key_file": "none",
    "tls_client_ca_file": "none",
    "rest_tls_listen": "off, or 127.0.0.1:8443 with ALMONER_TLS_SELF_SIGNED",
    "grpc_tls_listen": "off",
    "service_ca_file": "none",
    "log_format": "json, or console on a terminal",
    "token_signing_algorithm": "ES256",
    "token_issuer": "http://REST_LISTEN",
    "token_audience": "TOKEN_ISSUER",
}


def _described(name: str, field: FieldInfo) -> Setting:
    secret = "SecretStr" in str(field.annotation)
    return Setting(
        name=name,
        env=ENV_PREFIX + name.upper(),
        flag=None if secret else "--" + name.replace("_", "-"),
        default=_DEFAULT_TEXTS.get(name) or str(field.default).lower(),
        help=field.description or "",
        boolean=field.annotation is bool,
        choices=tuple(get_args(field.annotation)) if get_origin(field.annotation) is Literal else (),
    )


SETTINGS: Final = tuple(_described(name, field) for name, field in Settings.model_fields.items())
"""All settings in the order of --help."""

_BY_NAME: Final = {setting.name: setting for setting in SETTINGS}


def load_settings(overrides: Mapping[str, object]) -> Settings:
    """Reads the .env file, then the environment, then the flags; the later one wins.

    Args:
        overrides: Values of flags by setting name; None means that the flag was not given.

    Raises:
        SettingsError: A value cannot be used, or an ALMONER_* variable is no setting. The message is one line and
            holds no secret.
    """
    given = {name: value for name, value in overrides.items() if value is not None}
    for name in given:
        if name not in _BY_NAME:
            raise SettingsError(f"{name!r} is not a setting")
    try:
        _refuse_unknown(dotenv_values(ENV_FILE))
        _refuse_unknown(os.environ)
        return Settings(**given)  # type: ignore[arg-type]  # flags are text; pydantic checks and converts them
    except ValidationError as error:
        # Without its cause: that holds the input.
        raise SettingsError(_line(error.errors(include_url=False)[0], given)) from None
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{ENV_FILE} cannot be read: {type(error).__name__}") from None


def _refuse_unknown(variables: Mapping[str, str | None]) -> None:
    known = [setting.env for setting in SETTINGS]
    for name, value in variables.items():
        upper = name.upper()
        if not upper.startswith(ENV_PREFIX) or upper in known or _is_kubernetes(name, value or ""):
            continue
        close = difflib.get_close_matches(upper, known, n=1)
        raise SettingsError(f"{name} is not a setting" + (f"; did you mean {close[0]}?" if close else ""))


def _is_kubernetes(name: str, value: str) -> bool:
    if name.endswith("_PORT") and _KUBERNETES_PORT.fullmatch(value):
        return True
    return _KUBERNETES_NAME.fullmatch(name) is not None


def _line(error: ErrorDetails, given: Mapping[str, object]) -> str:
    name = str(error["loc"][0])
    setting = _BY_NAME[name]
    source = setting.flag if name in given and setting.flag else setting.env
    problem = error.get("ctx", {}).get("error")
    if isinstance(problem, ValueError):
        return f"{source}: {problem}"
    value: Any = "" if setting.flag is None else f"{str(error['input'])[:80]!r}: "
    return f"{source}: {value}{error['msg'][0].lower()}{error['msg'][1:]}"
