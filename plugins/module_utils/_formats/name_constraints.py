# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The name constraints of certificate authorities (RFC 5280 section 4.2.1.10)."""

from __future__ import annotations

try:
    from cryptography import x509
except ImportError:  # a host that has made no certificate yet
    x509 = None  # type: ignore[assignment]


def permitted_domains(certificate: x509.Certificate) -> list[str]:
    """Return the domains that an authority is limited to (RFC 5280 section 4.2.1.10), none if it is to none."""
    try:
        limits = certificate.extensions.get_extension_for_class(x509.NameConstraints).value
    except x509.ExtensionNotFound:
        return []
    return [name.value for name in limits.permitted_subtrees or [] if isinstance(name, x509.DNSName)]
