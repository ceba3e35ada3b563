# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Filter: the files of the webmail role's own plugins."""

from __future__ import annotations

DOCUMENTATION = r"""
name: webmail_plugins
short_description: The webmail role's own plugins, as config_files takes them
version_added: 1.0.0
author: The ilnmors.mail maintainers (@ilnmors)
description:
  - Reads the role's plugins on the controller. The version of each is that of its content, so that neither the
    application nor a browser goes on with what it made of another one.
options:
  _input:
    description: Path of the folder that holds the plugins, on the controller.
    type: path
    required: true
  destination:
    description: Path of the application's folder of plugins, on the host.
    type: str
    required: true
  group:
    description: Name of the group that reads them.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Show which plugins there are
  ansible.builtin.debug:
    msg: "{{ (plugins | ilnmors.mail.webmail_plugins('/var/lib/webmail/plugins', 'webmail')).names }}"
  vars:
    plugins: "{{ role_path }}/files"
"""

RETURN = r"""
_value:
  description:
    - C(names) of the plugins, C(version) of them all, and C(directories), C(files) and C(checks) as the options
      C(directories), C(files) and C(validate) of M(ilnmors.mail.config_files).
  type: dict
  sample:
    names: [house-requests]
    version: 0a1b2c3d4e5f
    directories:
      - {path: /p/house-requests, group: webmail, mode: '0750'}
    files:
      - {path: /p/house-requests/index.php, content: "<?php\n", group: webmail, mode: '0640'}
    checks:
      - [php, -l, '%s/p/house-requests/index.php']
"""

from collections.abc import Callable
from pathlib import Path

from ansible_collections.ilnmors.mail.plugins.module_utils._render.snappymail_plugins import Plugins, plugins


def webmail_plugins(source: str, destination: str, group: str) -> Plugins:
    """Read the plugins below a folder."""
    return plugins(Path(source), destination, group)


class FilterModule:
    def filters(self) -> dict[str, Callable[..., object]]:
        return {"webmail_plugins": webmail_plugins}
