# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A provider that mail is fetched from: Debian's Dovecot, with a mailbox for every address of its domain."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ansible_collections.ilnmors.mail.tests.bench import machines
from ansible_collections.ilnmors.mail.tests.bench.postfix_machines import CERTIFICATE, install

NAME = "imap.alive.test"
PASSWORD = "bench-password"
"""Of each account, there and in the house."""
CA = "/etc/ssl/provider.pem"
"""Where the mail host has the authority of its certificate."""

DOVECOT = """\
dovecot_config_version = 2.4.1
dovecot_storage_version = 2.4.1
protocols = imap
ssl = required
ssl_server_cert_file = /etc/ssl/host.pem
ssl_server_key_file = /etc/ssl/host.key
auth_mechanisms = plain login
first_valid_uid = 8
mail_driver = maildir
mail_home = /var/mail/%{user}
mail_path = ~/Maildir
passdb static {
  password = {PLAIN}PASSWORD
}
userdb static {
  fields {
    uid = mail
    gid = mail
  }
}
namespace inbox {
  inbox = yes
  separator = /
}
"""


def house(names: Sequence[str]) -> dict[str, Any]:
    """Return the site variables of a house with a person for each name, whose account here is fetched."""
    return {
        "mail_users": [{"name": name, "password": PASSWORD} for name in names],
        "mail_services": [],
        "mail_providers": [
            {
                "name": name,
                "address": f"{name}@alive.test",
                "password": PASSWORD,
                "owner": name,
                "folder": "Alive",
                "imap_host": NAME,
                "relay": False,
            }
            for name in names
        ],
        "mail_default_provider": "",
        "mail_trusted_networks": ["127.0.0.0/8", "::1/128"],
        "mbsync_fetch_provider_ca": CA,
    }


def set_up(trusted_by: str) -> str:
    """Set the provider up on its machine, have a host trust its certificate, and return that."""
    install("lab-provider", "dovecot-imapd openssl python3")
    ca = machines.docker(
        "exec",
        machines.CONTAINERS["lab-provider"],
        "sh",
        "-euc",
        f"{CERTIFICATE.format(name=NAME)}\n"
        f"cat >/etc/dovecot/dovecot.conf <<'EOF'\n{DOVECOT.replace('PASSWORD', PASSWORD)}EOF\n"
        "chmod 1777 /var/mail; systemctl restart dovecot; cat /etc/ssl/host.pem",
    )
    script = f"cat >{CA} <<'EOF'\n{ca}EOF\n"
    machines.docker("exec", machines.CONTAINERS[trusted_by], "sh", "-euc", script)
    return ca
