#!/usr/bin/python
# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Send a message as each account and see it arrive."""

from __future__ import annotations

DOCUMENTATION = r"""
module: mail_roundtrip
short_description: Send a message as each account and see it arrive
version_added: 1.0.0
author: The ilnmors.mail maintainers (@ilnmors)
description:
  - Logs in as each account to IMAP and to submission, over verified TLS, sends a message from its address to
    the same address, waits for it in INBOX, and removes just that message again.
  - When the message is not in INBOX after four fifths of the time, looks into every other folder once, because
    a Sieve script may have filed it there.
  - Works on all accounts side by side, and makes all checks before it fails.
  - The result holds no password, and repeats none that a server repeats.
notes:
  - Where the server has IDLE, the time is the one after which a client that idles hears of the message. Dovecot
    tells it about half a second after delivery.
options:
  accounts:
    description: The accounts to check.
    type: list
    elements: dict
    required: true
    suboptions:
      username:
        description: The name to log in with.
        type: str
        required: true
      password:
        description: The password. An account without one is reported as not checked.
        type: str
      address:
        description: The address to send from and to. The value of O(accounts[].username) if not given.
        type: str
  smtp_host:
    description: The submission server's name; its certificate has to be for it.
    type: str
    required: true
  smtp_port:
    description: The TCP port of submission.
    type: int
    default: 587
  smtp_tls:
    description: How TLS begins there.
    type: str
    choices: [starttls, implicit]
    default: starttls
  imap_host:
    description: The IMAP server's name; its certificate has to be for it.
    type: str
    required: true
  imap_port:
    description: The TCP port of IMAP.
    type: int
    default: 993
  imap_tls:
    description: How TLS begins there.
    type: str
    choices: [starttls, implicit]
    default: implicit
  ca_file:
    description: A file of CA certificates in PEM form, on the host this runs on. The system's store if not given.
    type: path
  timeout:
    description: Seconds that each account has for all of its check.
    type: float
    default: 30
attributes:
  check_mode:
    support: full
    details:
      - Sends nothing, and reports every account as not checked.
  diff_mode:
    support: none
    details:
      - Changes nothing that stays, so there is nothing to show.
  idempotent:
    support: none
    details:
      - Sends a message at each run, and removes it again.
extends_documentation_fragment:
  - ilnmors.mail.attributes
seealso:
  - module: ilnmors.mail.mail_port_info
"""

EXAMPLES = r"""
- name: See that il's mail arrives
  ilnmors.mail.mail_roundtrip:
    smtp_host: mail.ilnmors.internal
    imap_host: mail.ilnmors.internal
    ca_file: /etc/ssl/ilnmors-mail/ca.pem
    accounts:
      - username: il@ilnmors.internal
        password: "{{ il_password }}"
  no_log: true
"""

RETURN = r"""
checks:
  description: One entry for each account, in the order given.
  returned: success, and failure of a check
  type: list
  elements: dict
  contains:
    name:
      description: What was checked.
      type: str
      sample: roundtrip il@ilnmors.internal
    ok:
      description: Whether the message arrived and was removed again; V(null) where it was not tried.
      type: bool
      sample: true
    seconds:
      description: The time from handing the message over to seeing it; for a failure, the time until then.
      type: float
      sample: 0.094
    detail:
      description: The folder in which the message arrived; or the step that failed, why, and what to do.
      type: str
      sample: arrived in INBOX, removed again
msg:
  description: The checks that failed, and why.
  returned: failure
  type: str
  sample: >-
    1 of 2 checks failed. roundtrip il@ilnmors.internal: submission on port 587: STARTTLS is not offered; see
    'journalctl --unit "postfix*"' on its host, and run the site playbook
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.ilnmors.mail.plugins.module_utils._checks.checks import report
from ansible_collections.ilnmors.mail.plugins.module_utils._checks.ports import TLS_NAMES
from ansible_collections.ilnmors.mail.plugins.module_utils._checks.roundtrip import (
    Account,
    InvalidAddress,
    check_accounts,
)
from ansible_collections.ilnmors.mail.plugins.module_utils._clients.connection import (
    Endpoint,
    InvalidCaFile,
    client_context,
)

ACCOUNT_OPTIONS = {
    "username": {"type": "str", "required": True},
    "password": {"type": "str", "no_log": True},
    "address": {"type": "str"},
}


def take_accounts(module: AnsibleModule) -> list[Account]:
    """Take the accounts, and their passwords out of what the module will report.

    Ansible would cut every occurrence of a password out of the result. One such as "mail" would take the
    host names with it, and a gap in a well-known word shows what it hides. So the result is made without
    passwords, and printed as it is.
    """
    module.no_log_values.clear()
    return [
        Account(given["username"], given["address"] or given["username"], given.pop("password"))
        for given in module.params["accounts"]
    ]


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "accounts": {"type": "list", "elements": "dict", "required": True, "options": ACCOUNT_OPTIONS},
            "smtp_host": {"type": "str", "required": True},
            "smtp_port": {"type": "int", "default": 587},
            "smtp_tls": {"type": "str", "default": "starttls", "choices": list(TLS_NAMES)},
            "imap_host": {"type": "str", "required": True},
            "imap_port": {"type": "int", "default": 993},
            "imap_tls": {"type": "str", "default": "implicit", "choices": list(TLS_NAMES)},
            "ca_file": {"type": "path"},
            "timeout": {"type": "float", "default": 30},
        },
        supports_check_mode=True,
    )
    accounts = take_accounts(module)
    options = module.params
    try:
        context = client_context(options["ca_file"])
        smtp, imap = (
            Endpoint(
                options[f"{kind}_host"],
                options[f"{kind}_port"],
                options[f"{kind}_tls"],
                options[f"{kind}_host"],
                context,
            )
            for kind in ("smtp", "imap")
        )
        checks = check_accounts(accounts, smtp, imap, options["timeout"], dry_run=module.check_mode)
    except (InvalidCaFile, InvalidAddress) as error:
        module.fail_json(msg=str(error))
    if module.check_mode:
        module.exit_json(**report(checks), skipped=True)
    module.exit_json(**report(checks))


if __name__ == "__main__":
    main()
