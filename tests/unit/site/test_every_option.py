# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Every documented option, with everything that it is not: a sentence, or a value that works."""

from __future__ import annotations

import copy
import functools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.ilnmors.mail.plugins.module_utils._render.accounts import (
    dovecot_accounts,
    dovecot_aliases,
)
from ansible_collections.ilnmors.mail.plugins.module_utils._render.connection_limits import connection_limits
from ansible_collections.ilnmors.mail.plugins.module_utils._render.dovecot_limits import dovecot_limits
from ansible_collections.ilnmors.mail.plugins.module_utils._render.dovecot_settings import dovecot_settings
from ansible_collections.ilnmors.mail.plugins.module_utils._render.mbsync_fetches import mbsync_fetches
from ansible_collections.ilnmors.mail.plugins.module_utils._render.oauth2 import oauth2_accounts
from ansible_collections.ilnmors.mail.plugins.module_utils._render.postfix import (
    override_settings,
    postfix_tables,
)
from ansible_collections.ilnmors.mail.plugins.module_utils._render.roundcube_config import roundcube_config
from ansible_collections.ilnmors.mail.plugins.module_utils._render.snappymail_settings import settings_file
from ansible_collections.ilnmors.mail.plugins.module_utils._render.webmail_identities import (
    webmail_identities,
)
from ansible_collections.ilnmors.mail.plugins.module_utils._site.description import KNOWN, ROLES
from ansible_collections.ilnmors.mail.plugins.module_utils._site.entries import (
    OAuth2,
    ProviderAccount,
    Service,
    User,
)
from ansible_collections.ilnmors.mail.plugins.module_utils._site.readers import Choice, Items, Reader
from ansible_collections.ilnmors.mail.plugins.module_utils._site.records import Record, RecordReader, keys
from ansible_collections.ilnmors.mail.tests.unit.site.description import (
    SITE,
    is_sentence,
    literal,
    read,
    variables,
)

FOLDER = Path(__file__).parents[3] / "roles"
SECRET = "hunter2"
WRONG: list[Any] = [
    *(None, 0, 7, -1, 3.5, 10**30, True, False),
    *("", "no", "some text", f"{SECRET} text", " edge ", "a\nb", "nul\x00", "x" * 10_000, "9" * 10_000),
    *([], ["some text"], [None], [7], [[]], [{}], {}, {"some": "text"}, {7: None}, {"a": {"b": ["c"]}}),
]
# A single wrong value of a list's own items, or one of a whole option.
TYPES = {"str": str, "path": str, "int": int, "bool": bool, "list": list, "raw": list, "dict": dict}


@functools.cache
def specs(role: str) -> dict[str, Any]:
    text = (FOLDER / role / "meta" / "argument_specs.yml").read_text()
    found: dict[str, Any] = yaml.safe_load(text)["argument_specs"]["main"]["options"]
    return found


def render(role: str, options: dict[str, Any]) -> None:
    """Make of a role's options all that is made of them in Python."""
    if role == "dovecot_imap":
        dovecot_accounts(options["users"], options["domain"], quota_field="userdb_quota_storage_size={}")
        dovecot_accounts(options["services"], options["domain"], sends_only=True)
        dovecot_aliases(options["users"], options["domain"])
        dovecot_limits(len(options["users"]), options["clients_per_user"])
        dovecot_settings(options["extra_settings"])
    elif role == "postfix_relay":
        house = {**options, "facts": {}, "directory": "/etc/postfix/maps", "ldap": bool(options["ldap_uri"])}
        postfix_tables(house)
        override_settings("a = b\n", options["extra_settings"])
        limits = {
            "connections": options["limit_connections"],
            "ignored": options["limit_ignored"],
            "facts": {},
        }
        connection_limits({**options, **limits})
    elif role == "mail_oauth2":
        oauth2_accounts(
            options["providers"], "/etc/mail-oauth2", "/var/lib/mail-oauth2", options["provider_ca"]
        )
    elif role == "mbsync_fetch":
        units = {"socket": "", "service": ""}
        mbsync_fetches(options["providers"], options["domain"], "/etc/x", options["provider_ca"], "/m", units)
    elif role == "roundcube":
        webmail_identities(options["users"], options["providers"], options["domain"])
        roundcube_config(options["extra_settings"])
    elif role == "snappymail":
        webmail_identities(options["users"], options["providers"], options["domain"])
        settings_file(options["extra_settings"])


def check(role: str, given: dict[str, Any], variable: str, found_at: str, kind: str) -> None:
    """Check what becomes of one wrong value. found_at: the option, without the role's name."""
    reading = read(role, given, own=variable)
    said = "\n".join(reading.problems)
    assert SECRET not in said
    assert len(max(reading.problems, key=len, default="")) < 2_000
    if reading.problems:
        # Where it could be taken, another variable may be wrong for it.
        if found_at not in vars(reading.options):
            assert any(is_sentence(problem, variable) for problem in reading.problems), said
        assert all(is_sentence(problem, problem.partition(":")[0]) for problem in reading.problems), said
        return
    options = reading.options.dump()
    if found_at in options:
        assert isinstance(options[found_at], TYPES[kind])
    render(role, options)


OPTIONS = [(role, option) for role in ROLES for option in specs(role)]


