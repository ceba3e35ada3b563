# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Read a role's options; see plugins/modules/role_options.py."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from ansible.errors import AnsibleError, AnsibleUndefinedVariable
from ansible.plugins.action import ActionBase
from ansible.release import __version__ as ansible_version
from ansible_collections.ilnmors.mail.plugins.module_utils._site.description import (
    ROLES,
    Reading,
    Unfilled,
    Variables,
    read_role,
)
from ansible_collections.ilnmors.mail.plugins.module_utils._site.options import Context
from ansible_collections.ilnmors.mail.plugins.module_utils._site.problems import Unread

NEEDED = "2.19"
"""As meta/runtime.yml has it, of which Ansible only warns."""


class ActionModule(ActionBase):  # type: ignore[misc]
    """Reads the options where Ansible runs: nothing is asked of the host."""

    _requires_connection = False
    _VALID_ARGS = frozenset(("role", "roles"))

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the options, or fail with what is wrong with them."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        if _version(ansible_version) < _version(NEEDED):
            raise AnsibleError(
                f"ansible-core {ansible_version} is too old; install {NEEDED} or newer where Ansible runs, such as by "
                "'pipx install --force ansible-core'"
            )
        names = self._task.args.get("roles") or [self._task.args.get("role")]
        for name in names:
            if name not in ROLES:
                raise AnsibleError(
                    f"role: {name!r} is no role of the collection; write one of {', '.join(ROLES)}"
                )
        variables = task_vars or {}
        filled, context = self._variables(variables), _context(variables)
        readings = {name: read_role(name, filled, context) for name in names}
        if "roles" in self._task.args and "webmail_host" in names:
            chosen = _webmails(readings["webmail_host"])
            readings |= {name: read_role(name, filled, context) for name in chosen}
        if warnings := _each(reading.warnings for reading in readings.values()):
            result["warnings"] = warnings
        if problems := _each(reading.problems for reading in readings.values()):
            return {**result, "failed": True, "msg": "\n".join(problems)}
        # What is wrong is said aloud; what is right has passwords in it.
        read = {
            name: {"options": reading.options.dump(), "variables": dict(reading.options.variables)}
            for name, reading in readings.items()
        }
        found = {"roles": read} if "roles" in self._task.args else read[names[0]]
        return {**result, "changed": False, **found, "_ansible_no_log": True}

    def _variables(self, variables: Mapping[str, Any]) -> Variables:
        filled: dict[str, object] = {}

        def fill(name: str) -> object:
            if name not in variables:
                raise Unfilled("set it")
            if name not in filled:
                filled[name] = self._fill(variables[name])
            return filled[name]

        def follows(option: str, site: str) -> bool:
            return site in str(variables.get(option))

        return Variables(frozenset(variables), fill, follows)

    def _fill(self, value: object) -> object:
        try:
            return native(self._templar.template(value))
        except AnsibleUndefinedVariable as error:
            raise Unfilled(_first_line(error)) from error
        except Exception as error:
            raise Unfilled(f"an expression in it fails ({type(error).__name__}), so correct that") from error


def native(value: object) -> object:
    """Return a value as plain Python, without what Ansible notes of where it comes from."""
    if isinstance(value, Mapping):
        return {native(name): native(item) for name, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return [native(item) for item in value]
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, str):
        return str.__str__(value)
    return int(value) if isinstance(value, int) else value


def _context(variables: Mapping[str, Any]) -> Context:
    facts = variables.get("ansible_facts") or {}
    return Context(
        host=str(variables.get("inventory_hostname", "")),
        groups={str(name): list(map(str, hosts)) for name, hosts in (variables.get("groups") or {}).items()},
        facts=facts if "interfaces" in facts else None,
    )


def _webmails(host: Reading) -> Sequence[str]:
    """Return the roles of the webmails that were chosen; none where that could not be read, which is told of."""
    options: Any = host.options
    with suppress(Unread):
        return list(options.webmail)
    return ()


def _each(texts: Iterable[Sequence[str]]) -> list[str]:
    """Return each text once: roles of one host may say the same."""
    return list(dict.fromkeys(text for several in texts for text in several))


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0].rstrip(".")


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(".")[:2])
