#!/usr/bin/python
# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the action role_options does; it runs where Ansible runs."""

from __future__ import annotations

DOCUMENTATION = r"""
module: role_options
short_description: Read the options of a role of this collection
version_added: 1.0.0
author: The ilnmors.mail maintainers (@ilnmors)
description:
  - Reads all variables of a role, each with the one type that it has, and returns them converted; a text such as V(no)
    becomes V(false) where a boolean is due.
  - Fails where a value cannot be taken, a key or variable is misspelt, or options contradict each other. Says all that
    is wrong, each with its variable, what was found, unless it is secret, and what to write instead.
  - The roles' own tasks and templates read what it returns, and nothing else. What it returns has passwords in it, and
    is never shown.
options:
  role:
    description: The name of the role, without that of the collection. Either this or O(roles).
    type: str
  roles:
    description:
      - Names of roles, whose options are read at once. With V(webmail_host) among them, also those of the webmails that
        its options name.
    type: list
    elements: str
extends_documentation_fragment:
  - ilnmors.mail.attributes
  - ilnmors.mail.attributes.info_module
notes:
  - Nothing is asked of the host. What the facts of its network decide is checked where they have been gathered.
"""

EXAMPLES = r"""
- name: Read the options
  ilnmors.mail.role_options:
    role: dovecot_imap
  register: __dovecot_imap_read

- name: Read the options of two roles
  ilnmors.mail.role_options:
    roles: [mail_tls, dovecot_imap]
  register: __site_read
"""

RETURN = r"""
options:
  description: The options by their names, without that of the role before them. What has no value is left out.
  returned: success, with O(role)
  type: dict
  sample:
    domain: home.internal
    fts: true
variables:
  description: What people call each option, the site variable where they set that.
  returned: success, with O(role)
  type: dict
  sample: {quota: mail_quota, fts: dovecot_imap_fts}
roles:
  description: Both of the above, by the names of O(roles).
  returned: success, with O(roles)
  type: dict
  sample:
    mail_tls: {options: {days: 90}, variables: {days: mail_tls_days}}
msg:
  description: What is wrong, one problem a line.
  returned: failure
  type: str
  sample: "mail_users[0] (il).aliases: is 'family', where a list is due; write a list, such as [postmaster, family]"
"""
