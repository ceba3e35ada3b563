#!/usr/bin/python
# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Ask a host whether what a run is about to do can work there."""

from __future__ import annotations

DOCUMENTATION = r"""
module: host_preflight
short_description: Ask a host whether what a run is about to do can work there
version_added: 1.0.0
author: The ilnmors.mail maintainers (@ilnmors)
description:
  - Fails if the options of a run would leave mail behind, replace what devices trust, name files that are missing or
    cannot serve, let a service listen where another program does, or take the host itself for a provider.
  - Fails on a machine that cannot run the house at all, whatever it is asked - another system than Debian 12 and 13,
    tasks that do not run as root, no C(ss), too little room.
  - Says all that is wrong, each with its variable, what was found and what to do. What is in a file of a password or
    key is never said.
  - Only reads. Runs as root, which sees the mail and such files.
options:
  bans:
    description: The variables for which the kernel is to ban addresses.
    type: list
    elements: str
    default: []
  names:
    description: Names that the host has to resolve.
    type: list
    elements: dict
    default: []
    suboptions:
      option:
        description: The variable that it is of.
        type: str
        required: true
      name:
        description: The name.
        type: str
        required: true
  roles:
    description:
      - Programs that other roles install, by the names of these roles. They have to be there, but for C(--check), where
        nothing is installed.
    type: dict
    default: {}
  listeners:
    description: What services are about to listen on.
    type: list
    elements: dict
    default: []
    suboptions:
      option:
        description: The variable that decides it.
        type: str
        required: true
      service:
        description: The name of the service, as of its unit. It may have the ports already.
        type: str
        required: true
      addresses:
        description: Where it will listen. C(*) is all of IPv4, C(::) all of IPv6.
        type: list
        elements: str
        required: true
      ports:
        description: TCP ports. V(0) is none.
        type: list
        elements: int
        required: true
  servers:
    description:
      - Servers of providers, which must not be this host under another name. A name that does not resolve is passed by.
    type: list
    elements: dict
    default: []
    suboptions:
      option:
        description: The variable that names it.
        type: str
        required: true
      service:
        description: The service of this host that it must not be.
        type: str
        choices: [dovecot, postfix]
        required: true
      host:
        description: Its name.
        type: str
        required: true
      port:
        description: Its TCP port.
        type: int
        required: true
  password_files:
    description: Absolute paths of files that hold one password each, by the variables that name them.
    type: dict
    default: {}
  authority_files:
    description:
      - Absolute paths of the certificates that servers are verified against, by the variables that name them. That of
        Debian's package C(ca-certificates) may be missing.
    type: dict
    default: {}
  schedules:
    description: Calendar events of systemd, by the variables that name them.
    type: dict
    default: {}
  certificate:
    description: A certificate that the user brings. Without it, nothing is asked about one.
    type: dict
    suboptions:
      path:
        description: Absolute path of the certificate chain.
        type: path
        required: true
      key:
        description: Absolute path of its key.
        type: path
        required: true
  mail_store:
    description: Where mail will lie. Without it, nothing is asked about mail.
    type: dict
    suboptions:
      directory:
        description: The directory that holds the mailboxes, as C(DOMAIN/NAME).
        type: path
        required: true
      domain:
        description: The domain of the house.
        type: str
        required: true
      domain_old:
        description: A domain whose mail may stay behind.
        type: str
        default: ''
      user:
        description: The user that will own all mail.
        type: str
        required: true
      uid:
        description: Its number.
        type: int
        required: true
      yesterday:
        description: Whether the folder C(Backup) of each mailbox will be the house's.
        type: bool
        default: false
  authority:
    description: What the host's certificates will be. Without it, nothing is asked about certificates.
    type: dict
    suboptions:
      directory:
        description: Where the certificates lie.
        type: path
        required: true
      keeps_key:
        description: Whether this host keeps the authority's key.
        type: bool
        required: true
      name:
        description: The authority's name.
        type: str
        required: true
      domains:
        description: The domains that the authority may issue for.
        type: list
        elements: str
        required: true
      domain_old:
        description: A domain that the authority may have been for.
        type: str
        default: ''
      hostname:
        description: The name that mail programs connect to. Without it, the host's name may change.
        type: str
        default: ''
      names:
        description: The DNS names of the host.
        type: list
        elements: str
        required: true
      replace:
        description: Whether another authority than the present one is meant.
        type: bool
        default: false
  asked:
    description:
      - What several roles ask of the host, each a dictionary of the options above. So one call serves them all.
    type: list
    elements: dict
    default: []
extends_documentation_fragment:
  - ilnmors.mail.attributes
  - ilnmors.mail.attributes.info_module
"""

EXAMPLES = r"""
- name: Refuse to leave mail behind
  ilnmors.mail.host_preflight:
    mail_store:
      directory: /var/vmail
      domain: home.internal
      user: vmail
      uid: 5000
"""

