# SPDX-License-Identifier: Apache-2.0
"""The authority and the certificate that --tls-self-signed makes: what they are, how long they stay, who may read them."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import TYPE_CHECKING

import pytest
from cryptography import x509

from service.clock import DAY
from service.command.certificates import CA_LIFETIME, Files, ensure

if TYPE_CHECKING:
    from pathlib import Path

NOW = 1_800_000_000_000_000
TODAY = datetime.fromtimestamp(NOW // 1_000_000, UTC)


def at(days: float = 0) -> int:
    return NOW + int(days * DAY)


def certificate(path: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(path.read_bytes())


def contents(files: Files) -> list[bytes]:
    return [path.read_bytes() for path in files]


def made(directory: Path, days: float = 0) -> Files:
    return ensure(directory / "data" / "tls", lambda: at(days))


def test_the_certificate_is_for_this_machine_and_signed_by_the_authority(tmp_path: Path) -> None:
    files = made(tmp_path)
    ca, server = certificate(files.ca), certificate(files.certificate)
    server.verify_directly_issued_by(ca)
    names = server.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["localhost"]
    assert names.get_values_for_type(x509.IPAddress) == [ip_address("127.0.0.1"), ip_address("::1")]
    assert server.not_valid_after_utc - TODAY == timedelta(days=397)
    assert ca.not_valid_after_utc - TODAY == CA_LIFETIME == timedelta(days=3650)


def test_the_authority_can_sign_for_no_other_host_and_for_no_other_authority(tmp_path: Path) -> None:
    ca = certificate(made(tmp_path).ca)
    limits = ca.extensions.get_extension_for_class(x509.NameConstraints)
    assert limits.critical
    assert limits.value.permitted_subtrees == [x509.DNSName("localhost")]
    assert ca.extensions.get_extension_for_class(x509.BasicConstraints).value.path_length == 0


def test_nobody_else_can_read_the_keys(tmp_path: Path) -> None:
    files = made(tmp_path)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in files}
    assert modes == {"ca.crt": 0o644, "ca.key": 0o600, "server.crt": 0o644, "server.key": 0o600}
    for directory in (tmp_path / "data", tmp_path / "data" / "tls"):
        assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert {path.name for path in (tmp_path / "data" / "tls").iterdir()} == modes.keys(), "nothing is left over"


def test_everything_is_kept_until_30_days_before_the_end_and_then_the_authority_still_is(tmp_path: Path) -> None:
    first = contents(made(tmp_path))
    assert contents(made(tmp_path, days=366)) == first
    renewed = contents(made(tmp_path, days=368))
    assert renewed[:2] == first[:2], "who trusts the authority need not trust another"
    assert renewed[2] != first[2]
    assert renewed[3] != first[3]
    assert contents(made(tmp_path, days=368)) == renewed


def test_the_certificate_never_outlives_its_authority(tmp_path: Path) -> None:
    made(tmp_path)
    files = made(tmp_path, days=3500)
    assert certificate(files.certificate).not_valid_after_utc == certificate(files.ca).not_valid_after_utc


def test_an_authority_that_is_about_to_end_is_made_anew(tmp_path: Path) -> None:
    first = contents(made(tmp_path))
    files = made(tmp_path, days=3640)
    assert contents(files)[0] != first[0]
    certificate(files.certificate).verify_directly_issued_by(certificate(files.ca))


def test_without_the_authoritys_key_a_certificate_that_is_good_stays(tmp_path: Path) -> None:
    files = made(tmp_path)
    before = [path.read_bytes() for path in (files.ca, files.certificate, files.key)]
    files.ca_key.unlink()
    made(tmp_path)
    assert [path.read_bytes() for path in (files.ca, files.certificate, files.key)] == before
    assert not files.ca_key.exists()


@pytest.mark.parametrize("spoilt", Files._fields)
@pytest.mark.parametrize("content", [None, b"", b"-----BEGIN NONSENSE-----\n", "another's"])
def test_what_is_missing_malformed_or_anothers_is_made_anew(
    tmp_path: Path, spoilt: str, content: bytes | str | None
) -> None:
    files = made(tmp_path)
    path: Path = getattr(files, spoilt)
    if content is None:
        path.unlink()
    elif isinstance(content, bytes):
        path.write_bytes(content)
    else:
        path.write_bytes(getattr(made(tmp_path / "another"), spoilt).read_bytes())
    files = made(tmp_path)
    ca, server = certificate(files.ca), certificate(files.certificate)
    server.verify_directly_issued_by(ca)
    assert ca.subject == server.issuer


def test_processes_that_start_at_once_use_the_same(tmp_path: Path) -> None:
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: contents(made(tmp_path)), range(4)))
    assert found == found[:1] * 4


def test_a_directory_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file")
    with pytest.raises(OSError, match="exists"):
        made(tmp_path)
