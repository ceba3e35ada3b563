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
    default: []
  not_started:
    description:
      - Units among them that Debian would start as soon as they are installed, and that must be configured before.
      - C(/usr/sbin/policy-rc.d) forbids it for as long as the installation runs. Where the host has such a file of its
        own, that decides.
    type: list
    elements: str
    default: []
  pending:
    description:
      - Names of what makes a running service take what is installed, such as V(restart-dovecot.service), which
        M(ilnmors.mail.units) then does. They are noted on the host before anything is installed.
    type: list
    elements: str
    default: []
  asked:
    description:
      - What several roles ask for, each with the options above. What is missing of all of it is installed at once, and
        of those alone that lack something the rest is done.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: As O(name).
        type: list
        elements: str
        default: []
      not_started:
        description: As O(not_started).
        type: list
        elements: str
        default: []
      pending:
        description: As O(pending).
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
    not_started: [dovecot.service, dovecot.socket]
    pending: [restart-dovecot.service]

- name: Install the packages of several roles at once
  ilnmors.mail.packages:
    asked:
      - name: [ca-certificates, isync]
      - name: [postfix]
        not_started: [postfix.service]
"""

RETURN = r"""
installed:
  description: The packages that were, or would be, installed.
  returned: success
  type: list
  elements: str
  sample: [isync]
lacking:
  description: What lacks a package of all that was asked for, as it was given.
  returned: success
  type: list
  elements: dict
  sample: [{name: [ca-certificates, isync], not_started: [], pending: []}]
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.ilnmors.mail.plugins.module_utils._files.disk import describe
from ansible_collections.ilnmors.mail.plugins.module_utils._files.pending import (
    PendingError,
    note,
    read_names,
)
from ansible_collections.ilnmors.mail.plugins.module_utils._host import packages

OPTIONS = {
    name: {"type": "list", "elements": "str", "default": []} for name in ("name", "not_started", "pending")
}


@dataclass(frozen=True)
class Asked:
    """Packages, the units among them that are not to be started, and what applies them."""

    name: list[str]
    not_started: list[str]
    pending: list[str]


def read_asked(given: Mapping[str, Any]) -> Asked:
    """Read what the module is given, or what one role asks for."""
    return Asked(
        packages.read_names(given["name"]),
        packages.read_units(given["not_started"]),
        list(read_names(given["pending"])),
    )


def run(module: AnsibleModule) -> dict[str, Any]:
    asked = [read_asked(given) for given in (module.params, *module.params["asked"])]
    missing = list(packages.find_missing(each(one.name for one in asked)))
    lacking = [one for one in asked if set(one.name) & set(missing)]
    left_over = packages.has_left_over()
    if missing and not module.check_mode:
        note(each(one.pending for one in lacking))
        packages.install(each(one.name for one in lacking), each(one.not_started for one in lacking))
    if left_over and not module.check_mode:
        packages.clear_left_over()
    after = "".join(f"{name}\n" for name in missing)
    return {
        "changed": bool(missing or left_over),
        "installed": missing,
        "lacking": [asdict(one) for one in lacking],
        "diff": {"before": "", "after": after, "before_header": "packages", "after_header": "packages"},
    }


def each(lists: Iterable[Sequence[str]]) -> list[str]:
    """Return what is in any of the lists, once."""
    return list(dict.fromkeys(name for names in lists for name in names))


def main() -> None:
    several = {"type": "list", "elements": "dict", "default": [], "options": OPTIONS}
    module = AnsibleModule(argument_spec={**OPTIONS, "asked": several}, supports_check_mode=True)
    try:
        result = run(module)
    except (packages.PackagesError, PendingError) as error:
        module.fail_json(msg=str(error))
    except OSError as error:
        module.fail_json(msg=describe(error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
