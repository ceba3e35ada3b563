# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Points at which a run is interrupted, and how the running house shows whether it has taken what was written."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.ilnmors.mail.tests.behaviour.support import clients
from ansible_collections.ilnmors.mail.tests.behaviour.support.changed_password import (
    CHANGED_PASSWORD,
    login_of_near,
)
from ansible_collections.ilnmors.mail.tests.behaviour.support.house import House
from testinfra.host import Host

SIZE = 23 * 1024 * 1024
INTERVAL = "7min"
GREETING = "Interrupted, and finished."
TIME = 3700
FETCHED = {
    "name": "interrupted",
    "address": "interrupted@naver.test",
    "password": "naver-lab-password",
    "owner": "guest",
    "profile": "naver",
    "folder": "Interrupted",
    "relay": False,
    "imap_host": "imap.naver.test",
}
TOKEN = {
    **{"name": "interrupted", "address": "interrupted@outlook.test", "owner": "il", "profile": "outlook"},
    **{"folder": "Interrupted", "smtp_host": "smtp.outlook.test", "imap_host": "imap.outlook.test"},
    "oauth2": {
        "client_id": "outlook-lab-client",
        "refresh_token": "interrupted-refresh-token",
        "token_url": "https://login.outlook.test/token",
    },
}


@dataclass(frozen=True)
class Point:
    """A task after whose end a run is killed.

    variables: what makes it write something. ask: what shows, from the running house, whether that has been taken;
    changed: its answer then. prepare: a command on the host that makes the task write again.
    """

    hosts: str
    role: str
    task: str
    variables: Mapping[str, Any] = field(default_factory=dict)
    ask: Callable[[House, Host], object] = lambda *__: None
    changed: object = None
    prepare: str = ""

    def __str__(self) -> str:
        return f"{self.role} : {self.task}"


def greeting(house: House, __: Host) -> bool:
    with clients.imap(house.mail_hostname, house.ca_file) as client:
        return GREETING in client.welcome.decode()


def message_size(house: House, __: Host) -> str:
    with clients.submission(house.mail_hostname, house.ca_file) as client:
        client.ehlo()
        return client.esmtp_features["size"]


def certificate_names(house: House, __: Host) -> list[bool]:
    """Tell of SMTP and IMAP whether the certificate that they show has the new name."""
    found = []
    for port in (465, 993):
        with (
            socket.create_connection((house.mail_hostname, port), timeout=clients.TIMEOUT) as plain,
            clients.tls(house.ca_file).wrap_socket(plain, server_hostname=house.mail_hostname) as connection,
        ):
            shown = connection.getpeercert() or {}
            found.append(f"interrupted.{house.domain}" in str(shown.get("subjectAltName")))
    return found


def ban_time(jail: str) -> Callable[[House, Host], int]:
    def ask(__: House, host: Host) -> int:
        return int(host.check_output("fail2ban-client get %s bantime", jail))

    return ask


def interval(__: House, host: Host) -> bool:
    # Behind the interval stands when it elapses, which may hold the same digits.
    timers = host.check_output("systemctl show -P TimersMonotonic mbsync-fetch@gmail.timer")
    return f"USec={INTERVAL} ;" in timers


def active(unit: str) -> Callable[[House, Host], bool]:
    def ask(__: House, host: Host) -> bool:
        return bool(host.run("systemctl is-active --quiet %s", unit).rc == 0)

    return ask


def largest_upload(house: House, __: Host) -> bool:
    """Tell whether nginx takes a request of that size, by its announcement alone."""
    context = clients.tls(house.ca_file)
    client = http.client.HTTPSConnection(
        house.at("snappymail").webmail_hostname, context=context, timeout=clients.TIMEOUT
    )
    client.putrequest("POST", "/")
    client.putheader("Content-Length", str(SIZE))
    client.putheader("Expect", "100-continue")
    client.endheaders()
    try:
        return client.sock.recv(16).startswith(b"HTTP/1.1 100")
    finally:
        client.close()


def plain_http(house: House, __: Host) -> int:
    """Return the port, of the usual one and another, that leads to HTTPS."""
    for port in (80, 8080):
        client = http.client.HTTPConnection(house.webmail_hostname, port, timeout=clients.TIMEOUT)
        try:
            client.request("GET", "/")
            if client.getresponse().status == 301:
                return port
        except ConnectionRefusedError:
            continue
        finally:
            client.close()
    return 0


def tampered(path: str, unit: str) -> str:
    """Return a command that changes a file and lets its unit run with that."""
    return f"echo '# tampered with' >>{path}; systemctl try-restart {unit}"


