# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The machines that mail is measured on: the mail host, a stock one beside it, and a provider."""

from __future__ import annotations

import dataclasses
import json
import re
import shlex
import smtplib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.ilnmors.mail.tests.bench import machines

PASSWORD = "bench-password"
PEOPLE = [f"person{number}" for number in range(10)]
HOSTS = ("lab-mail", "lab-stock", "lab-provider")

PROVIDER_CA = "/etc/ssl/provider.pem"
HOUSE: dict[str, Any] = {
    "mail_users": [{"name": name, "password": PASSWORD} for name in PEOPLE],
    "mail_services": [],
    "mail_providers": [
        {
            "name": name,
            "profile": profile,
            "address": f"il@{name}.test",
            "password": PASSWORD,
            "owner": owner,
            "smtp_host": f"smtp.{name}.test",
            "imap_host": f"imap.{name}.test",
            "fetch": False,
        }
        for name, profile, owner in (("alive", "gmail", PEOPLE[0]), ("dead", "naver", PEOPLE[1]))
    ],
    "mail_default_provider": "alive",
    "mail_trusted_networks": ["127.0.0.0/8", "::1/128"],
    "postfix_relay_provider_ca": PROVIDER_CA,
    # All clients have one address: that of this computer on the containers' network.
    "postfix_relay_limit_ignored": ["{{ lab_network }}.1"],
    **machines.USUAL_DOVECOT,
}
"""The house, by the lab's names: ten people, a provider that answers and one that does not."""

CERTIFICATE = """\
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj /CN={name} \
  -addext subjectAltName=DNS:{name} -keyout /etc/ssl/host.key -out /etc/ssl/host.pem 2>&1
"""

STOCK_MAIN = """\
virtual_mailbox_domains = {domain}
virtual_transport = lmtp:unix:private/dovecot-lmtp
smtpd_tls_chain_files = {key}, {certificate}
smtpd_sasl_type = dovecot
smtpd_sasl_path = private/auth
relayhost = [smtp.alive.test]:587
smtp_sasl_auth_enable = yes
smtp_sasl_security_options = noanonymous
smtp_sasl_password_maps = inline:{{ [smtp.alive.test]:587=il@alive.test:{password} }}
smtp_tls_security_level = encrypt
"""
STOCK_MASTER = """\
submission inet n - y - - smtpd
  -o smtpd_tls_security_level=encrypt
  -o smtpd_sasl_auth_enable=yes
  -o smtpd_relay_restrictions=permit_sasl_authenticated,reject
"""
AUTH_SOCKET = """
service auth {
  unix_listener /var/spool/postfix/private/auth {
    mode = 0666
  }
}
"""
LMTP_SOCKET = """
service lmtp {
  unix_listener /var/spool/postfix/private/dovecot-lmtp {
    mode = 0666
  }
}
"""
PROVIDER_MAIN = """\
smtpd_tls_chain_files = /etc/ssl/host.key, /etc/ssl/host.pem
smtpd_sasl_type = dovecot
smtpd_sasl_path = private/auth
default_transport = discard:
"""
PROVIDER_DOVECOT = """\
dovecot_config_version = 2.4.1
dovecot_storage_version = 2.4.1
protocols = imap
ssl = no
auth_mechanisms = plain login
passdb static {
  password = {PLAIN}%s
}
userdb static {
  fields {
    uid = mail
    gid = mail
  }
}
"""

UNLIMITED = """\
mkdir -p /etc/systemd/journald.conf.d
printf '[Journal]\\nRateLimitIntervalSec=0\\n' >/etc/systemd/journald.conf.d/bench.conf
systemctl restart systemd-journald
"""
"""The journal keeps every line, for the times of deliveries are read from it."""

SPOOL = "/var/spool/postfix"
QUEUE = " ".join(f"{SPOOL}/{name}" for name in ("maildrop", "incoming", "active", "deferred"))
USED = "$(sed -n 's/usage_usec //p' /sys/fs/cgroup/system.slice/cpu.stat)"
QUIET = 0.1
"""Share of one processor below which a machine has nothing more to do."""
LONG = 120
"""Seconds to wait for the slowest things: a queue of thousands, a machine that was killed under load."""


@dataclass(frozen=True)
class Server(machines.House):
    """A machine that takes submissions and delivers them."""

    def client(self, person: str, timeout: float = machines.DEADLINE) -> smtplib.SMTP:
        """Return a client that has logged in on 587."""
        client = smtplib.SMTP(self.hostname, 587, timeout=timeout)
        client.starttls(context=self.tls())
        client.login(self.login_name(person), PASSWORD)
        return client

    def login_name(self, person: str) -> str:
        """Return a person's address."""
        return f"{person}@{self.domain}"

    def wait(self, condition: str) -> None:
        """Wait until a shell command succeeds on the machine."""
        self.run(f"timeout {LONG} sh -c {shlex.quote(f'until {condition}; do sleep 0.2; done')}")

    def rest(self) -> float:
        """Wait until the machine has nothing more to do, such as indexing; return its seconds of processor so far."""
        self.wait(f"before={USED}; sleep 0.5; [ $(({USED} - before)) -lt {QUIET * 500_000:.0f} ]")
        return self.cpu()

    def cpu(self) -> float:
        """Return the seconds of processor that the machine's services have used."""
        return int(self.run(f"echo {USED}")) / 1e6

    def from_check_cpu(self) -> float:
        """Return the seconds of processor that the check of From has used since it started, zero if it does not run."""
        stat = "/sys/fs/cgroup/system.slice/postfix-from-check.service/cpu.stat"
        return int(self.run(f"sed -n 's/usage_usec //p' {stat} 2>/dev/null || echo 0")) / 1e6

    def mails(self) -> int:
        """Return how many messages are in the mailboxes."""
        return int(self.run(f"find {self.mail}/{self.domain}/*/Maildir/new -type f | wc -l"))

    def wait_for_mails(self, number: int, retry: bool = False) -> None:
        """Wait until so many messages are in the mailboxes; have what was deferred tried again at once, if asked to."""
        some = f'[ -n "$(find {SPOOL}/deferred -type f -print -quit)" ]' if retry else "false"
        count = f"$(find {self.mail}/{self.domain}/*/Maildir/new -type f | wc -l)"
        self.wait(f"[ {count} -ge {number} ] || {{ {some} && postqueue -f; false; }}")

    def deliveries(self, since: float) -> list[tuple[float, str, str]]:
        """Return the time, the recipient and the status of each attempt to deliver to a mailbox."""
        attempt = r"^([\d.]+) \S+ postfix/lmtp\[\d+\]: \w+: to=<([^>]*)>.* status=(\w+)"
        return [
            (float(when), recipient, status)
            for when, recipient, status in re.findall(attempt, journal(self.container, since), re.MULTILINE)
        ]

    def queued(self) -> int:
        """Return how many messages are in the queue."""
        return int(self.run(f"find {QUEUE} -type f | wc -l"))


