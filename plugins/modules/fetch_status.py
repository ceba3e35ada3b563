#!/usr/bin/python
# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Module entry; the logic is in module_utils/fetch_status.py."""

from __future__ import annotations

DOCUMENTATION = r"""
module: fetch_status
short_description: Say how the fetches of provider accounts go
version_added: 1.0.0
description:
  - Reads, on the mail host, what the units of the role C(mbsync_fetch) keep of each account, and asks systemd which of
    them run. It asks no provider, and changes nothing; start C(mbsync-fetch@NAME.service) before for numbers of now.
  - The check of an account fails where its last fetch did, where none has been recorded for an hour, and where
    messages of the provider have not been fetched. An account in its first fetch does not fail.
  - What is good to know follows each check, such as folders whose numbers differ. A folder may well have more or fewer
    messages in the house, as what is deleted on one side stays on the other.
author:
  - The ilnmors.mail maintainers
attributes:
  check_mode:
    description: Runs in check mode as it does otherwise; it changes nothing.
    support: full
  diff_mode:
    description: There is nothing to show.
    support: none
options:
  accounts:
    description: Names of the accounts that are fetched, as in C(mail_providers).
    type: list
    elements: str
    required: true
  directory:
    description: Where the units keep their state.
    type: path
    default: /var/lib/mbsync-fetch
seealso:
  - module: ilnmors.mail.oauth2_tokens
  - module: ilnmors.mail.mail_queue
"""

EXAMPLES = r"""
- name: See how the fetches go
  ilnmors.mail.fetch_status:
    accounts: [gmail, naver]
  register: fetches
  failed_when: fetches.checks is undefined
"""

RETURN = r"""
accounts:
  description: What is known of each account, in the order of O(accounts).
  returned: always
  type: list
  elements: dict
  contains:
    name:
      description: The account.
      type: str
    state:
      description:
        - V(new) before the first attempt has ended, then V(ok), or why it is not; V(refused) is a refused login,
          V(stopped) that no more attempts are made until the password or token changes.
        - V(limit) is a limit of the provider's, or the part of it that may be used in a day.
      type: str
      sample: ok
    unit:
      description: State of its unit, as systemd calls it.
      type: str
      sample: inactive
    running:
      description: Whether the account is being fetched now.
      type: bool
    reason:
      description: Why it is not V(ok), as the provider or the house said.
      type: str
    remedy:
      description: What to do about it.
      type: str
    last_success:
      description: When it was last fetched, in seconds since 1970; 0 for never.
      type: float
    next_try:
      description: Before when no attempt is made, in seconds since 1970.
      type: float
    unmatched:
      description: Patterns of the account that match no mailbox of the provider.
      type: list
      elements: str
    folders:
      description: Its folders on both sides.
      type: list
      elements: dict
      contains:
        name:
          description: Its name at the provider.
          type: str
        house:
          description: Where it lies in the owner's mailbox.
          type: str
        provider:
          description: How many messages it has at the provider.
          type: int
        in_house:
          description: How many messages it has in the house.
          type: int
        missing:
          description: How many messages of the provider have yet to be fetched.
          type: int
        differs:
          description: Whether the numbers differ.
          type: bool
        gone:
          description: Whether the provider no longer has it.
          type: bool
        refused:
          description: Messages that the provider does not hand over, with C(uid) and C(reason).
          type: list
          elements: dict
checks:
  description: For each account its check, then one entry for each thing that is good to know.
  returned: always
  type: list
  elements: dict
  contains:
    name:
      description: What was checked.
      type: str
    ok:
      description: Whether it passed; null where nothing is judged.
      type: bool
    seconds:
      description: How long it took.
      type: float
    detail:
      description: When the account was last fetched and how many messages it has on both sides, or what is wrong.
      type: str
  sample:
    - name: gmail fetch
      ok: true
      seconds: 0.0
      detail: >-
        last fetched 2026-11-23 14:30:00 UTC: 12 folders, 3210 messages at the provider, 3205 in the house
"""

import time
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.ilnmors.mail.plugins.module_utils.fetch_status import (
    fetch_checks,
    read_fetch,
    report_of,
    unit_states,
)
from ansible_collections.ilnmors.mail.plugins.module_utils.mail_checks import report


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "accounts": {"type": "list", "elements": "str", "required": True},
            "directory": {"type": "path", "default": "/var/lib/mbsync-fetch"},
        },
        supports_check_mode=True,
    )
    names, directory = module.params["accounts"], Path(module.params["directory"])
    units = unit_states(names) if names else {}
    fetches = [read_fetch(name, directory, units.get(name, "unknown")) for name in names]
    checks = [check for fetch in fetches for check in fetch_checks(fetch, time.time())]
    module.exit_json(**report(checks), accounts=[report_of(fetch) for fetch in fetches])


if __name__ == "__main__":
    main()