RETURN = r"""
msg:
  description: What is wrong, one problem a line.
  returned: failure
  type: str
  sample: >-
    dovecot_imap_mail_directory: '/srv/mail' has no mail, but '/var/vmail' has: people would find empty mailboxes; move
    the mail first (the README of dovecot_imap says how, in 'Moving the mail'), or write '/var/vmail'
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.ilnmors.mail.plugins.module_utils._preflight.authority import (
    Authority,
    authority_problems,
)
from ansible_collections.ilnmors.mail.plugins.module_utils._preflight.files import (
    authority_file_problems,
    certificate_problems,
    password_file_problems,
)
from ansible_collections.ilnmors.mail.plugins.module_utils._preflight.machine import (
    machine_problems,
    name_problems,
    read_machine,
    role_problems,
)
from ansible_collections.ilnmors.mail.plugins.module_utils._preflight.mail_store import (
    MailStore,
    store_problems,
)
from ansible_collections.ilnmors.mail.plugins.module_utils._preflight.ports import (
    Listener,
    ask_listening,
    port_problems,
)
from ansible_collections.ilnmors.mail.plugins.module_utils._preflight.schedules import schedule_problems
from ansible_collections.ilnmors.mail.plugins.module_utils._preflight.servers import (
    CONSEQUENCES,
    Server,
    server_problems,
)

OPTIONS = {
    "bans": {"type": "list", "elements": "str", "default": []},
    "names": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "option": {"type": "str", "required": True},
            "name": {"type": "str", "required": True},
        },
    },
    "roles": {"type": "dict", "default": {}},
    "listeners": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "option": {"type": "str", "required": True},
            "service": {"type": "str", "required": True},
            "addresses": {"type": "list", "elements": "str", "required": True},
            "ports": {"type": "list", "elements": "int", "required": True},
        },
    },
    "servers": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "option": {"type": "str", "required": True},
            "service": {"type": "str", "required": True, "choices": list(CONSEQUENCES)},
            "host": {"type": "str", "required": True},
            "port": {"type": "int", "required": True},
        },
    },
    "password_files": {"type": "dict", "default": {}, "no_log": False},
    "authority_files": {"type": "dict", "default": {}},
    "schedules": {"type": "dict", "default": {}},
    "certificate": {
        "type": "dict",
        "options": {
            "path": {"type": "path", "required": True},
            "key": {"type": "path", "required": True, "no_log": False},
        },
    },
    "mail_store": {
        "type": "dict",
        "options": {
            "directory": {"type": "path", "required": True},
            "domain": {"type": "str", "required": True},
            "domain_old": {"type": "str", "default": ""},
            "user": {"type": "str", "required": True},
            "uid": {"type": "int", "required": True},
            "yesterday": {"type": "bool", "default": False},
        },
    },
    "authority": {
        "type": "dict",
        "options": {
            "directory": {"type": "path", "required": True},
            "keeps_key": {"type": "bool", "required": True, "no_log": False},
            "name": {"type": "str", "required": True},
            "domains": {"type": "list", "elements": "str", "required": True},
            "domain_old": {"type": "str", "default": ""},
            "hostname": {"type": "str", "default": ""},
            "names": {"type": "list", "elements": "str", "required": True},
            "replace": {"type": "bool", "default": False},
        },
    },
}


def find_problems(questions: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Yield what is wrong with all that is asked about. questions: the module's options, as each role gives them."""
    machine = list(machine_problems(read_machine(), [ban for asked in questions for ban in asked["bans"]]))
    yield from machine
    # What follows would be about another one.
    for asked in questions if not machine else ():
        yield from _find_problems(asked)


def _find_problems(asked: Mapping[str, Any]) -> Iterator[str]:
    yield from role_problems(asked["roles"])
    yield from name_problems([(name["option"], name["name"]) for name in asked["names"]])
    if asked["listeners"]:
        yield from port_problems([Listener(**listener) for listener in asked["listeners"]], ask_listening())
    if asked["servers"]:
        yield from server_problems([Server(**server) for server in asked["servers"]], ask_listening())
    yield from password_file_problems(asked["password_files"])
    yield from authority_file_problems(asked["authority_files"])
    yield from schedule_problems(asked["schedules"])
    if certificate := asked["certificate"]:
        yield from certificate_problems(Path(certificate["path"]), Path(certificate["key"]))
    if store := asked["mail_store"]:
        yield from store_problems(MailStore(**{**store, "directory": Path(store["directory"])}))
    if authority := asked["authority"]:
        yield from authority_problems(Authority(**{**authority, "directory": Path(authority["directory"])}))


def read_question(module: AnsibleModule, given: Mapping[str, Any]) -> Mapping[str, Any]:
    """Read what a role asks as the module's own options are read."""
    read = ArgumentSpecValidator(OPTIONS).validate(given)
    if read.error_messages:
        module.fail_json(msg="\n".join(f"asked: {message}" for message in read.error_messages))
    found: Mapping[str, Any] = read.validated_parameters
    return found


def main() -> None:
    several = {"type": "list", "elements": "dict", "default": []}
    module = AnsibleModule(argument_spec={**OPTIONS, "asked": several}, supports_check_mode=True)
    questions = [module.params, *(read_question(module, given) for given in module.params["asked"])]
    if module.check_mode:
        questions = [{**question, "roles": {}} for question in questions]
    # Roles of one host may ask the same.
    if problems := list(dict.fromkeys(find_problems(questions))):
        module.fail_json(msg="\n".join(problems))
    module.exit_json(changed=False)


if __name__ == "__main__":
    main()
