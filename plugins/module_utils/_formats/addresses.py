# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What names and addresses of mail look like."""

from __future__ import annotations

import re
import unicodedata

# RFC 1123 section 2.1: letters, digits and inner hyphens, at most 63 octets a label.
_LABEL = r"(?!-)[a-z0-9-]{1,63}(?<!-)"
_DOMAIN = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(\.{_LABEL})+\Z", re.IGNORECASE)
# RFC 5322 section 3.2.3, dot-atom; at most 64 octets (RFC 5321 section 4.5.3.1.1). A plus sign would be taken
# for the delimiter of a plus address, a slash for a directory.
_NAME = re.compile(r"(?=.{1,64}\Z)[a-z0-9!#$%&'*=?^_`|~-]+(\.[a-z0-9!#$%&'*=?^_`|~-]+)*\Z", re.IGNORECASE)
# What would end a line of a file, or begin a header, or is half of a character, which UTF-8 cannot carry.
_CONTROL = {"Cc", "Cs", "Zl", "Zp"}


def is_domain(value: object) -> bool:
    """Whether value is a fully qualified domain name of two labels or more."""
    return isinstance(value, str) and bool(_DOMAIN.match(value)) and not value.rsplit(".", 1)[1].isdigit()


def is_address(value: object) -> bool:
    """Whether value is a plain mail address, local@domain (RFC 5321 section 4.1.2, without quoted strings)."""
    if not isinstance(value, str) or value.count("@") != 1:
        return False
    local, domain = value.split("@")
    return bool(_NAME.match(local.replace("+", "-"))) and is_domain(domain)


def is_local_part(value: object) -> bool:
    """Whether value can stand before the @ of a plain address."""
    return isinstance(value, str) and bool(_NAME.match(value))


def has_control_characters(text: str) -> bool:
    """Whether text holds a line break or another control character."""
    return any(unicodedata.category(character) in _CONTROL for character in text)
