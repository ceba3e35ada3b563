# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Values in the syntax of PHP's ``parse_ini_file``, as SnappyMail reads its settings."""

from __future__ import annotations

from typing import TypeAlias

Setting: TypeAlias = "bool | int | float | str"


class SettingsError(ValueError):
    """A setting that the application's settings file cannot hold."""


def setting_value(value: Setting) -> str:
    """Return one value in that syntax. Raises `SettingsError`, whose text goes on after the setting's name."""
    if isinstance(value, bool):
        return "On" if value else "Off"
    if isinstance(value, int | float):
        return str(value)
    if "${" in value or any(ord(character) < 32 for character in value):
        raise SettingsError(
            "holds '${' or a control character, which the application's settings file cannot express; leave it out"
        )
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
