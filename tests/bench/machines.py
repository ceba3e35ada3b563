# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the benchmarks share: machines made for them, a house in a container, texts, and the layout of figures."""

from __future__ import annotations

import imaplib
import itertools
import json
import math
import os
import resource
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from ansible_collections.ilnmors.mail.tests.behaviour.support.ansible_command import run_ansible
from ansible_collections.ilnmors.mail.tests.bench import lmtp_rate

CONTAINERS = {
    "lab-mail": "bench-mail",
    "lab-app": "bench-app",
    "lab-stock": "bench-stock",
    "lab-provider": "bench-provider",
}
"""Container of each host, as in inventory.yml."""

INVENTORIES = ("inventories/lab", "tests/bench/inventory.yml")

NETWORK = "ilnmors-mail-bench"

SITE = "playbooks/site.yml"

IMAGE = f"ilnmors-mail-lab:{os.environ.get('LAB_SUITE', 'trixie')}"

ON_CONTROLLER = {
    "assert",
    "debug",
    "fail",
    "include_role",
    "include_tasks",
    "include_vars",
    "set_fact",
    "validate_argument_spec",
}
"""Actions that call no module on the host."""

DEADLINE = 30
"""Seconds to wait for any one thing."""

FACTS = {
    "container": "ansible_host | default(inventory_hostname)",
    "address": "lab_address | default('')",
    "domain": "mail_domain",
    "hostname": "mail_hostname | default('mail.' ~ mail_domain)",
    "person": "mail_users | selectattr('password', 'defined') | first",
    "mail": "dovecot_imap_mail_directory | default('/var/vmail')",
    "ca": "mail_tls_ca | default('/etc/ssl/ilnmors-mail/ca.pem')",
    "certificate": "mail_tls_certificate | default('/etc/ssl/ilnmors-mail/host.pem', true)",
    "key": "mail_tls_key | default('/etc/ssl/ilnmors-mail/host.key', true)",
}

STOCK = {
    "2.3": """\
protocols = imap pop3 lmtp sieve
ssl_cert = <{certificate}
ssl_key = <{key}
mail_location = maildir:~/Maildir
passdb {{
  driver = passwd-file
  args = /etc/dovecot/users
}}
userdb {{
  driver = static
  args = uid=vmail gid=vmail home={mail}/{domain}/%n
}}
""",
    "2.4": """\
dovecot_config_version = 2.4.1
dovecot_storage_version = 2.4.1
protocols = imap pop3 lmtp sieve
ssl_server_cert_file = {certificate}
ssl_server_key_file = {key}
mail_driver = maildir
mail_path = ~/Maildir
passdb passwd-file {{
  passwd_file_path = /etc/dovecot/users
}}
userdb static {{
  fields {{
    uid = vmail
    gid = vmail
    home = {mail}/{domain}/%{{user | username}}
  }}
}}
""",
}
"""The least that lets the same people log in: every other setting is Dovecot's and Debian's own."""

USUAL_DOVECOT = {
    "mail_quota": "",
    "dovecot_imap_trash_days": 0,
    "dovecot_imap_junk_days": 0,
    "dovecot_imap_fts_attachments": False,
    "dovecot_imap_clients_per_user": 5,
    "dovecot_imap_metrics_address": "",
}
"""Options of Dovecot as most houses leave them, unlike the lab's."""


@dataclass(frozen=True)
class HostRun:
    """What a playbook did on one host."""

    seconds: float
    modules: tuple[str, ...]
    """Module of each task that ran one on the host."""
    on_controller: int
    skipped: int

    def __str__(self) -> str:
        return f"{len(self.modules)} tasks, {self.on_controller} on the controller, {self.skipped} skipped"


@dataclass(frozen=True)
class Run:
    """One run of a playbook; seconds are wall-clock, with Ansible's own start.

    processor: seconds that Ansible and what it started here had of the processors, whatever else the machine did.
    """

    seconds: float
    processor: float
    changed: int
    hosts: dict[str, HostRun]


def docker(*command: str) -> str:
    """Run the docker client; return what it prints."""
    return subprocess.run(["docker", *command], check=True, capture_output=True, text=True).stdout


def seconds_of(duration: dict[str, str]) -> float:
    """Return the length of a task, from the two times that the JSON output gives."""
    start, end = (datetime.fromisoformat(duration[key]) for key in ("start", "end"))
    return (end - start).total_seconds()


def host_run(host: str, plays: list[dict[str, Any]]) -> HostRun:
    """Sum up one host in the output of ansible.posix.json."""
    tasks = [task for play in plays for task in play["tasks"] if host in task["hosts"]]
    results = [task["hosts"][host] for task in tasks]
    ran = [
        result["action"].removeprefix("ansible.builtin.") for result in results if not result.get("skipped")
    ]
    modules = tuple(action for action in ran if action not in ON_CONTROLLER)
    return HostRun(
        seconds=sum(seconds_of(task["task"]["duration"]) for task in tasks),
        modules=modules,
        on_controller=len(ran) - len(modules),
        skipped=len(results) - len(ran),
    )


def failures(plays: list[dict[str, Any]]) -> Iterator[str]:
    """Name each task that failed, and say why."""
    for task in (task for play in plays for task in play["tasks"]):
        for host, result in task["hosts"].items():
            if result.get("failed") or result.get("unreachable"):
                yield f"{host}: {task['task']['name']}: {result.get('msg', result)}"


