# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Filter: the files of the house's own plugins of Roundcube."""

from __future__ import annotations

DOCUMENTATION = r"""
name: roundcube_plugins
short_description: The house's own plugins of Roundcube, as config_files takes them
version_added: 1.0.0
author: The ilnmors.mail maintainers (@ilnmors)
description:
  - Reads the plugins on the controller, whose folders begin with C(house_).
options:
  _input:
    description: Path of the folder that holds the plugins, on the controller.
    type: path
    required: true
  destination:
    description: Path of the application's folder of plugins, on the host.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Show which plugins there are
  ansible.builtin.debug:
    msg: "{{ (plugins | ilnmors.mail.roundcube_plugins('/var/lib/roundcube/plugins')).names }}"
  vars:
    plugins: "{{ role_path }}/files"
"""

RETURN = r"""
_value:
  description:
    - C(names) of the plugins, and C(directories), C(files) and C(checks) as the options C(directories), C(files) and
      C(validate) of M(ilnmors.mail.config_files).
  type: dict
  sample:
    names: [house_logins]
    directories:
      - {path: /p/house_logins}
    files:
      - {path: /p/house_logins/house_logins.php, content: "<?php\n"}
    checks:
      - [php, -l, '%s/p/house_logins/house_logins.php']
"""

from collections.abc import Callable
from pathlib import Path

from ansible_collections.ilnmors.mail.plugins.module_utils._render.roundcube_plugins import (
    Plugins,
)
from ansible_collections.ilnmors.mail.plugins.module_utils._render.roundcube_plugins import (
    roundcube_plugins as read_plugins,
)


def roundcube_plugins(source: str, destination: str) -> Plugins:
    """Read the plugins below a folder."""
    return read_plugins(Path(source), destination)


class FilterModule:
    def filters(self) -> dict[str, Callable[..., object]]:
        return {"roundcube_plugins": roundcube_plugins}
