# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Certificates as the role mail_tls makes them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding


def authority(
    common_name: str = "home.internal mail CA",
    domains: tuple[str, ...] = (),
    purposes: tuple[x509.ObjectIdentifier, ...] = (),
) -> str:
    """Return a new authority's certificate in PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    oid = x509.NameOID.COMMON_NAME if common_name else x509.NameOID.ORGANIZATION_NAME
    name = x509.Name([x509.NameAttribute(oid, common_name or "The house")])
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(datetime.now(UTC))
        .not_valid_after(datetime.now(UTC) + timedelta(days=1))
    )
    if domains:
        limits = x509.NameConstraints([x509.DNSName(domain) for domain in domains], None)
        builder = builder.add_extension(limits, critical=True)
    if purposes:
        builder = builder.add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
    return builder.sign(key, SHA256()).public_bytes(Encoding.PEM).decode()


def write_certificates(directory: Path, name: str, domain: str, hostname: str) -> None:
    """Fill the directory of a host that keeps the authority."""
    (directory / "ca.key").touch()
    (directory / "ca.pem").write_text(authority(name, (domain,)))
    (directory / "host.pem").write_text(authority(hostname))
