# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Why a delivery waits, in a few classes: what a provider says is different each time, and may name people."""

from __future__ import annotations

import re
from typing import Literal, get_args

Reason = Literal["login", "limit", "full", "tls", "name", "connection", "refused", "other"]
REASONS: tuple[Reason, ...] = get_args(Reason)

# The first that fits. Enhanced status codes are those of RFC 3463 and RFC 4954; words are Postfix's own (smtp(8)) and
# those of providers.
_CLASSES: tuple[tuple[Reason, str], ...] = (
    (
        "limit",
        r"\b[45]\.7\.28\b|\b[45]\.4\.5\b|\b4\.2\.1\b|rate ?limit|too (many|fast)|limit (has been )?exceeded"
        r"|exceeded .*limit|over the limit|daily .*(limit|quota)|throttl",
    ),
    (
        "full",
        r"\b[45]\.2\.2\b|over ?quota|quota exceeded|mailbox (is )?full|\b[45]\.3\.1\b|insufficient .*storage",
    ),
    (
        "login",
        r"SASL authentication fail|\b[45]\.7\.(8|9|14)\b|\b53[045][ -]|authentication (required|failed)",
    ),
    ("tls", r"\bTLS\b|certificate|handshake"),
    ("name", r"name not found|host not found|name service error"),
    (
        "connection",
        r"\bconnect to |connection (refused|timed out|reset)|lost connection|conversation with .* timed out"
        r"|no route to host|network is unreachable",
    ),
    ("refused", r"\bsaid: [45]\d\d\b|\brefused to talk to me: [45]\d\d\b"),
)


def reason_class(text: str) -> Reason:
    """Return the class of what Postfix says of a delivery that it puts off."""
    return next((reason for reason, pattern in _CLASSES if re.search(pattern, text, re.IGNORECASE)), "other")
