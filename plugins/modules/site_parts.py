#!/usr/bin/python
# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Module entry; the logic is in module_utils/_site/parts.py and _files/set_up.py, and in the action of this name."""

from __future__ import annotations

DOCUMENTATION = r"""
module: site_parts
short_description: Let the site playbook set up a part of a host where the rest is as it was
version_added: 1.0.0
author: The ilnmors.mail maintainers (@ilnmors)
description:
  - Compares what a run depends on, the options of all roles that were read for the host before, the collection itself
    and the release of Debian, with what the host was last set up with. Of that the host keeps digests, in
    C(/var/lib/ilnmors-mail/set-up.json), for root alone.
  - With C(--tags), fails where anything has changed that these parts do not apply, and says which parts do. Then what
    they leave out would find nothing to do.
  - Refuses C(--skip-tags) of a part, and a tag that is a misspelt part.
options:
  state:
    description:
      - V(begun) judges, and takes out of what the host was set up with what is about to be applied. It comes before
        anything changes.
      - V(finished) writes what the host is set up with now. It comes when all has ended well.
    type: str
    choices: [begun, finished]
    required: true
  digests:
    description:
      - Digests by the names of what they are of, as V(begun) has returned them. Without them, the action of this name
        works them out.
    type: dict
    default: {}
  applied:
    description: Names of what the run applies. The action of this name works them out.
    type: list
    elements: str
    default: []
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
    details:
      - There is nothing to show of digests.
  idempotent:
    support: full
extends_documentation_fragment:
  - ilnmors.mail.attributes
seealso:
  - module: ilnmors.mail.role_options
"""

EXAMPLES = r"""
- name: Refuse to set up a part that does not fit the rest
  ilnmors.mail.site_parts:
    state: begun
  register: __site_begun

- name: Remember what the host was set up with
  ilnmors.mail.site_parts:
    state: finished
    digests: "{{ __site_begun.digests }}"
"""

RETURN = r"""
left_out:
  description: Names of what has changed since the host was last set up, and what the run does not apply.
  returned: success
  type: list
  elements: str
  sample: [dovecot_imap_quota]
digests:
  description: Digests by the names of what they are of.
  returned: success
  type: dict
  sample: {dovecot_imap_quota: 2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db}
known:
  description: Whether the host has been set up before.
  returned: success
  type: bool
  sample: true
msg:
  description: Why the parts cannot be set up alone, and what to run instead.
  returned: failure
  type: str
  sample: >-
    --tags users: mail_quota has changed as well since this host was last set up, and would be left half done; run this
    with --tags users,relay,store, or without --tags
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.ilnmors.mail.plugins.module_utils._files import set_up
from ansible_collections.ilnmors.mail.plugins.module_utils._files.disk import describe


def run(module: AnsibleModule) -> dict[str, Any]:
    now, applied = module.params["digests"], set(module.params["applied"])
    before = set_up.read()
    changed = set_up.changed(before, now)
    left_out = [name for name in changed if name not in applied]
    after = now if module.params["state"] == "finished" else set_up.without(before, changed)
    act = before != after and not left_out
    if act and not module.check_mode:
        set_up.write(after)
    return {"changed": act, "left_out": left_out, "known": bool(before)}


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["begun", "finished"], "required": True},
            "digests": {"type": "dict", "default": {}, "no_log": True},
            "applied": {"type": "list", "elements": "str", "default": []},
        },
        supports_check_mode=True,
    )
    try:
        result = run(module)
    except OSError as error:
        module.fail_json(msg=describe(error, set_up.RECORD))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
