# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Make a webmail release the current one; see plugins/modules/webmail_release.py."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

MODULE = "ilnmors.mail.webmail_release"


class ActionModule(ActionBase):  # type: ignore[misc]
    """Sends an archive of the controller's where the host lacks its release, and leaves no copy there."""

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the module's result."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        options = dict(self._task.args)
        found = self._execute_module(MODULE, module_args=options, task_vars=task_vars)
        if found.get("absent"):
            found = self._with_archive(options, task_vars)
        return {**result, **found}

    def _with_archive(self, options: dict[str, Any], task_vars: dict[str, Any] | None) -> dict[str, Any]:
        archive = Path(str(options["archive"]))
        if not archive.is_file():
            raise AnsibleActionFail(
                f"archive: {str(archive)!r} is no file on this machine; write where the archive lies"
            )
        folder = self._make_tmp_path()
        try:
            sent = self._transfer_file(str(archive), self._connection._shell.join_path(folder, "archive"))
            self._fixup_perms2((folder, sent))
            given = {**options, "src": sent, "archive": ""}
            found: dict[str, Any] = self._execute_module(MODULE, module_args=given, task_vars=task_vars)
        finally:
            self._remove_tmp_path(folder)
        if "msg" in found:
            # It was named by where it was for a moment.
            found["msg"] = str(found["msg"]).replace(f"src: {sent}:", f"archive: {archive}:")
        return found
