# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Settings of Dovecot's configuration as text: a dictionary in, lines and blocks out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any


def dovecot_settings(settings: Mapping[str, Any]) -> str:
    """Return one line for each value, and a block for each dictionary; true and false are yes and no."""
    return "".join(f"{line}\n" for line in _lines(settings))


def _lines(settings: Mapping[str, Any]) -> Iterator[str]:
    for name, value in settings.items():
        if isinstance(value, Mapping):
            yield f"{name} {{"
            yield from (f"  {line}" for line in _lines(value))
            yield "}"
        else:
            yield f"{name} = {_text(value)}"


def _text(value: object) -> str:
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)


def setting_problems(variable: str, settings: object) -> Iterator[str]:
    """Check that each name and value fits a line; what they mean is Dovecot's to judge."""
    if not isinstance(settings, Mapping):
        yield f"{variable}: is not a dictionary; write each setting as 'name: value'"
        return
    for name, value in settings.items():
        where = f"{variable}.{name}"
        if isinstance(value, Mapping):
            yield from setting_problems(where, value)
        elif not isinstance(value, (str, int, float)):
            yield f"{where}: is no single value; write it as one string, as in dovecot.conf"
        elif "\n" in str(value):
            yield f"{where}: has several lines; write the value on one line"
