#!/usr/bin/python
# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Module entry; the logic is in module_utils/_clients/oauth2_authorization.py and _host/oauth2_grant.py."""

from __future__ import annotations

DOCUMENTATION = r"""
module: oauth2_authorization
short_description: Get the first refresh token of a provider account
version_added: 1.0.0
description:
  - Asks the provider of an account for a code (RFC 8628) or an address (RFC 6749, RFC 7636) that a person opens to
    consent, and then, run once more, waits for the consent, tries the access token at the provider's IMAP and SMTP
    servers, and gives the refresh token to the unit of the account on this host, as the role C(mail_oauth2) keeps it.
  - No token is returned, logged or written anywhere else. Where anything goes wrong, what was kept before stays.
  - The playbook C(ilnmors.mail.authorize) runs both steps.
author:
  - The ilnmors.mail maintainers (@ilnmors)
extends_documentation_fragment:
  - ilnmors.mail.attributes
attributes:
  check_mode:
    support: none
  diff_mode:
    support: none
  idempotent:
    support: none
options:
  account:
    description: Name of the account, as in C(mail_providers).
    type: str
    required: true
  state:
    description: >-
      V(begun) asks for a code or an address, V(finished) waits for the consent to it. A begun authorization is good for
      one attempt to finish it.
    type: str
    choices: [begun, finished]
    required: true
  redirected_to:
    description: The address that the person's browser ended at, where RV(way) was V(redirect).
    type: str
    default: ""
  directory:
    description: What the role C(mail_oauth2) wrote of the accounts.
    type: path
    default: /etc/mail-oauth2
  state_directory:
    description: Where the units of the accounts keep their tokens.
    type: path
    default: /var/lib/mail-oauth2
  runtime_directory:
    description: Where what has begun is kept until it is finished, for root alone.
    type: path
    default: /run/ilnmors-mail-authorize
"""

EXAMPLES = r"""
- name: Ask the provider
  ilnmors.mail.oauth2_authorization:
    account: outlook
    state: begun
  register: begun

- name: Say what to do
  ansible.builtin.debug:
    msg: "Open {{ begun.address }} and type in {{ begun.user_code }}"

- name: Wait for the consent
  ilnmors.mail.oauth2_authorization:
    account: outlook
    state: finished
"""

RETURN = r"""
way:
  description: V(device) where a code is typed in elsewhere, V(redirect) where an address is handed over.
  returned: when O(state=begun)
  type: str
  sample: device
address:
  description: The page of the provider to open.
  returned: when O(state=begun)
  type: str
  sample: https://microsoft.com/devicelogin
user_code:
  description: What to type in there; empty where RV(way) is V(redirect).
  returned: when O(state=begun)
  type: str
  sample: FTK9YHNAE
username:
  description: The login name that the person has to consent as.
  returned: when O(state=begun)
  type: str
  sample: somebody@outlook.com
minutes:
  description: How long the provider waits.
  returned: when O(state=begun)
  type: int
  sample: 15
detail:
  description: What was tried, and what the unit of the account says.
  returned: when O(state=finished)
  type: str
  sample: IMAP and SMTP take it; the access token is valid until 2026-11-23 14:30:00 UTC
"""

import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.ilnmors.mail.plugins.module_utils._clients.connection import (
    InvalidCaFile,
    client_context,
)
from ansible_collections.ilnmors.mail.plugins.module_utils._clients.oauth2_authorization import (
    Authorization,
    AuthorizationError,
    Client,
    Request,
)
from ansible_collections.ilnmors.mail.plugins.module_utils._clients.token_login import try_token
from ansible_collections.ilnmors.mail.plugins.module_utils._host.oauth2_grant import (
    GrantError,
    keep_grant,
    keep_request,
    read_settings,
    take_request,
)
from ansible_collections.ilnmors.mail.plugins.module_utils._host.units import UnitsError


def run(given: dict[str, Any]) -> dict[str, Any]:
    """Make one of the two steps; return what the module returns."""
    name, directory, runtime = given["account"], Path(given["directory"]), Path(given["runtime_directory"])
    settings = read_settings(directory, name)
    context = client_context(settings["ca_file"])
    authorization = Authorization(name, Client(**settings["client"]), context)
    if given["state"] == "begun":
        request = authorization.begin()
        keep_request(runtime, name, asdict(request))
        shown = {key: getattr(request, key) for key in ("way", "address", "user_code")}
        minutes = round((request.expires - time.time()) / 60)
        return {**shown, "username": settings["username"], "minutes": minutes, "changed": False}
    tokens = authorization.finish(Request(**take_request(runtime, name)), given["redirected_to"])
    tried = try_token(settings, tokens.access_token, context)
    said = keep_grant(directory, Path(given["state_directory"]), name, tokens.refresh_token)
    return {"detail": "; ".join([f"{' and '.join(tried)} take it", said]), "changed": True}


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "account": {"type": "str", "required": True},
            "state": {"type": "str", "choices": ["begun", "finished"], "required": True},
            "redirected_to": {"type": "str", "default": "", "no_log": True},
            "directory": {"type": "path", "default": "/etc/mail-oauth2"},
            "state_directory": {"type": "path", "default": "/var/lib/mail-oauth2"},
            "runtime_directory": {"type": "path", "default": "/run/ilnmors-mail-authorize"},
        },
    )
    try:
        module.exit_json(**run(module.params))
    except (AuthorizationError, GrantError, InvalidCaFile, UnitsError) as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
