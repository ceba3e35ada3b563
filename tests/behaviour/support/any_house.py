# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Tests against a house that is no lab: which run there, and how the house is reached.

There only the tests run that are marked `any_house`. They change nothing of a house: what they make are folders and
messages of their own, in mailboxes of the people whom `--as-user` names, and they remove it. They guess no password,
for a house bans who does. All others are skipped, and say what they need.
"""

from __future__ import annotations

import json
import re
import socket
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import suppress
from subprocess import CompletedProcess
from typing import Any

import pytest
from ansible_collections.ilnmors.mail.tests.behaviour.support.ansible_command import run_ansible

Facts = dict[str, dict[str, Any]]
"""What Ansible knows of each host, with variables filled in."""

PATIENCE = 5
"""Seconds for a connection to a port of the house."""

PORTS = {"mail": 993, "webmail": 443}
"""What a house answers on, by the group of its hosts."""

NEEDS = {
    "stand_ins": "needs the lab's providers",
    "provider_ca": "needs the lab's providers",
    "provider": "needs the lab's provider, or does to the house what only a lab is there for",
    "site": "deploys the house with other variables: only in a lab",
    "directory": "needs the lab's directory",
}
"""What a test needs that has one of these fixtures."""
OTHERWISE = "changes the house, or needs what the lab has put into it: only in a lab"

READ = pytest.StashKey[Facts]()
SKIPPED = pytest.StashKey[Counter[str]]()


def read(config: pytest.Config, expressions: dict[str, str]) -> Facts:
    """Return what Ansible makes of some expressions on each host of the inventory; the mail host comes first.

    Raises UsageError, in one sentence, where it cannot be read.
    """
    if READ not in config.stash:
        expression = ", ".join(f"'{key}': {value}" for key, value in expressions.items())
        done = _ansible(config, "mail:webmail:provider", "debug", f"msg={{{{ {{{expression}}} }}}}")
        if done.returncode or " => " not in done.stdout:
            raise pytest.UsageError(f"the inventory of the house cannot be read: {_reason(done)}")
        answers = [
            json.loads(line.split(" => ", 1)[1])["msg"] for line in done.stdout.splitlines() if " => " in line
        ]
        answers.sort(key=lambda facts: facts["name"] not in facts["groups"].get("mail", [])[:1])
        config.stash[READ] = {facts["name"]: facts for facts in answers}
    return config.stash[READ]


def is_lab(config: pytest.Config, inventory: Facts) -> bool:
    """Whether the house is one that the tests may do with as they like."""
    return any(facts["lab"] for facts in inventory.values()) and not config.getoption("--any-house")


def addresses(config: pytest.Config, inventory: Facts) -> dict[str, str]:
    """Return the address at which this machine reaches the first host of each group, "" where there is none.

    A lab says its own. Another house is met as its clients do: by its names, or at the address that Ansible takes, or
    at those that the host has. Raises UsageError, in one sentence, where nothing leads there.
    """
    facts = next(iter(inventory.values()))
    hosts = {group: next(iter(facts["groups"].get(group, [])), "") for group in PORTS}
    if is_lab(config, inventory):
        return {group: inventory[name]["address"] if name else "" for group, name in hosts.items()}
    own = _log_in(config)
    found = {}
    for group, name in hosts.items():
        hostname, port = facts[f"{group}_hostname"], PORTS[group]
        places = [hostname, inventory[name]["connected"], *own[name]] if name else []
        found[group] = next(_answering(places, port), "")
        if name and not found[group]:
            raise pytest.UsageError(
                f"the house cannot be reached: nothing answers on port {port} of {hostname}, nor at "
                f"{' or '.join(places[1:])}; is it up, and does this machine find that name?"
            )
    return found


def _ansible(config: pytest.Config, hosts: str, module: str, arguments: str) -> CompletedProcess[str]:
    command = ("ansible", hosts, "--one-line", "-m", f"ansible.builtin.{module}", "-a", arguments)
    return run_ansible(*command, inventory=config.getoption("--ansible-inventory"))


def _reason(done: CompletedProcess[str]) -> str:
    """Return the first thing that Ansible complained of, without what it says of other hosts."""
    for line in [*done.stderr.splitlines(), *done.stdout.splitlines()]:
        if found := re.match(r"\[ERROR\]: (.*)|(\S+ \| (?:UNREACHABLE|FAILED).*)", line):
            return " ".join((found[1] or found[2]).split())
    return "it names no host in the group mail"


def _log_in(config: pytest.Config) -> dict[str, list[str]]:
    """Log in to each host as Ansible does, and return the addresses that it has of IPv4."""
    done = _ansible(config, "mail:webmail", "raw", "id -u; hostname -I")
    said = dict(re.findall(r"^(\S+) \| CHANGED \| rc=0 \| \(stdout\) (.*)$", done.stdout, re.MULTILINE))
    if done.returncode:
        raise pytest.UsageError(f"the house cannot be reached: {_reason(done)}")
    for name, line in said.items():
        if not line.startswith(r"0\n") and not line.startswith(r"0\r\n"):
            raise pytest.UsageError(
                f"the house cannot be looked at: Ansible is not root on {name}; set ansible_become in the inventory"
            )
    return {name: re.findall(r"(?<![\d.])\d+\.\d+\.\d+\.\d+", line) for name, line in said.items()}


def _answering(places: Iterable[str], port: int) -> Iterator[str]:
    """Yield the address of each name or address that takes a connection."""
    for place in places:
        with suppress(OSError):
            address = socket.gethostbyname(place)
            with socket.create_connection((address, port), PATIENCE):
                yield address


# --- what runs


def choose(config: pytest.Config, items: Iterable[pytest.Item], inventory: Facts) -> None:
    """Leave what only a lab is there for, in a house that is none."""
    config.stash[SKIPPED] = Counter()
    people = next(iter(inventory.values()))["people"]
    if strangers := [name for name in config.getoption("--as-user") if name not in people]:
        raise pytest.UsageError(
            f"--as-user: {strangers[0]!r} is nobody in mail_users; write one of {', '.join(people)}"
        )
    if is_lab(config, inventory):
        return
    addresses(config, inventory)
    # The long one shows the arguments of functions, among which are people's passwords.
    config.option.tbstyle = "short"
    for item in items:
        if reason := _needed(item):
            item.add_marker(pytest.mark.skip(reason=reason))
            config.stash[SKIPPED][reason] += 1


def _needed(item: pytest.Item) -> str:
    """Return what a test needs of a lab; nothing where it runs against any house."""
    if marker := item.get_closest_marker("lab_only"):
        return f"{marker.args[0]}: only in a lab"
    if item.get_closest_marker("any_house"):
        return ""
    fixtures = getattr(item, "fixturenames", [])
    return next((need for name, need in NEEDS.items() if name in fixtures), OTHERWISE)


def report(config: pytest.Config, reporter: pytest.TerminalReporter) -> None:
    """Say how many tests were left, and why."""
    if skipped := config.stash.get(SKIPPED, Counter()):
        reporter.section("the house is no lab")
        for reason, count in skipped.most_common():
            reporter.write_line(f"{count:5} skipped: {reason}")