def journal(container: str, since: float) -> str:
    """Return what the journal of a machine has since a time, each line with its own time."""
    script = f"journalctl --sync; journalctl --quiet --output=short-unix --since=@{since:.6f} --facility=mail"
    return machines.docker("exec", container, "sh", "-euc", script)


def install(host: str, packages: str) -> None:
    """Install Debian packages, and have the journal keep every line."""
    container = machines.CONTAINERS[host]
    script = f"apt-get update -q && apt-get install -q -y --no-install-recommends {packages}\n{UNLIMITED}"
    machines.docker("exec", "-e", "DEBIAN_FRONTEND=noninteractive", container, "sh", "-euc", script)


def make_provider() -> str:
    """Set up a provider that takes mail of one login for everyone, and throws it away; return its certificate."""
    install("lab-provider", "postfix dovecot-imapd openssl")
    script = (
        CERTIFICATE.format(name="smtp.alive.test")
        + f"cat >>/etc/postfix/main.cf <<'EOF'\n{PROVIDER_MAIN}EOF\n"
        + f"cat >>/etc/postfix/master.cf <<'EOF'\n{STOCK_MASTER}EOF\n"
        + f"cat >/etc/dovecot/dovecot.conf <<'EOF'\n{PROVIDER_DOVECOT % PASSWORD + AUTH_SOCKET}EOF\n"
        + "systemctl restart postfix dovecot; cat /etc/ssl/host.pem"
    )
    return machines.docker("exec", machines.CONTAINERS["lab-provider"], "sh", "-euc", script)


def make_house(provider_ca: str) -> Server:
    """Set up the mail host with the roles. provider_ca: in PEM; empty where no provider answers."""
    container = machines.CONTAINERS["lab-mail"]
    known = f"cat >{PROVIDER_CA} <<'EOF'\n{provider_ca}EOF\n"
    nobody = f"cp /etc/ssl/certs/ca-certificates.crt {PROVIDER_CA}\n"
    machines.docker("exec", container, "sh", "-euc", (known if provider_ca else nobody) + UNLIMITED)
    machines.play(machines.SITE, "--limit", "mail", "-e", json.dumps(HOUSE))
    return Server(**machines.find_house(machines.INVENTORIES))


def make_stock(mine: Server) -> Server:
    """Set up Debian's Postfix and Dovecot with the least that serves the same people."""
    install(
        "lab-stock",
        "postfix libsasl2-modules dovecot-imapd dovecot-pop3d dovecot-lmtpd dovecot-managesieved openssl",
    )
    stock = dataclasses.replace(
        mine,
        container=machines.CONTAINERS["lab-stock"],
        hostname="stock.ilnmors.internal",
        address="10.213.26.11",
        certificate="/etc/ssl/host.pem",
        key="/etc/ssl/host.key",
    )
    values = vars(stock) | {"password": PASSWORD}
    dovecot = machines.STOCK[stock.run("dovecot --version")[:3]].format(**values) + AUTH_SOCKET + LMTP_SOCKET
    main = STOCK_MAIN.format(**values)
    stock.run("cat >/etc/dovecot/users", mine.run("cat /etc/dovecot/users"))
    ca = stock.run(
        CERTIFICATE.format(name=stock.hostname)
        + "useradd --system --create-home --home-dir "
        + stock.mail
        + " vmail\n"
        + f"cat >>/etc/postfix/main.cf <<'EOF'\n{main}EOF\n"
        + f"cat >>/etc/postfix/master.cf <<'EOF'\n{STOCK_MASTER}EOF\n"
        + f"cat >/etc/dovecot/dovecot.conf <<'EOF'\n{dovecot}EOF\n"
        + "systemctl restart dovecot postfix; cat /etc/ssl/host.pem"
    )
    return dataclasses.replace(stock, ca=ca)


def resolve(servers: Sequence[Server]) -> None:
    """Have the names of servers resolve to their addresses."""
    machines.resolve({server.hostname: server.address for server in servers})


def make_machines() -> tuple[Server, Server]:
    """Make the three machines; return the mail host and the stock one."""
    machines.say("making the mail host, a stock one and a provider (about two minutes)")
    machines.create(*HOSTS)
    mine = make_house(make_provider())
    return mine, make_stock(mine)
