#!/usr/bin/python
# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Module entry; the logic is in module_utils/_files/links.py."""

from __future__ import annotations

DOCUMENTATION = r"""
module: links
short_description: Make a set of symbolic links, and remove those of before
version_added: 1.0.0
description:
  - Makes all links of a set at once and removes others that match a pattern, so that nothing is left of what is no
    longer wanted. Directories that are missing are made. Only symbolic links are ever replaced or removed.
author:
  - The ilnmors.mail maintainers (@ilnmors)
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
extends_documentation_fragment:
  - ilnmors.mail.attributes
options:
  links:
    description: What each link points to, by the absolute path of the link. It need not exist.
    type: dict
    required: true
  absent:
    description: Patterns of links to remove, unless they are listed in O(links).
    type: list
    elements: str
    default: []
seealso:
  - module: ilnmors.mail.config_files
"""

EXAMPLES = r"""
- name: Link the metrics of each account
  ilnmors.mail.links:
    links:
      /var/lib/prometheus/node-exporter/mbsync_fetch_gmail.prom: /run/mbsync-fetch/gmail/metrics.prom
    absent: [/var/lib/prometheus/node-exporter/mbsync_fetch_*.prom]
"""

RETURN = r"""
links:
  description: The links that changed or would change.
  returned: success
  type: list
  elements: str
  sample: [/var/lib/prometheus/node-exporter/mbsync_fetch_gmail.prom]
"""

from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.ilnmors.mail.plugins.module_utils._files.disk import describe
from ansible_collections.ilnmors.mail.plugins.module_utils._files.links import (
    LinksError,
    diff,
    plan_links,
    put_in_place,
)


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "links": {"type": "dict", "required": True},
            "absent": {"type": "list", "elements": "str", "default": []},
        },
        supports_check_mode=True,
    )
    links = {Path(path): Path(target) for path, target in module.params["links"].items()}
    try:
        changes = plan_links(links, module.params["absent"])
        if not module.check_mode:
            put_in_place(changes)
    except LinksError as error:
        module.fail_json(msg=str(error))
    except OSError as error:
        module.fail_json(msg=describe(error))
    shown = {"diff": diff(changes)} if module._diff else {}
    module.exit_json(changed=bool(changes), links=[str(change.path) for change in changes], **shown)


if __name__ == "__main__":
    main()
