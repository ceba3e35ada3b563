# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The webmail application's settings file."""

from __future__ import annotations

from collections.abc import Mapping

from ansible_collections.ilnmors.mail.plugins.module_utils._formats.php_ini import (
    Setting,
    SettingsError,
    setting_value,
)


def settings_file(settings: Mapping[str, Mapping[str, Setting]]) -> str:
    """Return sections of settings in the syntax of PHP's ``parse_ini_file`` as the application uses it.

    Booleans become On and Off, numbers stay bare, anything else is a quoted string. Raises `SettingsError`
    for what would not come back as it is: PHP expands ``${NAME}`` in a value, and a line break ends it.
    """
    lines = ["; Managed by Ansible: the role ilnmors.mail.snappymail, snappymail_extra_settings."]
    for section, values in settings.items():
        lines += ["", f"[{section}]"]
        for key, value in values.items():
            try:
                lines.append(f"{key} = {setting_value(value)}")
            except SettingsError as error:
                raise SettingsError(f"snappymail_extra_settings.{section}.{key}: {error}") from None
    return "\n".join(lines) + "\n"