@pytest.mark.parametrize("role", ROLES)
def test_what_is_sound_is_taken(role: str) -> None:
    reading = read(role, variables(role, literal(role), SITE))
    assert (reading.problems, reading.warnings) == ([], [])
    render(role, reading.options.dump())


@pytest.mark.parametrize(("role", "option"), OPTIONS)
def test_an_option_is_one_thing_alone(role: str, option: str) -> None:
    site = variables(role, literal(role), SITE)
    name = option.removeprefix(f"{role}_")
    for value in WRONG:
        # A secret of somebody who mixed up two lines must not be shown where a secret belongs.
        if SECRET in str(value) and not specs(role)[option].get("no_log"):
            continue
        check(role, {**site, option: copy.deepcopy(value)}, option, name, specs(role)[option]["type"])


def entries() -> Iterator[tuple[str, str, int, str, type[Record]]]:
    """Yield each key of each entry: role, list, index of an entry, key and record."""
    for role, record in ROLES.items():
        names = {known.name for known in keys(record)}
        for name, index, entry in (
            ("users", 0, User),
            ("services", 0, Service),
            ("providers", 0, ProviderAccount),
        ):
            if name in names:
                yield from ((role, name, index, known.name, entry) for known in keys(entry))


@pytest.mark.parametrize(("role", "name", "index", "key", "record"), list(entries()))
def test_a_key_of_an_entry_is_one_thing_alone(
    role: str, name: str, index: int, key: str, record: type[Record]
) -> None:
    site = variables(role, literal(role), SITE)
    reader = next(known.reader for known in keys(record) if known.name == key)
    for value in WRONG:
        if SECRET in str(value) and not reader.secret:
            continue
        items = copy.deepcopy(site[f"mail_{name}"])
        items[index][key] = copy.deepcopy(value)
        check(role, {**site, f"{role}_{name}": items}, f"{role}_{name}", name, "list")


@pytest.mark.parametrize("role", ["mail_oauth2", "postfix_relay", "mbsync_fetch", "roundcube", "snappymail"])
@pytest.mark.parametrize("key", [known.name for known in keys(OAuth2)])
def test_a_key_of_a_token_is_one_thing_alone(role: str, key: str) -> None:
    site = variables(role, literal(role), SITE)
    for value in WRONG:
        if SECRET in str(value) and key not in ("client_secret", "refresh_token"):
            continue
        items = copy.deepcopy(SITE["mail_providers"])
        items[1]["oauth2"][key] = copy.deepcopy(value)
        check(role, {**site, f"{role}_providers": items}, f"{role}_providers", "providers", "list")


# --- the documentation says what the types are


def documented(options: dict[str, Any], record: type[Record], where: str) -> Iterator[str]:
    """Yield where the documentation of a record's keys differs from its types."""
    known = {one.name: one for one in keys(record)}
    if options.keys() != known.keys():
        yield f"{where}: {sorted(options.keys() ^ known.keys())}"
    for name in options.keys() & known.keys():
        yield from differences(options[name], known[name].reader, f"{where}.{name}")


def differences(option: dict[str, Any], reader: Reader[Any], where: str) -> Iterator[str]:
    inner = reader.of if isinstance(reader, Items) else reader
    # A list whose entries hold secrets: Ansible would show one that it refuses.
    kind = (
        "raw"
        if isinstance(reader, Items) and isinstance(inner, RecordReader) and inner.secret
        else reader.kind
    )
    if option["type"] != kind:
        yield f"{where}: {option['type']} is {kind}"
    if kind == "list" and option["elements"] != inner.kind:
        yield f"{where}: elements {option['elements']} are {inner.kind}"
    if option.get("choices") != (
        list(inner.choices) if isinstance(inner, Choice) and "choices" in option else None
    ):
        yield f"{where}: {option.get('choices')}"
    if isinstance(inner, RecordReader) and "options" in option:
        yield from documented(option["options"], inner.record, where)
    elif bool(option.get("no_log")) != reader.secret and not isinstance(inner, RecordReader):
        yield f"{where}: secret is {reader.secret}"


@pytest.mark.parametrize("role", ROLES)
def test_the_documentation_has_the_same_types(role: str) -> None:
    options = {name.removeprefix(f"{role}_"): option for name, option in specs(role).items()}
    assert list(documented(options, ROLES[role], role)) == []


@pytest.mark.parametrize("record", [User, Service, ProviderAccount, OAuth2])
def test_each_entry_is_documented_once(record: type[Record]) -> None:
    def places(options: dict[str, Any]) -> int:
        inner = [option["options"] for option in options.values() if "options" in option]
        names = {known.name for known in keys(record)}
        return sum(int(found.keys() == names) + places(found) for found in inner)

    assert sum(places(specs(role)) for role in ROLES) == 1


@pytest.mark.parametrize("role", ROLES)
def test_defaults_say_which_site_variable_is_read(role: str) -> None:
    found = yaml.safe_load((FOLDER / role / "defaults" / "main.yml").read_text())
    for known in keys(ROLES[role]):
        text = str(found[f"{role}_{known.name}"])
        if known.site and known.site != f"{role}_{known.name}":
            assert known.site in text, known.name
    assert {name for name in found if name not in KNOWN} == set()
