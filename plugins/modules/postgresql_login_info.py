#!/usr/bin/python
# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Module entry; the logic is in module_utils._clients.postgresql.py."""

from __future__ import annotations

DOCUMENTATION = r"""
module: postgresql_login_info
short_description: See whether an application can use a PostgreSQL database from this host
version_added: 1.0.0
author: The ilnmors.mail maintainers (@ilnmors)
description:
  - Logs in to a database as an application will, and asks whether it may make tables there.
  - Needs no program and no library of PostgreSQL, so that it can be asked before anything is installed.
options:
  host:
    description: Name or address of the server.
    type: str
    required: true
  port:
    description: TCP port of the server.
    type: int
    default: 5432
  name:
    description: Name of the database.
    type: str
    required: true
  user:
    description: Name of the user.
    type: str
    required: true
  password:
    description: The user's password.
    type: str
    required: true
  tls:
    description: Whether to talk over TLS alone, with the server's certificate and name verified.
    type: bool
    default: true
  ca_file:
    description:
      - A file of CA certificates in PEM form, on the host this runs on. Where it is not there yet, no password is sent,
        and a server that answers is enough.
    type: path
    required: true
  option_prefix:
    description: What the variables are called that these options come from, before their names here.
    type: str
    default: ''
extends_documentation_fragment:
  - ilnmors.mail.attributes
  - ilnmors.mail.attributes.info_module
"""

EXAMPLES = r"""
- name: See whether the database answers
  ilnmors.mail.postgresql_login_info:
    host: db.home.internal
    name: roundcube
    user: roundcube
    password: "{{ roundcube_database_password }}"
    ca_file: /etc/ssl/ilnmors-mail/ca.pem
    option_prefix: roundcube_database_
"""

RETURN = r"""
detail:
  description: What was seen.
  returned: success
  type: str
  sample: takes the login
msg:
  description: The variable that is to blame, what is wrong, and what to do.
  returned: failure
  type: str
  sample: >-
    roundcube_database_host: no PostgreSQL can be reached at db.home.internal port 5432 from this host: Connection
    refused; start it, let it listen for this host, or correct the name
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.ilnmors.mail.plugins.module_utils._clients.postgresql import (
    DatabaseError,
    Login,
    check_database,
)


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "host": {"type": "str", "required": True},
            "port": {"type": "int", "default": 5432},
            "name": {"type": "str", "required": True},
            "user": {"type": "str", "required": True},
            "password": {"type": "str", "required": True, "no_log": True},
            "tls": {"type": "bool", "default": True},
            "ca_file": {"type": "path", "required": True},
            "option_prefix": {"type": "str", "default": ""},
        },
        supports_check_mode=True,
    )
    options = {name: value for name, value in module.params.items() if name != "option_prefix"}
    try:
        detail = check_database(Login(**options))
    except DatabaseError as error:
        module.fail_json(msg=f"{module.params['option_prefix']}{error.option}: {error}")
    module.exit_json(changed=False, detail=detail)


if __name__ == "__main__":
    main()
