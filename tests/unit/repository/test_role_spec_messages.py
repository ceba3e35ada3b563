# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A role that is used alone has its options looked at by Ansible first: whatever that says, no secret is in it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

ROLES = Path(__file__).parents[3] / "roles"
NAMES = sorted(path.name for path in ROLES.iterdir())
SECRET = "hunter2"
# What may stand where a secret is due, and what may stand where the entry is due that holds it.
INSTEAD: list[Any] = [
    *(
        SECRET,
        f"{SECRET}: {SECRET}",
        f"{SECRET}=x, y",
        f'{{"{SECRET}"',
        f" {SECRET}\n{SECRET}",
        SECRET * 1_000,
    ),
    *([SECRET], [[SECRET]], [{"password": SECRET}], {"password": SECRET}, {"value": [SECRET, None]}),
]


def options(role: str) -> dict[str, Any]:
    text = (ROLES / role / "meta" / "argument_specs.yml").read_text()
    found: dict[str, Any] = yaml.safe_load(text)["argument_specs"]["main"]["options"]
    return found


def secrets(known: Mapping[str, Any], above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Yield where an option has secrets, and each entry that holds some, as names from the outermost on."""
    for name, option in known.items():
        path = (*above, name)
        inner = list(secrets(option.get("options", {}), path))
        if option.get("no_log") or inner or name.endswith(("_users", "_services", "_providers")):
            yield path
        yield from inner


def placed(known: Mapping[str, Any], path: tuple[str, ...], value: Any) -> dict[str, Any]:
    """Return options with a value at a place."""
    name, *rest = path
    option = known[name]
    if not rest:
        return {name: value}
    inner = placed(option["options"], tuple(rest), value)
    return {name: [inner] if option["type"] in ("list", "raw") else inner}


def said(role: str, given: dict[str, Any]) -> list[str]:
    """Return what Ansible says of options before a role begins (the action validate_argument_spec)."""
    validator = ArgumentSpecValidator(options(role))
    found: list[str] = validator.validate(given, validate_role_argument_spec=True).error_messages
    return found


PLACES = [(role, path) for role in NAMES for path in secrets(options(role))]


def test_there_are_places() -> None:
    assert len(PLACES) > 8
    assert ("postfix_relay", ("postfix_relay_providers", "oauth2", "refresh_token")) in PLACES


@pytest.mark.parametrize(
    ("role", "path"), PLACES, ids=lambda value: value if isinstance(value, str) else ".".join(value)
)
def test_no_message_of_ansible_shows_a_secret(role: str, path: tuple[str, ...]) -> None:
    for value in INSTEAD:
        messages = said(role, placed(options(role), path, value))
        assert SECRET not in json.dumps(messages), value


def test_messages_are_what_is_looked_at() -> None:
    assert "mail_tls_days" in str(said("mail_tls", {"mail_tls_days": ["a"]}))