POINTS = [
    Point(
        *("mail", "mail_tls", "certificate | Install the certificates"),
        {"mail_tls_names": "{{ [mail_hostname, 'interrupted.' ~ mail_domain] }}"},
        certificate_names,
        [True, True],
    ),
    Point(
        *("mail", "mail_tls", "watch | Install the units"),
        {"mail_tls_reload_units": ["dovecot.service", "postfix.service"]},
    ),
    Point(
        *("mail", "mail_oauth2", "configure | Install the accounts, the program and the units"),
        {"mail_oauth2_providers": f"{{{{ mail_providers + [{json.dumps(TOKEN)}] }}}}"},
        active("mail-oauth2@interrupted.service"),
        True,
    ),
    Point(
        *("mail", "postfix_relay", "from_check | Install the check of From"),
        prepare=tampered("/usr/local/lib/ilnmors-mail/from-check", "postfix-from-check.service"),
    ),
    Point(
        *("mail", "postfix_relay", "configure | Install the configuration"),
        {"postfix_relay_message_size_limit": SIZE},
        message_size,
        str(SIZE),
    ),
    Point(
        *("mail", "postfix_relay", "limits | Install what limits the connections of an address"),
        {"postfix_relay_limit_connections": 21},
    ),
    Point(
        *("mail", "postfix_relay", "ban | Install the jail"),
        {"postfix_relay_ban_time": TIME},
        ban_time("ilnmors-mail"),
        TIME,
    ),
    Point(
        *("mail", "dovecot_imap", "configure | Write the accounts of people"),
        CHANGED_PASSWORD,
        login_of_near,
        "changed",
    ),
    Point(
        *("mail", "dovecot_imap", "configure | Install the configuration"),
        {"dovecot_imap_extra_settings": {"login_greeting": GREETING}},
        greeting,
        True,
    ),
    Point(
        *("mail", "mbsync_fetch", "users | Write down which users fetch"),
        {"mbsync_fetch_providers": f"{{{{ mail_providers + [{json.dumps(FETCHED)}] }}}}"},
        active("mbsync-fetch@interrupted.timer"),
        True,
    ),
    Point(
        *("mail", "mbsync_fetch", "configure | Install the passwords"),
        {"mbsync_fetch_providers": f"{{{{ mail_providers + [{json.dumps(FETCHED)}] }}}}"},
        active("mbsync-fetch@interrupted.timer"),
        True,
    ),
    Point(
        *("mail", "mbsync_fetch", "configure | Install the accounts, the program and the units"),
        {"mbsync_fetch_interval": INTERVAL},
        interval,
        True,
    ),
    Point(
        *("webmail", "snappymail", "configure | Put the configuration in place"),
        {"snappymail_extra_settings": {"webmail": {"title": "Interrupted"}}},
    ),
    Point(
        *("webmail", "snappymail", "site | Put the pool in place"),
        {"snappymail_workers": 9},
    ),
    Point(
        *("webmail", "webmail_host", "nginx | Put the shared parts in place"),
        {"webmail_host_http_port": 8080},
        plain_http,
        8080,
    ),
    Point(
        *("webmail", "snappymail", "site | Put the site in place"),
        {"snappymail_attachment_size": 15},
        largest_upload,
        False,
    ),
    Point(
        *("webmail", "snappymail", "site | Install the jail"),
        {"webmail_host_ban_time": TIME},
        ban_time("ilnmors-snappymail"),
        TIME,
    ),
]

# What each unit reads at its start and reload, as patterns of files.
READS = {
    "dovecot.service": ["/etc/dovecot/*.conf*", "/etc/dovecot/accounts.lua"],
    "postfix.service": ["/etc/postfix/*.cf", "/etc/postfix/*.pcre"],
    "postfix@-.service": ["/etc/postfix/*.cf", "/etc/postfix/*.pcre"],
    "postfix-from-check.service": ["/usr/local/lib/ilnmors-mail/from-check"],
    "postfix-connection-limits.service": ["/etc/postfix/connection-limits.json"],
    "fail2ban.service": ["/etc/fail2ban/*.d/*"],
    "nginx.service": ["/etc/nginx/sites-enabled/*", "/etc/nginx/snippets/webmail_host/*"],
    "php*-fpm.service": ["/etc/php/*/fpm/pool.d/*"],
    "mail-oauth2.target": ["/etc/mail-oauth2/*", "/usr/local/lib/ilnmors-mail/mail-oauth2*"],
    "mbsync-fetch.target": ["/etc/mbsync-fetch/*/*", "/usr/local/lib/mbsync-fetch/mbsync_fetch/*/*.py"],
    "mail-tls-reload.path": ["/etc/systemd/system/mail-tls-reload.*"],
}
LOOK = r"""
import glob, json, os, subprocess, sys, time
reads = json.loads(sys.argv[1])
ask = ["systemctl", "show", "--property", "Id,ActiveState,NeedDaemonReload,StateChangeTimestampMonotonic", "--"]
blocks = subprocess.run([*ask, *reads, "mbsync-fetch*", "mail-oauth2*"], capture_output=True, text=True).stdout
booted = time.time() - time.clock_gettime(time.CLOCK_MONOTONIC)
faults = [f"{name} is noted" for name in os.listdir("/var/lib/ilnmors-mail/pending")]
patterns = {unit: files for unit, files in reads.items() if "*" not in unit}
for block in blocks.split("\n\n"):
    unit = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
    name = unit.get("Id", "")
    if unit.get("NeedDaemonReload") == "yes":
        faults.append(f"{name}: its files are newer than what systemd knows")
    if unit.get("ActiveState") != "active":
        continue
    loaded = booted + int(unit["StateChangeTimestampMonotonic"]) / 1e6
    files = next((files for pattern, files in reads.items() if glob.fnmatch.fnmatch(name, pattern)), [])
    for file in {file for pattern in files for file in glob.glob(pattern)}:
        if os.stat(file).st_mtime > loaded + 0.05:
            faults.append(f"{name}: {file} is newer than what it runs with")
print("\n".join(sorted(set(faults))))
"""


def not_taken(host: Host) -> str:
    """List what lies on a host and is not what runs there, one a line."""
    return str(host.check_output("python3 -c %s %s", LOOK, json.dumps(READS)))


def role_names(points: list[Point], hosts: str) -> list[str]:
    """List the roles of points on a host, in the order of the site playbook."""
    order = (
        "mail_tls",
        "mail_oauth2",
        "postfix_relay",
        "dovecot_imap",
        "mbsync_fetch",
        "webmail_host",
        "snappymail",
    )
    return sorted({point.role for point in points if point.hosts == hosts}, key=order.index)
