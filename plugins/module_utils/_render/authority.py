# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What people are shown of the authority that their devices have to trust."""

from __future__ import annotations

from typing import Any

from ansible_collections.ilnmors.mail.plugins.module_utils._formats.name_constraints import permitted_domains

try:
    from cryptography import x509
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.serialization import Encoding
    from cryptography.x509.oid import ExtendedKeyUsageOID
except ImportError:  # on no controller: ansible-core itself needs it
    pass


def authority_details(pem: str) -> dict[str, Any]:
    """Describe the one authority of a PEM file; a store of many, such as the system's, holds none of the house.

    Returns nothing, or name, fingerprint (SHA-256, as devices show it), domains, which are those that the authority is
    limited to (RFC 5280 section 4.2.1.10), servers_only, whether it is for TLS servers alone (section 4.2.1.12), and
    pem: the certificate without whatever else the file holds.
    """
    certificates = x509.load_pem_x509_certificates(pem.encode()) if "-----BEGIN" in pem else []
    if len(certificates) != 1:
        return {}
    (authority,) = certificates
    names = authority.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    return {
        "name": str(names[0].value) if names else authority.subject.rfc4514_string(),
        "fingerprint": authority.fingerprint(SHA256()).hex(":").upper(),
        "domains": permitted_domains(authority),
        "servers_only": _purposes(authority) == [ExtendedKeyUsageOID.SERVER_AUTH],
        "pem": authority.public_bytes(Encoding.PEM).decode(),
    }


def _purposes(authority: x509.Certificate) -> list[x509.ObjectIdentifier]:
    try:
        return list(authority.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value)
    except x509.ExtensionNotFound:
        return []
