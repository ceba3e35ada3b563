# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Let a run set up a part of a host where the rest is as it was; see plugins/modules/site_parts.py."""

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase
from ansible_collections.ilnmors.mail.plugins.module_utils._site import parts

MODULE = "ilnmors.mail.site_parts"


class ActionModule(ActionBase):  # type: ignore[misc]
    """Works out what the run depends on where Ansible runs: only digests are sent to the host."""

    _VALID_ARGS = frozenset(("state", "digests"))

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the module's result, or fail with what to run instead."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        variables = task_vars or {}
        try:
            selection = parts.select(
                variables.get("ansible_run_tags", ["all"]),
                variables.get("ansible_skip_tags", []),
                [tag for tag in self._task.tags if tag != "always"],
            )
        except parts.PartsError as error:
            return {**result, "failed": True, "msg": str(error)}
        if selection.warning:
            return {**result, "skipped": True, "warnings": [selection.warning]}
        read = variables["__site_read"]["roles"]
        options = {role: found["options"] for role, found in read.items()}
        host, release = (
            str(variables["inventory_hostname"]),
            str(variables["ansible_facts"]["distribution_major_version"]),
        )
        # They take long: of one run, once.
        digests = self._task.args.get("digests") or parts.digests(options, host, release)
        applied = [
            name for name in digests if selection.whole or set(parts.appliers(name)) & set(selection.parts)
        ]
        found = self._execute_module(
            MODULE,
            module_args={**self._task.args, "digests": digests, "applied": applied},
            task_vars=task_vars,
        )
        if found.get("left_out"):
            called = {role: found["variables"] for role, found in read.items()}
            found["failed"] = True
            found["msg"] = (
                parts.refusal(selection.parts, found["left_out"], called)
                if found["known"]
                else f"--tags {','.join(selection.parts)}: this host has not been set up yet; run this without --tags"
            )
        elif not found.get("failed"):
            found |= {"digests": digests, "_ansible_no_log": True}
        return {**result, **found}
