# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Look up in a table as pcre_table(5) says: caseless, and the first pattern that is found decides; with a house."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from ansible_collections.ilnmors.mail.plugins.module_utils._render.providers import resolve
from ansible_collections.ilnmors.mail.plugins.module_utils._render.sender_rewriting import Rule

DOMAIN = "home.internal"
PEOPLE: list[dict[str, Any]] = [
    {"name": "il", "display_name": 'Il "the" $1', "aliases": ["info"]},
    {"name": "guest"},
    {"name": "min", "display_name": "민"},
]
MACHINES: list[dict[str, Any]] = [
    {"name": "gitea"},
    {"name": "nas"},
    {"name": "prometheus", "addresses": ["alerts@home.internal"]},
]
GMAIL = resolve(
    {
        "name": "gmail",
        "profile": "gmail",
        "address": "il@gmail.com",
        "aliases": ["il@example.org"],
        "password": "x",
        "owner": "il",
    }
)


def look_up(rules: Sequence[Rule], text: str) -> str | None:
    """Return what Postfix finds for a text."""
    for rule in rules:
        if found := re.search(rule.pattern, text, re.IGNORECASE | re.DOTALL):
            return re.sub(
                r"\$(\$|\d|\{\d+\})",
                lambda part: "$" if part[1] == "$" else found[int(part[1].strip("{}"))] or "",
                rule.result,
            )
    return None
