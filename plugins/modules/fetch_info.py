#!/usr/bin/python
# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Module entry; the logic is in module_utils/_checks/fetch_status.py."""

from __future__ import annotations

DOCUMENTATION = r"""
module: fetch_info
short_description: Say how the fetches of provider accounts go
version_added: 1.0.0
description:
  - Looks, on the mail host, at the units that fetch accounts by themselves, and reads what the units of the role
    C(mbsync_fetch) keep of each account. It asks no provider, and changes nothing; with O(fetch) it lets each account
    be fetched before, for numbers of now.
  - The check of an account's units fails where its timer, its path unit or what waits for new mail is stopped, masked
    or dead, or where a hold file keeps it from being fetched. They are looked at before anything is fetched.
  - The check of an account's fetch fails where its last one did, where none has been recorded for an hour, and where
    messages of the provider have not been fetched. An account in its first fetch does not fail.
  - The check of its books fails for each message of the provider that has no place (here, in another mailbox of the
    account, left out as a draft of all mail, filed by the owner's scripts, deleted here, still to come), and for each
    that is refused.
author:
  - The ilnmors.mail maintainers (@ilnmors)
attributes:
  check_mode:
    details:
      - Lets nothing be fetched in check mode.
extends_documentation_fragment:
  - ilnmors.mail.attributes
  - ilnmors.mail.attributes.info_module
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
  fetch:
    description: Whether each account is fetched first.
    type: bool
    default: false
  timeout:
    description: How long that is waited for, in seconds. A fetch that takes longer goes on.
    type: int
    default: 60
  statement:
    description:
      - Whether the mail of each account is stated (RV(statements)), which proves that it is complete. Every message is
        asked for anew at the provider and in the house, after O(fetch), which may take minutes.
    type: bool
    default: false
seealso:
  - module: ilnmors.mail.oauth2_token_info
  - module: ilnmors.mail.mail_queue_info
"""

EXAMPLES = r"""
- name: See how the fetches go
  ilnmors.mail.fetch_info:
    accounts: [gmail, naver]
    fetch: true
  register: fetches
  failed_when: fetches.checks is undefined

- name: Prove that all mail of an account is here
  ilnmors.mail.fetch_info:
    accounts: [gmail]
    fetch: true
    statement: true
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
      description: State of its unit, as systemd calls it; V(failed) also while systemd waits to start it again.
      type: str
      sample: inactive
    asked:
      description: When it was fetched for this check, in seconds since 1970; 0 if it was not.
      type: float
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
    last_try:
      description: When that was last tried, in seconds since 1970.
      type: float
    next_try:
      description: Before when no attempt is made, in seconds since 1970.
      type: float
    unmatched:
      description: Patterns of the account that match no mailbox of the provider.
      type: list
      elements: str
    not_fetched:
      description: >-
        Its mailboxes that are not fetched, with C(name), the C(rule) that leaves each out (V(unselectable),
        V(unaskable), V(spam), V(trash), V(drafts), V(view), V(skip_mailboxes), V(mailboxes), V(label), V(refused)), and
        C(detail), the pattern or what the provider says.
      type: list
      elements: dict
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
        books:
          description: Where the messages are that the provider has, as of the last change.
          type: dict
          contains:
            messages:
              description: How many the provider had.
              type: int
            places:
              description: >-
                How many of them are where: V(here), V(elsewhere) (in another mailbox's folder), V(draft), V(filed),
                V(deleted) (also what was moved away here), V(refused), V(to_come).
              type: dict
            unplaced:
              description: UIDs of those of which nobody knows.
              type: list
              elements: int
            extent:
              description: What tells whether anything has changed since.
              type: list
              elements: int
        balanced:
          description: Whether each of them has a place.
          type: bool
        gone:
          description: Whether the provider no longer has it.
          type: bool
        problem:
          description: Why it could not be fetched the last time, empty if it could.
          type: str
        refused:
          description: >-
            Messages that one side refuses, with C(uid), C(reason) and C(by), which is V(provider) or V(house).
          type: list
          elements: dict
statements:
  description:
    - What is stated of each account, in the order of O(accounts).
    - Digests are SHA-256 of lines, each ended by a line feed. C(uids) is of UIDs in ascending order, C(message_ids) of
      Message-IDs in the order of their bytes, an empty line for each message without one.
  returned: if O(statement)
  type: list
  elements: dict
  contains:
    account:
      description: The account.
      type: str
    error:
      description: Why it could not be stated.
      returned: if it could not
      type: str
    complete:
      description: Whether all of its mail is accounted for, and the same here as there.
      type: bool
    username:
      description: Its login at the provider.
      type: str
    server:
      description: The provider's server.
      type: str
    owner:
      description: In whose mailbox it lies.
      type: str
    time:
      description: When it was stated (UTC).
      type: str
      sample: "2026-11-30T12:00:00Z"
    mailboxes:
      description: >-
        Its mailboxes that are fetched, each with C(name), C(folder), C(uidvalidity), C(messages), C(complete), and
        C(places) as in RV(accounts), with V(moved) for what lies in another folder of its owner. C(moved_to) counts
        that by folder. C(refused), C(unplaced) and C(differs) are of what is not as it should be; C(differs) are the
        UIDs of messages whose Message-ID is another in the house. C(digests) has those of all that the provider has
        (C(provider)), and for C(here), C(elsewhere) and C(moved) those of both sides.
      type: list
      elements: dict
    not_fetched:
      description: >-
        Its other mailboxes, with C(name), C(rule) and C(detail) as in RV(accounts), and C(messages), how many each has;
        null where the provider does not say it.
      type: list
      elements: dict
checks:
  description: For each account its checks, then one entry for each thing that is good to know.
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
    - name: gmail books
      ok: true
      seconds: 0.0
      detail: >-
        3210 messages at the provider: 3105 here, 90 in other mailboxes, 15 deleted or moved here; not fetched:
        [Gmail]/Spam (spam), [Gmail]/Trash (deleted mail)
"""

