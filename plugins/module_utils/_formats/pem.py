# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Certificates in text (RFC 7468)."""

from __future__ import annotations

import re

_CERTIFICATE = re.compile("-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)


def pem_certificates(text: str) -> list[str]:
    """Return each certificate, without whatever else the text holds."""
    return _CERTIFICATE.findall(text)
