# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Roundcube's configuration file: a PHP program that fills in an array."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

_HEAD = """<?php
// Managed by Ansible: the role ilnmors.mail.roundcube. Settings of your own: roundcube_extra_settings.
$config = [];
"""


def roundcube_config(settings: Mapping[str, object]) -> str:
    """Return settings, by their names without ``$config``, as the text of config.inc.php.

    Values are texts, numbers, booleans, null, and lists and dictionaries of them. They come back from PHP as they are.
    """
    lines = [f"$config[{php_value(name)}] = {php_value(value)};" for name, value in settings.items()]
    return _HEAD + "\n".join(lines) + "\n"


def php_value(value: object) -> str:
    """Return a value as PHP writes it. Within single quotes PHP expands nothing."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, Mapping):
        return _array(f"{php_value(str(name))} => {php_value(item)}" for name, item in value.items())
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return _array(map(php_value, value))
    escaped = str(value).replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _array(items: Iterable[str]) -> str:
    return f"[{', '.join(items)}]"
