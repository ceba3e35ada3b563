# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Filter: what mbsync needs to know of a house."""

from __future__ import annotations

DOCUMENTATION = r"""
name: mbsync_fetches
version_added: 1.0.0
short_description: Turn provider accounts into mbsync's fetches
description:
  - Computes one fetch for each account of C(mail_providers) that is fetched, its profile filled in.
  - Its C(secrets) are the passwords of the accounts; use them in tasks with C(no_log).
options:
  _input:
    type: list
    elements: dict
    required: true
    description: The site variable C(mail_providers).
  domain:
    type: str
    required: true
    description: Domain of the house.
  directory:
    type: str
    required: true
    description: Where the passwords lie on the host, one file for each account.
author:
  - The ilnmors.mail maintainers
"""

EXAMPLES = r"""
- name: Name the owners of the accounts that are fetched
  ansible.builtin.debug:
    msg: "{{ fetches.accounts | map(attribute='login') }}"
  vars:
    fetches: "{{ mail_providers | ilnmors.mail.mbsync_fetches(domain='home.internal', directory='/etc/fetch') }}"
"""

RETURN = r"""
_value:
  type: dict
  description:
    - C(accounts), a list of C(name), C(host), C(port), C(username), C(login) (the owner in the house), C(inbox),
      C(path) (where the account's inbox and its other mailboxes land) and C(patterns), quoted for mbsync.
    - C(secrets), files for M(ilnmors.mail.config_files).
"""

from collections.abc import Callable

from ansible_collections.ilnmors.mail.plugins.module_utils.fetch import mbsync_fetches


class FilterModule:
    def filters(self) -> dict[str, Callable[..., object]]:
        return {"mbsync_fetches": mbsync_fetches}
