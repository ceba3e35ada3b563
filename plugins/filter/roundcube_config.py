# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Filter: Roundcube's configuration file."""

from __future__ import annotations

DOCUMENTATION = r"""
name: roundcube_config
short_description: Roundcube's settings as the text of config.inc.php
version_added: 1.0.0
author: The ilnmors.mail maintainers (@ilnmors)
description:
  - Writes settings as PHP reads them. Nothing in a value is expanded or run.
options:
  _input:
    description: Settings by their names. Values are texts, numbers, booleans, null, lists and dictionaries.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Show the configuration
  ansible.builtin.debug:
    msg: "{{ {'show_images': 0} | ilnmors.mail.roundcube_config }}"
"""

RETURN = r"""
_value:
  description: The text of the file.
  type: str
  sample: "<?php\n$config = [];\n$config['show_images'] = 0;\n"
"""

from collections.abc import Callable

from ansible_collections.ilnmors.mail.plugins.module_utils._render.roundcube_config import roundcube_config


class FilterModule:
    def filters(self) -> dict[str, Callable[..., object]]:
        return {"roundcube_config": roundcube_config}
