"""RECIPES.md: what it says to put into the inventory is accepted, and its links lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml
from ansible_collections.ilnmors.mail.tests.unit.site.description import literal, read, variables

RECIPES = (Path(__file__).parents[3] / "roles" / "postfix_relay" / "RECIPES.md").read_text()


def inventory() -> dict[str, Any]:
    """Return the site variables of the page's examples."""
    blocks = re.findall(r"^```yaml\n(mail_.*?)^```", RECIPES, re.M | re.S)
    return {key: value for block in blocks for key, value in yaml.safe_load(block).items()}


def test_the_inventory_of_the_examples_is_accepted() -> None:
    site = {"mail_domain": "home.internal", "mail_users": [{"name": "il", "password": "x"}], **inventory()}
    # The accounts that machines name are for the reader to add.
    services = [{**entry, "provider": ""} for entry in site["mail_services"]]
    given = variables("postfix_relay", literal("postfix_relay"), {**site, "mail_services": services})
    assert read("postfix_relay", given).problems == []


def test_links_lead_somewhere() -> None:
    headings = re.findall(r"^## (.+)$", RECIPES, re.M)
    anchors = {re.sub(r"[^a-z0-9 -]", "", heading.lower()).replace(" ", "-") for heading in headings}
    assert set(re.findall(r"\]\(#([^)]+)\)", RECIPES)) <= anchors
