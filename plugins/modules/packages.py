#!/usr/bin/python
# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Module entry; the logic is in module_utils/_host/packages.py."""

from __future__ import annotations

DOCUMENTATION = r"""
module: packages
short_description: Have Debian packages installed, also without a mirror where they are
version_added: 1.0.0
author: The ilnmors.mail maintainers (@ilnmors)
description:
  - Installs the packages that are missing, without those that they recommend. Packages that are installed are not
    upgraded.
  - Where none is missing, nothing is asked but dpkg's own database. No mirror has to be in reach, and no list of
    packages has to be there.
  - Where one is missing, the lists of packages are refreshed if they are older than a day, or if apt-get cannot install
    from them.
  - An installation that was interrupted, which keeps apt-get from doing anything, is finished first.
  - Configuration files that somebody has changed stay as they are.
options:
  name:
    description: Names of the packages.
    type: list
    elements: str
    required: true
  start:
    description:
      - Let services among them start as soon as they are installed, as Debian does.
      - V(false) forbids it by C(/usr/sbin/policy-rc.d) for as long as the installation runs. Where the host has such a
        file of its own, that decides.
    type: bool
    default: true
  pending:
    description:
      - Names of what makes a running service take what is installed, such as V(restart-dovecot.service), which
        M(ilnmors.mail.units) then does. They are noted on the host before anything is installed.
    type: list
    elements: str
    default: []
attributes:
  check_mode:
    support: full
    details:
      - Predicts what will be installed, also on a host without lists of packages.
  diff_mode:
    support: full
    details:
      - Shows the names of the packages that are installed.
  idempotent:
    support: full
    details:
      - Does nothing where all packages are installed.
extends_documentation_fragment:
  - ilnmors.mail.attributes
seealso:
  - module: ilnmors.mail.units
  - module: ansible.builtin.apt
"""

EXAMPLES = r"""
- name: Install mbsync
  ilnmors.mail.packages:
    name: [ca-certificates, isync]

- name: Install Dovecot, which starts when it is configured
  ilnmors.mail.packages:
    name: [dovecot-imapd, dovecot-lmtpd]
    start: false
    pending: [restart-dovecot.service]
"""

RETURN = r"""
installed:
  description: The packages that were, or would be, installed.
  returned: success
  type: list
  elements: str
  sample: [isync]
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.ilnmors.mail.plugins.module_utils._files.disk import describe
from ansible_collections.ilnmors.mail.plugins.module_utils._files.pending import (
    PendingError,
    note,
    read_names,
)
from ansible_collections.ilnmors.mail.plugins.module_utils._host import packages


def run(module: AnsibleModule) -> dict[str, Any]:
    names, notes = packages.read_names(module.params["name"]), read_names(module.params["pending"])
    missing, left_over = list(packages.find_missing(names)), packages.has_left_over()
    if missing and not module.check_mode:
        note(notes)
        packages.install(names, start=module.params["start"])
    if left_over and not module.check_mode:
        packages.clear_left_over()
    after = "".join(f"{name}\n" for name in missing)
    return {
        "changed": bool(missing or left_over),
        "installed": missing,
        "diff": {"before": "", "after": after, "before_header": "packages", "after_header": "packages"},
    }


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "list", "elements": "str", "required": True},
            "start": {"type": "bool", "default": True},
            "pending": {"type": "list", "elements": "str", "default": []},
        },
        supports_check_mode=True,
    )
    try:
        result = run(module)
    except (packages.PackagesError, PendingError) as error:
        module.fail_json(msg=str(error))
    except OSError as error:
        module.fail_json(msg=describe(error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
