# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which metrics the rules and the dashboard of mail_monitoring name."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
FILES = ROOT / "roles" / "mail_monitoring" / "files"
OFFERED = Path(__file__).with_name("metrics.yml")

# What is in an expression beside metrics, in the order in which it is taken away: strings, selectors of labels, ranges,
# lists of labels, functions.
_BESIDE = (
    r'"[^"]*"',
    r"\{[^}]*\}",
    r"\[[^\]]*\]",
    r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)",
    r"\b\w+\s*(?=\()",
)
_WORDS = {"and", "or", "unless", "bool", "offset"}


def metrics_of(expression: str) -> set[str]:
    """Return the metrics that an expression of PromQL names."""
    for pattern in _BESIDE:
        expression = re.sub(pattern, " ", expression)
    return set(re.findall(r"(?<![\w.])[A-Za-z_:][\w:]*", expression)) - _WORDS


def rules() -> list[dict[str, Any]]:
    """Return the rules."""
    found = yaml.safe_load((FILES / "rules.yml").read_text())
    return [rule for group in found["groups"] for rule in group["rules"]]


def dashboard() -> dict[str, Any]:
    """Return the dashboard."""
    found: dict[str, Any] = json.loads((FILES / "dashboard.json").read_text())
    return found


def panels() -> list[dict[str, Any]]:
    """Return its panels that show something."""
    return [panel for panel in dashboard()["panels"] if panel["type"] != "row"]


def expressions() -> list[str]:
    """Return every expression of rules and dashboard, its variable filled in."""
    queries = [target["expr"] for panel in panels() for target in panel["targets"]]
    return [rule["expr"] for rule in rules()] + [query.replace("$instance", ".*") for query in queries]


def offered() -> set[str]:
    """Return what somebody offers."""
    return {name for names in yaml.safe_load(OFFERED.read_text()).values() for name in names}