import time
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.ilnmors.mail.plugins.module_utils._checks.checks import report
from ansible_collections.ilnmors.mail.plugins.module_utils._checks.fetch_statement import (
    make_statement,
    statement_check,
)
from ansible_collections.ilnmors.mail.plugins.module_utils._checks.fetch_status import (
    fetch_checks,
    read_fetch,
    report_of,
    start_fetches,
)
from ansible_collections.ilnmors.mail.plugins.module_utils._checks.fetch_units import (
    TARGET,
    fetch_state,
    hold_of,
    look_at_units,
    unit_check,
    units_of,
)


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "accounts": {"type": "list", "elements": "str", "required": True},
            "directory": {"type": "path", "default": "/var/lib/mbsync-fetch"},
            "fetch": {"type": "bool", "default": False},
            "timeout": {"type": "int", "default": 60},
            "statement": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    names, directory = module.params["accounts"], Path(module.params["directory"])
    before = look_at_units([TARGET, *(unit for name in names for unit in units_of(name).values())])
    asked = 0.0
    if names and module.params["fetch"] and not module.check_mode:
        asked = time.time()
        running = [name for name in names if fetch_state(before[units_of(name)["service"]]) == "activating"]
        start_fetches(names, running, module.params["timeout"])
    states = look_at_units([units_of(name)["service"] for name in names]) if names else {}
    checks, fetches = [], []
    for name in names:
        state, hold = fetch_state(states[units_of(name)["service"]]), hold_of(name)
        fetches.append(read_fetch(name, directory, state, 0.0 if hold else asked))
        checks.append(unit_check(name, before, hold))
        checks += fetch_checks(fetches[-1], time.time())
    result = {"accounts": [report_of(fetch) for fetch in fetches]}
    if module.params["statement"]:
        result["statements"] = [make_statement(name) for name in names]
        checks += map(statement_check, result["statements"])
    module.exit_json(**report(checks), **result)


if __name__ == "__main__":
    main()