def processor_of_children() -> float:
    """Return the seconds of processor that all programs had which were started from here, and have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def play(playbook: str | Path, *options: str, inventories: Sequence[str] = INVENTORIES) -> Run:
    """Run a playbook, by default against the containers of this benchmark."""
    start, before = time.monotonic(), processor_of_children()
    done = subprocess.run(
        [
            "ansible-playbook",
            *(f"--inventory={path}" for path in inventories),
            *options,
            str(playbook),
        ],
        env=os.environ | {"ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json"},
        capture_output=True,
        text=True,
        check=False,
    )
    seconds, processor = time.monotonic() - start, processor_of_children() - before
    output = json.loads(done.stdout) if done.stdout.startswith("{") else {"plays": [], "stats": {}}
    if done.returncode:
        sys.exit("\n".join([f"{playbook} failed.", *failures(output["plays"])]) + "\n" + done.stderr)
    changed = sum(stats["changed"] for stats in output["stats"].values())
    return Run(
        seconds,
        processor,
        changed,
        {host: host_run(host, output["plays"]) for host in output["stats"]},
    )


def play_role(
    role: str, hosts: str, variables: dict[str, Any] | None = None, inventories: Sequence[str] = INVENTORIES
) -> Run:
    """Run a role alone."""
    playbook = [{"name": "Run the role alone", "hosts": hosts, "roles": [f"ilnmors.mail.{role}"]}]
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(playbook, file)
        file.flush()
        return play(file.name, "-e", json.dumps(variables or {}), inventories=inventories)


def create(*hosts: str) -> None:
    """Make machines bare, whatever was there."""
    remove()
    play("molecule/resources/create.yml", "--limit", ",".join(hosts))


def remove() -> None:
    """Remove all containers of the benchmarks and their network, if they exist."""
    for command in (["rm", "--force", "--volumes", *CONTAINERS.values()], ["network", "rm", NETWORK]):
        subprocess.run(["docker", *command], check=False, capture_output=True)


@dataclass(frozen=True)
class House:
    """A mail host in a container; ca is the text of its authority's certificate."""

    container: str
    address: str
    domain: str
    hostname: str
    person: dict[str, Any]
    mail: str
    certificate: str
    key: str
    ca: str

    def run(self, script: str, given: str = "", patience: float = 300) -> str:
        """Run a shell script in the container, for so many seconds at most; return what it prints."""
        done = subprocess.run(
            ["docker", "exec", "-i", self.container, "sh", "-euc", script],
            input=given,
            capture_output=True,
            text=True,
            check=False,
            timeout=patience,
        )
        if done.returncode:
            sys.exit(f"{self.container}: {script}\n{done.stdout}{done.stderr}")
        return done.stdout

    def login(self, user: str, password: str) -> imaplib.IMAP4:
        """Log in over TLS."""
        client = imaplib.IMAP4_SSL(self.hostname, ssl_context=self.tls(), timeout=DEADLINE)
        client.login(user, password)
        return client

    def tls(self) -> ssl.SSLContext:
        """Return a client's TLS settings."""
        return ssl.create_default_context(cadata=self.ca)


def resolve(addresses: Mapping[str, str]) -> None:
    """Have names resolve to addresses, here."""
    real = socket.getaddrinfo

    def getaddrinfo(host: Any, *rest: Any, **options: Any) -> Any:
        return real(addresses.get(host, host), *rest, **options)

    setattr(socket, "getaddrinfo", getaddrinfo)  # noqa: B010


def wait_for(done: Callable[[], bool], what: str) -> None:
    """Ask again until it is so; end the run at the deadline."""
    deadline = time.monotonic() + DEADLINE
    while not done():
        if time.monotonic() > deadline:
            sys.exit(f"{what}: not within {DEADLINE} s")
        time.sleep(0.1)


def find_house(inventories: Sequence[str]) -> dict[str, Any]:
    """Read the values of House from an inventory."""
    expression = ", ".join(f"'{key}': {value}" for key, value in FACTS.items())
    options = list(itertools.chain.from_iterable(("-i", path) for path in inventories))
    command = ("ansible", "mail[0]", *options, "--one-line", "-m", "debug")
    done = run_ansible(*command, "-a", f"msg={{{{ {{{expression}}} }}}}", inventory=None)
    if done.returncode:
        sys.exit(f"Ansible cannot read the inventory:\n{done.stdout}{done.stderr}")
    facts: dict[str, Any] = json.loads(done.stdout.split(" => ", 1)[1])["msg"]
    facts["ca"] = docker("exec", facts["container"], "cat", facts["ca"])
    return facts


def text_of(size: int) -> str:
    """Return lines of made-up words of about size bytes."""
    words = itertools.cycle(lmtp_rate.vocabulary(2000))
    lines: list[str] = []
    while size > 0:
        lines.append(" ".join(itertools.islice(words, 10)))
        size -= len(lines[-1]) + 2
    return "\r\n".join(lines) + "\r\n"


def percentile(found: list[float], share: float) -> float:
    """Return the value that a share of the sorted ones does not exceed."""
    return found[math.ceil(share * len(found)) - 1]


def say(step: str) -> None:
    """Tell what takes so long."""
    print(f"==> {step}", flush=True)


def line(what: str, figure: str, baseline: str, ratio: str = "", aim: str = "") -> str:
    """Lay out one line of the table."""
    return f"{what:<24}{figure:>10}   {baseline:<52}{ratio:>6}  {aim}".rstrip()
