# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Filter: the webmail's settings file."""

from __future__ import annotations

DOCUMENTATION = r"""
name: webmail_settings_file
short_description: The webmail's settings as the text of application.ini
version_added: 1.0.0
author: The ilnmors.mail maintainers (@ilnmors)
description:
  - Renders sections of settings in the syntax that PHP's C(parse_ini_file) reads and the application expects.
options:
  _input:
    description: Settings by section. Values are booleans, numbers or strings.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Show the settings file
  ansible.builtin.debug:
    msg: "{{ {'security': {'allow_admin_panel': false}} | ilnmors.mail.webmail_settings_file }}"
"""

RETURN = r"""
_value:
  description: The text of the file.
  type: str
  sample: "[security]\nallow_admin_panel = Off\n"
"""

from collections.abc import Callable

from ansible.errors import AnsibleFilterError
from ansible_collections.ilnmors.mail.plugins.module_utils._formats.php_ini import Setting, SettingsError
from ansible_collections.ilnmors.mail.plugins.module_utils._render.snappymail_settings import settings_file


def webmail_settings_file(settings: dict[str, dict[str, Setting]]) -> str:
    """Render the settings; a setting that cannot be expressed fails the task."""
    try:
        return settings_file(settings)
    except SettingsError as error:
        raise AnsibleFilterError(str(error)) from error


class FilterModule:
    def filters(self) -> dict[str, Callable[..., object]]:
        return {"webmail_settings_file": webmail_settings_file}
