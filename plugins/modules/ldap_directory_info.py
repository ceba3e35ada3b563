#!/usr/bin/python
# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Module entry; the logic is in module_utils/_checks/directory.py."""

from __future__ import annotations

DOCUMENTATION = r"""
module: ldap_directory_info
short_description: See that a directory (LDAP) can serve as a source of accounts
version_added: 1.0.0
description:
  - Connects to the directory from the host as its mail services will, verifies its certificate, binds, and searches.
  - Nothing is changed. The bind password appears neither in a result, nor in a log, nor on a command line.
  - Needs C(ldapsearch), of Debian's package ldap-utils.
author:
  - The ilnmors.mail maintainers (@ilnmors)
attributes:
  check_mode:
    details:
      - Where C(ldapsearch) is not installed yet, nothing is asked in check mode.
extends_documentation_fragment:
  - ilnmors.mail.attributes
  - ilnmors.mail.attributes.info_module
options:
  uri:
    description: Address of the server, C(ldap://) or C(ldaps://), with an optional port.
    type: str
    required: true
  base:
    description: Distinguished name below which the people are.
    type: str
    required: true
  bind_dn:
    description: Name to bind with; empty to ask anonymously.
    type: str
    default: ''
  bind_password:
    description: Its password.
    type: str
    default: ''
  starttls:
    description: Whether to begin TLS by STARTTLS, without which nothing more is said.
    type: bool
    default: false
  ca:
    description: Path on the host of the certificates of the authorities that are trusted (PEM).
    type: path
    required: true
  filter:
    description: Filter that selects the people.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Ask the directory
  ilnmors.mail.ldap_directory_info:
    uri: ldaps://ldap.home.internal
    base: ou=people,dc=home,dc=internal
    bind_dn: cn=mail,dc=home,dc=internal
    bind_password: "{{ vault_ldap_password }}"
    ca: /etc/ssl/certs/ca-certificates.crt
    filter: (objectClass=inetOrgPerson)
"""

RETURN = r"""
asked:
  description: Whether the directory was asked; V(false) in check mode where C(ldapsearch) is not installed yet.
  returned: success
  type: bool
  sample: true
"""

import shutil
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.ilnmors.mail.plugins.module_utils._checks.directory import (
    Directory,
    DirectoryError,
    ask,
)


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "uri": {"type": "str", "required": True},
            "base": {"type": "str", "required": True},
            "bind_dn": {"type": "str", "default": ""},
            "bind_password": {"type": "str", "default": "", "no_log": True},
            "starttls": {"type": "bool", "default": False},
            "ca": {"type": "path", "required": True},
            "filter": {"type": "str", "required": True},
        },
        supports_check_mode=True,
    )
    ldapsearch = shutil.which("ldapsearch")
    if ldapsearch is None:
        if module.check_mode:
            module.exit_json(changed=False, asked=False)
        module.fail_json(msg="ldapsearch was not found on this host; install the package ldap-utils")
    params: dict[str, Any] = module.params
    try:
        people = ask(Directory(**params), str(ldapsearch))
    except DirectoryError as error:
        module.fail_json(msg=str(error))
    if not people:
        module.warn(
            f"mail_ldap_filter: {params['filter']!r} selects nobody below {params['base']!r}; "
            "if the directory has people already, correct one of the two"
        )
    module.exit_json(changed=False, asked=True)


if __name__ == "__main__":
    main()
