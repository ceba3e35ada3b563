# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Filter: what Dovecot has to bear in a house."""

from __future__ import annotations

DOCUMENTATION = r"""
name: dovecot_limits
version_added: 1.0.0
short_description: Derive Dovecot's limits from the number of people
description:
  - Returns how many connections and processes a house needs. No result is smaller than what 100 people with five
    clients each need.
options:
  _input:
    type: int
    required: true
    description: How many people have a mailbox.
  clients_per_user:
    type: int
    required: true
    description: How many mail programs each of them uses. Each may open five IMAP connections.
author:
  - The ilnmors.mail maintainers (@ilnmors)
"""

EXAMPLES = r"""
- name: Show the limits of the house
  ansible.builtin.debug:
    msg: "{{ mail_users | length | ilnmors.mail.dovecot_limits(clients_per_user=5) }}"
"""

RETURN = r"""
_value:
  type: dict
  description:
    - C(user_connections), connections of one user from one address.
    - C(clients), mail programs of the house.
    - C(connections), IMAP connections of the house.
    - C(watches), inotify instances of the user that owns the mail.
    - C(processes), connections that a central service of Dovecot has to hold.
  sample: {user_connections: 25, clients: 500, connections: 2500, watches: 3500, processes: 5000}
"""

from collections.abc import Callable

from ansible_collections.ilnmors.mail.plugins.module_utils._render.dovecot_limits import dovecot_limits


class FilterModule:
    def filters(self) -> dict[str, Callable[..., object]]:
        return {"dovecot_limits": dovecot_limits}
