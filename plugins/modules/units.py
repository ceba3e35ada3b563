#!/usr/bin/python
# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Module entry; the logic is in module_utils/_host/units.py and pending.py."""

from __future__ import annotations

DOCUMENTATION = r"""
module: units
short_description: Let units of systemd run as they are written on the host
version_added: 1.0.0
author: The ilnmors.mail maintainers (@ilnmors)
description:
  - Enables and starts units, and reloads or restarts those whose files have changed. What has changed is known by the
    host and not by the run, so that a run that was interrupted is finished by the next one.
  - Modules that write files note in C(/var/lib/ilnmors-mail/pending), before they change anything, what applies them
    (such as O(ilnmors.mail.config_files#module:pending)). This module does what is noted, and removes the note when
    that has succeeded.
  - A note C(reload-NAME) reloads the unit NAME, C(restart-NAME) restarts it. A unit that was just started has read
    everything. Any other note is the name of one of O(commands).
  - systemd reads its units anew where their files have changed since it last did.
  - It takes the place of handlers, whose notifications are lost with the run.
options:
  units:
    description: The units, in the order in which they are started, reloaded or restarted.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Full name of the unit.
        type: str
        required: true
      state:
        description:
          - V(started) enables the unit, and starts it if it does not run; V(stopped) stops and disables it.
          - V(kept) leaves both as they are. The unit is told of changes if it runs.
        type: str
        choices: [started, stopped, kept]
        default: started
      check:
        description:
          - A command that judges everything that the unit reads, as a list of the program and its arguments. It runs
            before anything is done to the unit, which goes on as it was if the command fails.
        type: list
        elements: str
        default: []
      parts:
        description:
          - Patterns of units that belong to this one. When it is restarted they are stopped first, before systemd reads
            its units anew, and so are those whose files are gone.
        type: list
        elements: str
        default: []
  commands:
    description:
      - Commands by the names of their notes, each a list of the program and its arguments. They run after the units.
    type: dict
    default: {}
attributes:
  check_mode:
    support: full
    details:
      - Predicts what would be done of what is on the host now.
      - What the same run would write is predicted by the tasks that write it.
  diff_mode:
    support: none
    details:
      - Says what would be done in its result; there is no text to compare.
  idempotent:
    support: full
    details:
      - Does nothing where nothing is noted and all units run.
extends_documentation_fragment:
  - ilnmors.mail.attributes
seealso:
  - module: ilnmors.mail.config_files
  - module: ilnmors.mail.packages
"""

EXAMPLES = r"""
- name: Configure the web server
  ilnmors.mail.config_files:
    files:
      - path: /etc/nginx/sites-enabled/webmail.conf
        content: "{{ lookup('ansible.builtin.template', 'site.conf.j2') }}"
    pending:
      reload-nginx.service: []

- name: Run the web server as it is configured
  ilnmors.mail.units:
    units:
      - name: nginx.service
        check: [nginx, -t, -q]

- name: Run Dovecot as it is configured
  ilnmors.mail.units:
    units:
      - name: dovecot.service
        check: [doveconf, -n]
    commands:
      forget-logins: [doveadm, auth, cache, flush]
"""

RETURN = r"""
units:
  description: What was, or would be, done to units, by their names.
  returned: success
  type: dict
  sample: {dovecot.service: reload}
said:
  description:
    - What each of these units tells systemd of its state then (sd_notify(3)), by their names.
    - Empty in check mode.
  returned: success
  type: dict
  sample: {dovecot.service: v2.4.1 running}
enabled:
  description: Units that were, or would be, enabled or disabled.
  returned: success
  type: list
  elements: str
  sample: []
commands:
  description: Names of the commands that ran, or would run.
  returned: success
  type: list
  elements: str
  sample: [forget-logins]
daemon_reload:
  description: Whether systemd read, or would read, its units anew.
  returned: success
  type: bool
  sample: false
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.ilnmors.mail.plugins.module_utils._files.disk import describe
from ansible_collections.ilnmors.mail.plugins.module_utils._files.pending import (
    PendingError,
    noted,
    read_names,
)
from ansible_collections.ilnmors.mail.plugins.module_utils._host.units import (
    UnitsError,
    apply,
    look,
    make_plan,
    missing,
    read_units,
)


def run(module: AnsibleModule) -> dict[str, Any]:
    units, commands = read_units(module.params["units"]), module.params["commands"]
    read_names(commands)
    notes, found = noted(), look(units)
    plan = make_plan(units, commands, found, notes)
    if not module.check_mode:
        if absent := missing(units, found):
            raise UnitsError(f"units: this host has no {', '.join(absent)}; install what brings it")
        apply(units, plan, notes)
    acted = [unit for unit in units if unit.name in plan.actions]
    after = {} if module.check_mode else look(acted)
    return {
        "changed": plan.changed,
        "units": dict(plan.actions),
        "said": {unit.name: after[unit.name].text for unit in acted if unit.name in after},
        "enabled": [*plan.enable, *plan.disable],
        "commands": list(plan.commands),
        "daemon_reload": plan.daemon_reload,
    }


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "units": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "name": {"type": "str", "required": True},
                    "state": {
                        "type": "str",
                        "choices": ["started", "stopped", "kept"],
                        "default": "started",
                    },
                    "check": {"type": "list", "elements": "str", "default": []},
                    "parts": {"type": "list", "elements": "str", "default": []},
                },
            },
            "commands": {"type": "dict", "default": {}},
        },
        supports_check_mode=True,
    )
    try:
        result = run(module)
    except (UnitsError, PendingError) as error:
        module.fail_json(msg=str(error))
    except OSError as error:
        module.fail_json(msg=describe(error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
