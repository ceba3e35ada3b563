#!/usr/bin/python
# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Module entry; the logic is in module_utils/_render/oauth2.py."""

from __future__ import annotations

DOCUMENTATION = r"""
module: oauth2_token_info
short_description: Check the access tokens of provider accounts
version_added: 1.0.0
description:
  - Reads, on the mail host, how the units of the role C(mail_oauth2) get on, one check for each account.
  - A check fails where an account has no valid access token, so that its mail waits, or where it will have none until
    its owner authorizes it again. No token is read.
author:
  - The ilnmors.mail maintainers (@ilnmors)
extends_documentation_fragment:
  - ilnmors.mail.attributes
  - ilnmors.mail.attributes.info_module
options:
  accounts:
    description: Names of the accounts, as in C(mail_providers).
    type: list
    elements: str
    required: true
  directory:
    description: Where the units keep their state.
    type: path
    default: /var/lib/mail-oauth2
"""

EXAMPLES = r"""
- name: Check the tokens
  ilnmors.mail.oauth2_token_info:
    accounts: "{{ mail_providers | selectattr('oauth2', 'defined') | map(attribute='name') }}"
  register: tokens
  failed_when: tokens.checks is undefined
"""

RETURN = r"""
checks:
  description: The checks, in the order of O(accounts).
  returned: always
  type: list
  elements: dict
  contains:
    name:
      description: What was checked.
      type: str
    ok:
      description: Whether it passed.
      type: bool
    seconds:
      description: How long it took.
      type: float
    detail:
      description: Until when the token is valid, or what is wrong.
      type: str
  sample:
    - name: outlook token
      ok: true
      seconds: 0.0
      detail: valid until 2026-11-23 14:30:00 UTC
"""

import time
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.ilnmors.mail.plugins.module_utils._checks.checks import report, run_checks
from ansible_collections.ilnmors.mail.plugins.module_utils._checks.oauth2_tokens import token_checks


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "accounts": {"type": "list", "elements": "str", "required": True},
            "directory": {"type": "path", "default": "/var/lib/mail-oauth2"},
        },
        supports_check_mode=True,
    )
    jobs = token_checks(module.params["accounts"], Path(module.params["directory"]), time.time())
    module.exit_json(**report(run_checks(jobs)))


if __name__ == "__main__":
    main()
