# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which parts of a house run alone, what each of them applies, and what is said where one would leave a half."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.ilnmors.mail.plugins.module_utils._site import parts
from ansible_collections.ilnmors.mail.plugins.module_utils._site.description import ROLES
from ansible_collections.ilnmors.mail.plugins.module_utils._site.parts import PARTS, Selection

SITE = Path(__file__).parents[3] / "playbooks" / "site.yml"
TASKS = [task for play in yaml.safe_load(SITE.read_text()) for task in play["tasks"]]
READ: dict[str, dict[str, Any]] = {
    "dovecot_imap": {"quota": "1G", "users": [{"name": "il", "password": "secret-il"}], "fts": True},
    "mail_tls": {"ca_renew": False, "days": 820},
}


@pytest.mark.parametrize(
    ("run", "inherited", "selection"),
    [
        (["all"], [], Selection(whole=True)),
        (["all"], ["mail"], Selection(whole=True)),
        (["tagged"], [], Selection(whole=True)),
        (["mail"], ["mail"], Selection(whole=True)),
        (["store", "users"], [], Selection(("users", "store"))),
        (["users", "sshd"], [], Selection(("users",))),
    ],
)
def test_what_tags_select(run: list[str], inherited: list[str], selection: Selection) -> None:
    assert parts.select(run, [], inherited) == selection


def test_tags_of_nothing_are_warned_of() -> None:
    found = parts.select(["sshd"], [], [])
    assert (found.parts, found.whole) == ((), False)
    assert found.warning.startswith("--tags sshd sets up nothing of the house; its parts are users, ")


@pytest.mark.parametrize(
    ("run", "skip", "problem"),
    [
        (["user"], [], "--tags user: is no part of the house; write --tags users"),
        (
            ["all"],
            ["backup"],
            "--skip-tags backup: .*write --tags users,certificates,relay,store,fetch,webmail,monitoring ",
        ),
    ],
)
def test_tags_that_cannot_be_meant_are_refused(run: list[str], skip: list[str], problem: str) -> None:
    with pytest.raises(parts.PartsError, match=problem):
        parts.select(run, skip, [])


@pytest.mark.parametrize(
    ("name", "applying"),
    [
        ("dovecot_imap_users", ["users", "store"]),
        ("mbsync_fetch_providers", ["users", "fetch"]),
        ("mail_oauth2_provider_ca", ["relay", "fetch"]),
        ("webmail_host_ban", ["webmail"]),
        ("mail_tls_days", ["certificates"]),
        (parts.COLLECTION, []),
    ],
)
def test_which_parts_apply_an_option(name: str, applying: list[str]) -> None:
    assert parts.appliers(name) == applying


def test_every_role_is_of_a_part() -> None:
    assert {role for roles in PARTS.values() for role in roles} == set(ROLES)


def of(tags: str | list[str]) -> set[str]:
    return {tags} if isinstance(tags, str) else set(tags)


def tags_within(role: str) -> set[str]:
    """Return the parts for which some tasks of a role run alone."""
    tasks = yaml.safe_load((SITE.parents[1] / "roles" / role / "tasks" / "main.yml").read_text())
    return {tag for task in tasks for tag in of(task.get("tags", []))} & set(PARTS)


def test_the_site_playbook_gives_each_role_the_tags_of_its_parts() -> None:
    """A role that also runs for people by some of its tasks has that tag at those."""
    seen = set()
    words = ("ansible.builtin.import_role", "ansible.builtin.include_role")
    imports: list[dict[str, Any]] = [
        next((task[word] for word in words if word in task), {}) for task in TASKS
    ]
    for given, task in zip(imports, TASKS, strict=True):
        role, tags = given.get("name", "").removeprefix("ilnmors.mail."), task.get("tags", [])
        if role in ROLES and "tasks_from" not in given:
            # What is included has tags of its own, and those by which a task of it is reached.
            whole = given["apply"]["tags"] if "apply" in given else tags
            assert of(whole) - {"users"} == {part for part, roles in PARTS.items() if role in roles}
            if "apply" in given:
                assert of(tags) == of(whole) | tags_within(role)
            seen.add(role)
    assert seen == set(ROLES) - {"snappymail", "roundcube"}


# --- digests


def test_a_digest_is_of_every_option_and_of_what_else_a_run_depends_on() -> None:
    found = parts.digests(READ, "mail", "13")
    assert {parts.COLLECTION, parts.RELEASE, "dovecot_imap_users", "mail_tls_days"} <= set(found)
    # What a run may do once is no state of the house.
    assert "mail_tls_ca_renew" not in found
    assert {name for name in found if name.startswith("postfix_relay")} == set()


@pytest.mark.parametrize(
    ("option", "value"),
    [("quota", "2G"), ("users", [{"name": "il", "password": "another"}]), ("fts", False), ("junk_days", 3)],
)
def test_a_change_changes_its_digest_alone(option: str, value: object) -> None:
    before = parts.digests(READ, "mail", "13")
    changed = {**READ, "dovecot_imap": {**READ["dovecot_imap"], option: value}}
    after = parts.digests(changed, "mail", "13")
    assert [name for name in after if after[name] != before[name]] == [f"dovecot_imap_{option}"]


def test_what_may_hold_secrets_is_digested_slowly() -> None:
    secret = {f"{role}_{option}" for role, option, secret, __ in parts.options_of(READ) if secret}
    assert secret == {"dovecot_imap_users", "dovecot_imap_ldap_bind_password"}


# --- refusals

CALLED = {"dovecot_imap": {"quota": "mail_quota"}, "postfix_relay": {"quota": "mail_quota"}}


@pytest.mark.parametrize(
    ("left_out", "said"),
    [
        (
            ["postfix_relay_quota", "dovecot_imap_quota"],
            "--tags users: mail_quota has changed as well since this host was last set up, and would be left half "
            "done; run this with --tags users,relay,store, or without --tags",
        ),
        (
            ["mail_tls_days", "the collection"],
            "--tags users: mail_tls_days, the collection have changed as well since this host was last set up, and "
            "would be left half done; run this without --tags",
        ),
    ],
)
def test_a_refusal_names_what_has_changed_and_what_to_run(left_out: list[str], said: str) -> None:
    assert parts.refusal(["users"], left_out, CALLED) == said
