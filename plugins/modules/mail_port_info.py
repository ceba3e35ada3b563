#!/usr/bin/python
# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Check the ports of a mail host as a client meets them."""

from __future__ import annotations

DOCUMENTATION = r"""
module: mail_port_info
short_description: Check the ports of a mail host as a client meets them
version_added: 1.0.0
author: The ilnmors.mail maintainers (@ilnmors)
description:
  - Connects to every port, takes TLS 1.2 or newer, and verifies the certificate's chain, name and dates.
  - Where TLS comes by STARTTLS, checks that no login is offered before it, and that the server refuses to begin
    one. No password is sent.
  - Checks that a login is offered after TLS, and that the server goes on when one is begun, except for the protocols
    C(smtp) and C(https). The login is taken back before any credentials are sent.
  - For C(https), the page at O(ports[].path) has to be there.
  - Makes all checks before it fails. Nothing is changed.
notes:
  - Dovecot takes a connection from its own machine for secured and offers logins before TLS there. Run this
    module on another machine; on the same one that part is left out, and the detail says so.
options:
  host:
    description: The name or address to connect to.
    type: str
    required: true
  server_name:
    description: The name that the certificate has to be for. The value of O(host) if not given.
    type: str
  ca_file:
    description: A file of CA certificates in PEM form, on the host this runs on. The system's store if not given.
    type: path
  ports:
    description: The ports to check.
    type: list
    elements: dict
    required: true
    suboptions:
      port:
        description: The TCP port.
        type: int
        required: true
      protocol:
        description: What is spoken there. V(smtp) is mail between machines, V(submission) is SMTP with a login.
        type: str
        required: true
        choices: [smtp, submission, imap, pop3, sieve, https]
      tls:
        description: V(implicit) begins with TLS, V(starttls) with text. V(https) is always V(implicit).
        type: str
        required: true
        choices: [starttls, implicit]
      path:
        description: The page that V(https) is asked for.
        type: str
        default: /
  timeout:
    description: Seconds that each port has for all of its check.
    type: float
    default: 10
  certificate_days:
    description: A certificate that is valid for fewer days than these fails its check.
    type: int
    default: 14
extends_documentation_fragment:
  - ilnmors.mail.attributes
  - ilnmors.mail.attributes.info_module
seealso:
  - module: ilnmors.mail.mail_roundtrip
"""

EXAMPLES = r"""
- name: Check what mail clients connect to
  ilnmors.mail.mail_port_info:
    host: mail.ilnmors.internal
    ca_file: /etc/ssl/ilnmors-mail/ca.pem
    ports:
      - {port: 587, protocol: submission, tls: starttls}
      - {port: 993, protocol: imap, tls: implicit}
"""

RETURN = r"""
checks:
  description: One entry for each port, in the order given.
  returned: success, and failure of a check
  type: list
  elements: dict
  contains:
    name:
      description: Port, protocol and kind of TLS, and the page if another than the first was asked for.
      type: str
      sample: 993 imap (TLS)
    ok:
      description: Whether the port is as it should be.
      type: bool
      sample: true
    seconds:
      description: How long the check took.
      type: float
      sample: 0.031
    detail:
      description: >-
        TLS version, cipher and the days that the certificate is still valid; or what is wrong, and what to do.
      type: str
      sample: TLSv1.3 TLS_AES_256_GCM_SHA384, certificate valid for 819 days
msg:
  description: The checks that failed, and why.
  returned: failure
  type: str
  sample: >-
    1 of 8 checks failed. 993 imap (TLS): cannot connect: connection refused; see that it runs: 'systemctl status
    dovecot' on its host; and that no firewall is between
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.ilnmors.mail.plugins.module_utils._checks.checks import report, run_checks
from ansible_collections.ilnmors.mail.plugins.module_utils._checks.ports import (
    CLIENTS,
    TLS_NAMES,
    NoPath,
    NoStarttls,
    port_job,
)
from ansible_collections.ilnmors.mail.plugins.module_utils._clients.connection import (
    Endpoint,
    InvalidCaFile,
    client_context,
)

PORT_OPTIONS = {
    "port": {"type": "int", "required": True},
    "protocol": {"type": "str", "required": True, "choices": list(CLIENTS)},
    "tls": {"type": "str", "required": True, "choices": list(TLS_NAMES)},
    "path": {"type": "str", "default": "/"},
}


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "host": {"type": "str", "required": True},
            "server_name": {"type": "str"},
            "ca_file": {"type": "path"},
            "ports": {"type": "list", "elements": "dict", "required": True, "options": PORT_OPTIONS},
            "timeout": {"type": "float", "default": 10},
            "certificate_days": {"type": "int", "default": 14},
        },
        supports_check_mode=True,
    )
    options = module.params
    host, name = options["host"], options["server_name"] or options["host"]
    try:
        context = client_context(options["ca_file"])
        jobs = [
            port_job(
                Endpoint(host, port["port"], port["tls"], name, context, port["path"]),
                port["protocol"],
                options["timeout"],
                options["certificate_days"],
            )
            for port in options["ports"]
        ]
    except (InvalidCaFile, NoPath, NoStarttls) as error:
        module.fail_json(msg=str(error))
    module.exit_json(**report(run_checks(jobs)))


if __name__ == "__main__":
    main()
