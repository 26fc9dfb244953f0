# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.settings import SETTINGS, Settings, SettingsError, host_and_port, load_settings

CANARY = "canary-of-the-settings"


@pytest.fixture(autouse=True)
def empty_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No .env file and no variable of this machine."""
    monkeypatch.chdir(tmp_path)
    for setting in SETTINGS:
        monkeypatch.delenv(setting.env, raising=False)
    return tmp_path


def test_the_defaults_need_nothing() -> None:
    settings = load_settings({})
    assert settings.data_dir == Path("data")
    assert settings.sqlite_path == Path("data/almoner.db")
    assert settings.keyring_file == Path("data/keyring.json")
    assert settings.rest_listen == "127.0.0.1:8080"
    assert settings.grpc_listen == "127.0.0.1:50051"
    assert settings.bootstrap_admin_password is None
    assert settings.log_format == "json"


def test_database_and_keyring_follow_the_data_directory() -> None:
    settings = load_settings({"data_dir": "/srv/almoner"})
    assert settings.database_url == "sqlite:////srv/almoner/almoner.db"
    assert settings.sqlite_path == Path("/srv/almoner/almoner.db")
    assert settings.keyring_file == Path("/srv/almoner/keyring.json")


class TestPrecedence:
    def test_a_variable_beats_the_file_and_a_flag_beats_both(
        self, empty_directory: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (empty_directory / ".env").write_text("ALMONER_WORKERS=2\nALMONER_DRAIN=2\nALMONER_RPC_TIMEOUT=2\nOTHER=2\n")
        monkeypatch.setenv("ALMONER_DRAIN", "3")
        monkeypatch.setenv("ALMONER_RPC_TIMEOUT", "3")
        settings = load_settings({"rpc_timeout": "4"})
        assert (settings.workers, settings.drain, settings.rpc_timeout) == (2, 3, 4)

    def test_a_flag_that_was_not_given_is_none(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("ALMONER_WORKERS", "3")
        assert load_settings({"workers": None}).workers == 3

    def test_an_empty_variable_is_not_set(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("ALMONER_DATABASE_URL", "")
        monkeypatch.setenv("ALMONER_BOOTSTRAP_API_TOKEN", "")
        settings = load_settings({})
        assert settings.sqlite_path == Path("data/almoner.db")
        assert settings.bootstrap_api_token is None


class TestDatabaseUrl:
    @pytest.mark.parametrize(
        ("given", "used"),
        [
            ("sqlite:///relative.db", "sqlite:///relative.db"),
            ("sqlite:////srv/a.db", "sqlite:////srv/a.db"),
            ("postgresql://u:p@h/db", "postgresql+asyncpg://u:p@h/db"),
            ("postgres://u:p@h:5433/db", "postgresql+asyncpg://u:p@h:5433/db"),
            ("postgresql+asyncpg://u@h/db", "postgresql+asyncpg://u@h/db"),
            ("postgresql://u:p%40%2F@h/db?sslmode=verify-full", "postgresql+asyncpg://u:p%40%2F@h/db?ssl=verify-full"),
            ("postgresql://u:p@[::1]:5432/db", "postgresql+asyncpg://u:p@[::1]:5432/db"),
            ("postgresql://u@/db?host=/run/pg", "postgresql+asyncpg://u@/db?host=%2Frun%2Fpg"),
        ],
    )
    def test_it_becomes_what_the_driver_takes(self, given: str, used: str) -> None:
        settings = load_settings({"database_url": given})
        assert settings.database_url == used
        assert (settings.sqlite_path is None) == used.startswith("postgresql")

    @pytest.mark.parametrize(
        ("url", "problem"),
        [
            ("mysql://u:p@h/db", "neither sqlite:///PATH nor postgresql://"),
            (CANARY, "neither sqlite:///PATH nor postgresql://"),
            ("sqlite://", "not sqlite:///PATH"),
            ("sqlite:///", "not sqlite:///PATH"),
            ("sqlite:relative.db", "not sqlite:///PATH"),
            (f"postgresql://u:{CANARY}@h:port/db", "no port number"),
            (f"postgresql://u:{CANARY}@h/db?sslmode=maybe", "sslmode is none of"),
            (f"postgresql://u:{CANARY}@h/db?connect_timeout=3", "'connect_timeout', which is not supported"),
            (f"postgresql://u:1/{CANARY}@h/db", "must be percent-encoded"),
            (f"postgresql://u:1?{CANARY}@h/db", "must be percent-encoded"),
            (f"postgresql://u:1#{CANARY}@h/db", "must be percent-encoded"),
            (f"postgresql://u:{CANARY}[@h/db", "is not a URL"),
        ],
    )
    def test_another_is_refused_without_being_quoted(self, url: str, problem: str) -> None:
        message = _refusal("ALMONER_DATABASE_URL", {"database_url": url}, "--database-url")
        assert problem in message
        assert CANARY not in message


class TestListen:
    @pytest.mark.parametrize(
        ("listen", "parts"),
        [
            ("127.0.0.1:8080", ("127.0.0.1", 8080)),
            ("localhost:0", ("localhost", 0)),
            ("[::1]:8080", ("::1", 8080)),
            ("0.0.0.0:65535", ("0.0.0.0", 65_535)),  # noqa: S104 - parsed, not listened on
        ],
    )
    def test_host_and_port_are_taken_apart(self, listen: str, parts: tuple[str, int]) -> None:
        assert host_and_port(listen) == parts

    @pytest.mark.parametrize(
        "listen", ["foo", ":8080", "host:", "host:http", "host:65536", "::1:8080", "host:-1", "h:²"]
    )
    def test_anything_else_is_refused(self, listen: str) -> None:
        message = _refusal("ALMONER_REST_LISTEN", {"rest_listen": listen}, "--rest-listen")
        assert message == f"--rest-listen: {listen!r} is not HOST:PORT"

    @given(st.text())
    def test_any_text_is_taken_apart_or_refused(self, listen: str) -> None:
        try:
            host, port = host_and_port(listen)
        except ValueError:
            return
        assert host
        assert 0 <= port <= 65_535

    def test_grpc_may_listen_on_a_socket_file(self) -> None:
        assert load_settings({"grpc_listen": "unix:/run/almoner.sock"}).grpc_listen == "unix:/run/almoner.sock"

    @pytest.mark.parametrize(
        ("listen", "form"), [("unix:", "unix:PATH"), ("foo", "HOST:PORT nor unix:PATH")], ids=["no path", "neither"]
    )
    def test_grpc_listens_on_nothing_else(self, listen: str, form: str) -> None:
        assert form in _refusal("ALMONER_GRPC_LISTEN", {"grpc_listen": listen}, "--grpc-listen")


class TestTls:
    def test_there_is_none_by_default(self) -> None:
        settings = load_settings({})
        assert (settings.rest_tls_listen, settings.grpc_tls_listen) == (None, None)

    def test_self_signed_it_listens_for_rest_and_is_kept_in_the_data_directory(self) -> None:
        settings = load_settings({"tls_self_signed": True, "data_dir": "/srv"})
        assert (settings.rest_tls_listen, settings.grpc_tls_listen) == ("127.0.0.1:8443", None)
        assert settings.tls_directory == Path("/srv/tls")

    def test_both_listeners_take_a_certificate_from_files(self) -> None:
        chosen = {
            "tls_certificate_file": "~/c",
            "tls_key_file": "~/k",
            "rest_tls_listen": "h:1",
            "grpc_tls_listen": "h:2",
        }
        settings = load_settings(chosen)
        assert (settings.tls_certificate_file, settings.tls_key_file) == (Path.home() / "c", Path.home() / "k")
        assert (settings.rest_tls_listen, settings.grpc_tls_listen) == ("h:1", "h:2")

    @pytest.mark.parametrize(
        ("given", "problem"),
        [
            (("tls_certificate_file",), "ALMONER_TLS_KEY_FILE: must be set with ALMONER_TLS_CERTIFICATE_FILE"),
            (("tls_key_file",), "--tls-key-file: is of no use without ALMONER_TLS_CERTIFICATE_FILE"),
            (
                ("tls_certificate_file", "tls_key_file", "tls_self_signed"),
                "--tls-key-file: cannot be used together with ALMONER_TLS_SELF_SIGNED",
            ),
            (("rest_tls_listen",), "--rest-tls-listen: needs a certificate: ALMONER_TLS_CERTIFICATE_FILE"),
            (("grpc_tls_listen",), "--grpc-tls-listen: needs a certificate: ALMONER_TLS_CERTIFICATE_FILE"),
        ],
    )
    def test_what_does_not_go_together_is_refused(self, given: tuple[str, ...], problem: str) -> None:
        values = {
            "tls_certificate_file": "c",
            "tls_key_file": "k",
            "tls_self_signed": "true",
            "rest_tls_listen": "h:1",
            "grpc_tls_listen": "h:1",
        }
        with pytest.raises(SettingsError) as raised:
            load_settings({name: values[name] for name in given})
        assert str(raised.value).startswith(problem)

    @pytest.mark.parametrize("name", ["rest_tls_listen", "grpc_tls_listen"])
    def test_it_listens_on_ports_only(self, name: str) -> None:
        flag = "--" + name.replace("_", "-")
        overrides: dict[str, object] = {"tls_self_signed": True, name: "unix:/run/s"}
        assert _refusal(f"ALMONER_{name.upper()}", overrides, flag).endswith("is not HOST:PORT")


class TestRefusals:
    @pytest.mark.parametrize(
        ("env", "value", "problem"),
        [
            ("ALMONER_REST_LISTEN", "foo", "'foo' is not HOST:PORT"),
            ("ALMONER_WORKERS", "two", "'two': input should be a valid integer"),
            ("ALMONER_WORKERS", "0", "'0': input should be greater than or equal to 1"),
            ("ALMONER_RPC_TIMEOUT", "0", "'0': input should be greater than 0"),
            ("ALMONER_RPC_TIMEOUT", "inf", "'inf': input should be a finite number"),
            ("ALMONER_REFLECTION", "maybe", "'maybe': input should be a valid boolean"),
            ("ALMONER_LOG_LEVEL", "loud", "'loud': input should be 'debug', 'info', 'warning' or 'error'"),
            ("ALMONER_BOOTSTRAP_API_TOKEN", "short", "must have at least 8 characters"),
            ("ALMONER_BOOTSTRAP_API_TOKEN", f"{CANARY} {CANARY}", "may have visible ASCII characters only"),
        ],
    )
    def test_one_line_names_the_variable_and_the_fault(
        self, env: str, value: str, problem: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv(env, value)
        with pytest.raises(SettingsError) as raised:
            load_settings({})
        message = str(raised.value)
        assert message.startswith(f"{env}: {problem}")
        assert "\n" not in message
        assert CANARY not in message
        assert raised.value.__cause__ is None

    @pytest.mark.parametrize(
        ("env", "hint"),
        [
            ("ALMONER_REST_LISTN", "; did you mean ALMONER_REST_LISTEN?"),
            ("almoner_rest_listn", "; did you mean ALMONER_REST_LISTEN?"),
            ("ALMONER_PORT", ""),
            ("ALMONER_X", ""),
        ],
    )
    def test_a_variable_that_is_no_setting_is_named(self, env: str, hint: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv(env, CANARY)
        with pytest.raises(SettingsError) as raised:
            load_settings({})
        assert str(raised.value).startswith(f"{env} is not a setting")
        assert str(raised.value).endswith(hint)
        assert CANARY not in str(raised.value)

    def test_the_file_is_held_to_the_same_names(self, empty_directory: Path) -> None:
        (empty_directory / ".env").write_text("ALMONER_DATA_DIRECTORY=/srv\n")
        with pytest.raises(
            SettingsError, match=r"ALMONER_DATA_DIRECTORY is not a setting; did you mean ALMONER_DATA_DIR"
        ):
            load_settings({})

    @pytest.mark.parametrize(
        ("env", "value"),
        [
            ("ALMONER_SERVICE_HOST", "10.0.0.1"),
            ("ALMONER_SERVICE_PORT", "8080"),
            ("ALMONER_SERVICE_PORT_REST", "8080"),
            ("ALMONER_PORT", "tcp://10.0.0.1:8080"),
            ("ALMONER_PORT_8080_TCP", "tcp://10.0.0.1:8080"),
            ("ALMONER_GRPC_PORT_50051_TCP_ADDR", "10.0.0.1"),
        ],
    )
    def test_what_kubernetes_sets_is_let_through(self, env: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv(env, value)
        load_settings({})

    def test_a_file_in_another_encoding_is_named(self, empty_directory: Path) -> None:
        (empty_directory / ".env").write_bytes(b"ALMONER_DATA_DIR=\xff\xfe\n")
        with pytest.raises(SettingsError, match=r"\.env cannot be read"):
            load_settings({})

    def test_a_flag_that_is_no_setting_is_named(self) -> None:
        with pytest.raises(SettingsError, match="'bogus' is not a setting"):
            load_settings({"bogus": 1})


class TestTokenSigningAlgorithm:
    def test_the_default_is_an_elliptic_curve(self) -> None:
        assert load_settings({}).token_signing_algorithm == "ES256"

    @pytest.mark.parametrize("given", ["EdDSA", "eddsa", "EDDSA"])
    def test_it_is_spelt_as_registered_however_it_is_given(self, given: str) -> None:
        assert load_settings({"token_signing_algorithm": given}).token_signing_algorithm == "EdDSA"

    @pytest.mark.parametrize("given", ["none", "HS256", "ES384", "Ed25519"])
    def test_another_one_is_refused(self, given: str) -> None:
        refusal = _refusal(
            "ALMONER_TOKEN_SIGNING_ALGORITHM", {"token_signing_algorithm": given}, "--token-signing-algorithm"
        )
        assert "'ES256', 'RS256' or 'EdDSA'" in refusal


class TestPartiesOfTokens:
    def test_the_issuer_is_the_gateway_and_the_audience_the_issuer(self) -> None:
        settings = load_settings({"rest_listen": "127.0.0.1:9000"})
        assert (settings.token_issuer, settings.token_audience) == ("http://127.0.0.1:9000", "http://127.0.0.1:9000")
        settings = load_settings({"token_issuer": "https://almoner.example/auth"})
        assert settings.token_audience == "https://almoner.example/auth"
        settings = load_settings({"token_issuer": "https://almoner.example", "token_audience": "urn:apis"})
        assert (settings.token_issuer, settings.token_audience) == ("https://almoner.example", "urn:apis")

    @pytest.mark.parametrize(
        ("given", "problem"),
        [
            ("almoner.example", "is not an http or https URL"),
            ("ftp://almoner.example", "is not an http or https URL"),
            ("https://", "is not an http or https URL"),
            ("https://almoner.example/a b", "is not an http or https URL"),
            ("https://almoner.example/?a=b", "has a query or a fragment"),
            ("https://almoner.example/#a", "has a query or a fragment"),
        ],
    )
    def test_another_issuer_is_refused(self, given: str, problem: str) -> None:
        refusal = _refusal("ALMONER_TOKEN_ISSUER", {"token_issuer": given}, "--token-issuer")
        assert problem in refusal

    @pytest.mark.parametrize("given", ["two words", "x" * 513, "\u00fc"])
    def test_an_audience_is_one_visible_word(self, given: str) -> None:
        refusal = _refusal("ALMONER_TOKEN_AUDIENCE", {"token_audience": given}, "--token-audience")
        assert "is not 1 to 512 visible ASCII characters" in refusal


def test_no_text_of_the_settings_holds_a_secret() -> None:
    settings = load_settings(
        {
            "database_url": f"postgresql://u:{CANARY}@h/db",
            "bootstrap_admin_password": CANARY,
            "bootstrap_api_token": CANARY,
        }
    )
    assert settings.bootstrap_api_token is not None
    assert settings.bootstrap_api_token.get_secret_value() == CANARY
    assert CANARY not in repr(settings) + str(settings)


class TestTable:
    def test_it_has_every_setting(self) -> None:
        assert [setting.name for setting in SETTINGS] == list(Settings.model_fields)

    def test_every_setting_is_explained(self) -> None:
        for setting in SETTINGS:
            assert setting.help.endswith(".")
            assert setting.default

    def test_only_secrets_have_no_flag(self) -> None:
        assert [setting.name for setting in SETTINGS if setting.flag is None] == [
            "bootstrap_admin_password",
            "bootstrap_api_token",
        ]

    def test_names_of_variables_and_flags_follow_the_name(self) -> None:
        rest_listen = next(setting for setting in SETTINGS if setting.name == "rest_listen")
        assert (rest_listen.env, rest_listen.flag) == ("ALMONER_REST_LISTEN", "--rest-listen")

    def test_choices_and_switches_are_marked(self) -> None:
        by_name = {setting.name: setting for setting in SETTINGS}
        assert by_name["log_format"].choices == ("console", "json")
        assert by_name["access_log"].boolean
        assert not by_name["workers"].boolean


def test_settings_load_neither_the_server_nor_the_database() -> None:
    program = "import sys, service.settings; print({'grpc', 'sqlalchemy', 'aiohttp'} & set(sys.modules))"
    assert (
        subprocess.check_output([sys.executable, "-c", program], text=True, cwd=Path(__file__).parents[2]) == "set()\n"
    )


def _refusal(env: str, overrides: dict[str, object], flag: str) -> str:
    with pytest.raises(SettingsError) as raised:
        load_settings(overrides)
    message = str(raised.value)
    assert message.startswith(f"{flag}: "), f"{env} is named by its flag if that was given"
    return message
