# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""End a run as a power cut does: ansible-playbook is killed when the task that $KILL_AFTER names has ended."""

from __future__ import annotations

import os
import signal
from typing import Any

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = r"""
name: kill_after
type: aggregate
short_description: Kill ansible-playbook when a task has ended
description: For tests alone. Names the task in the environment variable E(KILL_AFTER), without its role.
author: The ilnmors.mail maintainers
"""


class CallbackModule(CallbackBase):  # type: ignore[misc]
    """Kill this process, so that nothing is cleared up."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "kill_after"
    CALLBACK_NEEDS_ENABLED = True

    def v2_runner_on_ok(self, result: Any) -> None:
        """Look whether this was the task."""
        task = result.task if hasattr(result, "task") else result._task
        if task.get_name().endswith(f" : {os.environ['KILL_AFTER']}"):
            os.kill(os.getpid(), signal.SIGKILL)
