# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A profile that is signed, and signed anew only when it has to be."""

from __future__ import annotations

import datetime
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
from ansible_collections.ilnmors.mail.plugins.module_utils._files import signed_profile
from ansible_collections.ilnmors.mail.plugins.module_utils._files.file_set import Attributes
from ansible_collections.ilnmors.mail.plugins.module_utils._files.signed_profile import (
    Plan,
    SignedProfileError,
    plan,
    put_in_place,
    read_signed,
    sign,
)
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

pytestmark = pytest.mark.skipif(not shutil.which("openssl"), reason="needs the program openssl")
CONTENT = "<plist>\r\n\u00e9 and no newline at the end</plist>"


@dataclass
class Pair:
    certificate: Path
    key: Path


def make(folder: Path, name: str, issuer: str = "") -> str:
    """Write a key, and return its certificate in PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.datetime.now(datetime.UTC)
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    certificate = (
        x509.CertificateBuilder(serial_number=x509.random_serial_number())
        .subject_name(subject)
        .issuer_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, issuer or name)]))
        .public_key(key.public_key())
        .not_valid_before(now)
        .not_valid_after(now + datetime.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / f"{name}.key").write_bytes(pem)
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    """Return a certificate with its chain, and the key."""
    certificate = tmp_path / "host.pem"
    certificate.write_text(make(tmp_path, "host", "between") + make(tmp_path, "between"))
    return Pair(certificate, tmp_path / "host.key")


@pytest.fixture(autouse=True)
def _owner(monkeypatch: pytest.MonkeyPatch) -> None:
    if os.geteuid():
        monkeypatch.setattr(signed_profile, "_is_readable", lambda path: path.stat().st_mode & 0o777 == 0o644)
        own = Attributes(str(os.geteuid()), str(os.getegid()), 0o644)
        monkeypatch.setattr(signed_profile, "READABLE", own)


@pytest.fixture
def file(tmp_path: Path, pair: Pair) -> Path:
    """Return a profile that was signed before."""
    path = tmp_path / "home.mobileconfig"
    put_in_place(plan(path, CONTENT, pair.certificate), pair.certificate, pair.key)
    return path


def test_a_signed_profile_holds_content_signer_and_chain(file: Path) -> None:
    found = read_signed(file)
    assert found
    assert found.content == CONTENT.encode()
    assert len(found.certificates) == 2
    assert file.stat().st_mode & 0o777 == 0o644
    assert "(signed: SHA-256 " in str(found)
    command = ["openssl", "cms", "-verify", "-inform", "DER", "-in", str(file), "-noverify", "-binary"]
    assert subprocess.run(command, capture_output=True, check=True).stdout == CONTENT.encode()


def test_nothing_is_signed_again_without_need(file: Path, pair: Pair) -> None:
    assert not plan(file, CONTENT, pair.certificate).changed


def other_content(file: Path, pair: Pair) -> Plan:
    return plan(file, CONTENT + "\n", pair.certificate)


def other_certificate(file: Path, pair: Pair) -> Plan:
    pair.certificate.write_text(make(file.parent, "host", "between") + make(file.parent, "between"))
    return plan(file, CONTENT, pair.certificate)


def another_chain(file: Path, pair: Pair) -> Plan:
    leaf = pair.certificate.read_text().partition("-----END CERTIFICATE-----\n")
    pair.certificate.write_text("".join(leaf[:2]))
    return plan(file, CONTENT, pair.certificate)


def changed_byte(file: Path, pair: Pair) -> Plan:
    file.write_bytes(file.read_bytes().replace(b"newline", b"newlime"))
    return plan(file, CONTENT, pair.certificate)


def garbage(file: Path, pair: Pair) -> Plan:
    file.write_text(CONTENT)
    return plan(file, CONTENT, pair.certificate)


def other_mode(file: Path, pair: Pair) -> Plan:
    file.chmod(0o600)
    return plan(file, CONTENT, pair.certificate)


def missing(file: Path, pair: Pair) -> Plan:
    file.unlink()
    return plan(file, CONTENT, pair.certificate)


@pytest.mark.parametrize(
    "change",
    [other_content, other_certificate, another_chain, changed_byte, garbage, other_mode, missing],
)
def test_what_differs_is_signed_anew(change: object, file: Path, pair: Pair) -> None:
    assert callable(change)
    planned = change(file, pair)
    assert planned.changed
    put_in_place(planned, pair.certificate, pair.key)
    assert planned.after
    assert read_signed(file) == planned.after
    assert not plan(file, planned.after.content.decode(), pair.certificate).changed


def test_a_profile_of_another_name_goes(file: Path, pair: Pair) -> None:
    other = file.with_name("old.mobileconfig")
    other.write_text("old")
    planned = plan(file, CONTENT, pair.certificate)
    assert planned.changed
    before = file.read_bytes()
    put_in_place(planned, pair.certificate, pair.key)
    assert not other.exists()
    assert file.read_bytes() == before


def test_a_bare_host_is_predicted_to_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    planned = plan(tmp_path / "none" / "home.mobileconfig", CONTENT, tmp_path / "none.pem")
    assert (planned.changed, planned.before, planned.after) == (True, None, None)


def test_a_missing_certificate_is_named(tmp_path: Path, pair: Pair) -> None:
    missing_file = tmp_path / "none.pem"
    with pytest.raises(SignedProfileError) as caught:
        put_in_place(plan(tmp_path / "home.mobileconfig", CONTENT, missing_file), missing_file, pair.key)
    assert str(caught.value) == (
        f"certificate: '{missing_file}' on this host holds no certificate (PEM); correct the path"
    )


@pytest.mark.parametrize("key", ["between.key", "none.key", "host.pem"])
def test_a_key_that_does_not_belong_is_named(tmp_path: Path, pair: Pair, key: str) -> None:
    path = tmp_path / "home.mobileconfig"
    with pytest.raises(SignedProfileError) as caught:
        put_in_place(plan(path, CONTENT, pair.certificate), pair.certificate, tmp_path / key)
    said = str(caught.value)
    assert said.startswith(f"key: '{tmp_path / key}' cannot sign for '{pair.certificate}' (")
    assert said.endswith("); name the key that the certificate was made for")
    assert not path.exists()


def test_a_missing_program_is_named(tmp_path: Path, pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SignedProfileError, match=r"^openssl was not found on this host; install it first$"):
        sign(b"", pair.certificate, pair.key)
