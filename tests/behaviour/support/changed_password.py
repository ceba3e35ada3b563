# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Another password for one person of the lab, and which one the house takes."""

from __future__ import annotations

import imaplib

from ansible_collections.ilnmors.mail.tests.behaviour.support import clients
from ansible_collections.ilnmors.mail.tests.behaviour.support.house import House
from testinfra.host import Host

PASSWORD = "near-changed-password"
NEAR = "(mail_users | selectattr('name', 'eq', 'near') | first)"
USERS = (
    "{{ (mail_users | rejectattr('name', 'eq', 'near'))"
    f" + [{NEAR} | combine({{'password': '{PASSWORD}'}})] }}}}"
)
# The two roles have to agree on who there is.
CHANGED_PASSWORD = {"dovecot_imap_users": USERS, "postfix_relay_users": USERS}
"""Variables of a run."""


def login_of_near(house: House, __: Host) -> str:
    """Tell which password lets near in, from the mail host's network."""
    passwords = {"original": house.password("near"), "changed": PASSWORD}
    taken = []
    for name, password in passwords.items():
        client = clients.imap(house.mail_hostname, house.ca_file)
        try:
            client.login("near", password)
        except imaplib.IMAP4.error:
            continue
        finally:
            client.shutdown()
        taken.append(name)
    return " and ".join(taken)
