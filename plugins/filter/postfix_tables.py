# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Filter: what Postfix needs to know of a house."""

from __future__ import annotations

DOCUMENTATION = r"""
name: postfix_tables
version_added: 1.0.0
short_description: Turn a house's description into Postfix's lookup tables and relay transports
description:
  - Computes every lookup table and relay transport of Postfix from the site variables.
  - The result holds the passwords of provider accounts; use it in tasks with C(no_log).
options:
  _input:
    type: dict
    required: true
    description:
      - C(domain), C(hostname) (str), C(users), C(services), C(providers) (the lists of the site variables),
        C(default_provider) (str, or none), C(postmaster) (str, name of a user), C(trusted_networks) (list of CIDR
        networks), C(facts) (the host's C(ansible_facts), gathered with the subset C(network)), C(directory) (str,
        where the tables lie) and C(ldap) (bool, whether there are people whom C(users) does not list).
author:
  - The ilnmors.mail maintainers (@ilnmors)
"""

EXAMPLES = r"""
- name: Write the lookup tables
  ilnmors.mail.postfix_map:
    maps: "{{ (house | ilnmors.mail.postfix_tables).maps }}"
  no_log: true
"""

RETURN = r"""
_value:
  type: dict
  description:
    - C(mynetworks) (str), C(own_names) (list of str, domains that are the mail host itself), C(catch_all) (bool,
      whether someone has the mail for nobody), C(maps) (entries for M(ilnmors.mail.postfix_map)), C(transports)
      (list of C(name), C(connections), C(rate_delay) and C(options) of smtp(8)), C(default_transport) (str),
      C(mark), C(unmark) and C(returns) (tables inside main.cf, of envelope senders), C(report_checks) (one of
      lines) and C(header_checks) (str, content of a pcre table).
  sample:
    default_transport: relay-gmail:[smtp.gmail.com]:587
"""

from collections.abc import Callable

from ansible_collections.ilnmors.mail.plugins.module_utils._render.postfix import postfix_tables


class FilterModule:
    def filters(self) -> dict[str, Callable[..., object]]:
        return {"postfix_tables": postfix_tables}
