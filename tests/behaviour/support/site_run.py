"""Run the site playbook, or another, as a person would, with some variables changed."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.ilnmors.mail.tests.behaviour.support.ansible_command import run_ansible

SITE = Path(__file__).parents[3] / "playbooks" / "site.yml"
ROLES = Path(__file__).with_name("roles.yml")


@dataclass(frozen=True)
class Run:
    """How a run of a playbook ended; output has single spaces for all white space."""

    status: int
    output: str
    changed: dict[str, int]


# Takes variables, and options of ansible-playbook. For some roles alone also `hosts`, a group, and `roles`; and
# `killed_after`, a task.
Site = Callable[..., Run]


def run_site(
    inventory: str | None,
    variables: dict[str, Any],
    folder: Path,
    *options: str,
    playbook: Path = SITE,
    killed_after: str = "",
) -> Run:
    """Run a playbook. inventory: a path, or None for the default one; folder: for the file of variables.

    killed_after: name of a task after whose end the run is killed.
    """
    file = folder / "variables.json"
    file.write_text(json.dumps(variables))
    command = ("ansible-playbook", str(playbook), "--extra-vars", f"@{file}", *options)
    killed = {
        "ANSIBLE_CALLBACK_PLUGINS": str(Path(__file__).with_name("callback")),
        "ANSIBLE_CALLBACKS_ENABLED": "kill_after",
        "KILL_AFTER": killed_after,
    }
    done = run_ansible(*command, inventory=inventory, timeout=300, **(killed if killed_after else {}))
    recap = re.findall(r"^(\S+) +: ok=\d+ +changed=(\d+)", done.stdout, re.MULTILINE)
    output = " ".join(f"{done.stdout} {done.stderr}".split())
    return Run(done.returncode, output, {name: int(count) for name, count in recap})


def assert_nothing_changed(run: Run) -> None:
    """Assert that a run was refused before any change, and said no secret."""
    assert run.status != 0
    assert run.changed, run.output
    assert set(run.changed.values()) == {0}, run.output
    assert "secret-" not in run.output
    assert "c2VjcmV0" not in run.output
    assert "-lab-password" not in run.output
