# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a role writes and notes, it applies; and nothing of that is known by the run alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar
from ansible_collections.ilnmors.mail.tests.behaviour.support.interruption import POINTS, Point

ROLES = Path(__file__).parents[3] / "roles"
NAMES = sorted(path.name for path in ROLES.iterdir())
COLLECTION = "ilnmors.mail"
# Whose effect is lost with a run, or that need a mirror on a host which lacks nothing.
LOST = {
    "notify",
    "listen",
    "ansible.builtin.apt",
    "ansible.builtin.systemd_service",
    "ansible.builtin.service",
}
VARIABLES = {
    "__snappymail_fpm": "(fpm)",
    "__webmail_host_fpm": "(fpm)",
    "__roundcube_root": "/r",
    "__roundcube_folder": "/f",
}
LOADER = DataLoader()


def tasks(role: str) -> Iterator[dict[str, Any]]:
    for path in sorted((ROLES / role / "tasks").glob("*.yml")):
        yield from flat(read(path))


def read(path: Path) -> Any:
    """Read a file as Ansible does, which then takes its templates for such."""
    return LOADER.load_from_file(str(path), trusted_as_template=True)


def flat(entries: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Go through tasks, those in blocks, and those of another role's file."""
    for entry in entries:
        yield entry
        included = entry.get("ansible.builtin.include_role", {})
        if "tasks_from" in included:
            folder = ROLES / included["name"].removeprefix(f"{COLLECTION}.") / "tasks"
            yield from imported(folder, included["tasks_from"])
        for section in ("block", "rescue", "always"):
            yield from flat(entry.get(section, []))


def imported(folder: Path, name: str) -> Iterator[dict[str, Any]]:
    """Go through the tasks of a file, and those that it imports."""
    for task in flat(read(folder / f"{name}.yml")):
        yield task
        if file := task.get("ansible.builtin.import_tasks"):
            yield from imported(folder, Path(file).stem)


def calls(role: str, *modules: str) -> Iterator[dict[str, Any]]:
    """Go through the options that modules of the collection are given."""
    for task in tasks(role):
        for module in modules:
            yield from (options for name, options in task.items() if name == f"{COLLECTION}.{module}")
            defaults = task.get("module_defaults", {})
            yield from (options for name, options in defaults.items() if name == f"{COLLECTION}.{module}")


def rendered(value: Any) -> Any:
    return Templar(loader=LOADER, variables=VARIABLES).template(value)


def noted(role: str) -> set[str]:
    found = [
        options["pending"]
        for options in calls(role, "config_files", "dovecot_passwd_file")
        if "pending" in options
    ]
    variables = read(ROLES / role / "vars" / "main.yml")
    found.append(variables.get(f"__{role}_install", {}).get("pending", []))
    return {name for names in found for name in (rendered(names) if isinstance(names, str) else names)}


def applied(role: str) -> set[str]:
    found = set[str]()
    for options in calls(role, "units"):
        names = [rendered(unit["name"]) for unit in options.get("units", [])]
        found |= {f"{verb}-{name}" for name in names for verb in ("reload", "restart")}
        found |= set(options.get("commands", {}))
    return found


@pytest.mark.parametrize("role", NAMES)
def test_what_is_noted_is_applied_by_the_same_role(role: str) -> None:
    assert noted(role)
    assert noted(role) - applied(role) == set()


@pytest.mark.parametrize("role", NAMES)
def test_nothing_is_known_by_the_run_alone(role: str) -> None:
    assert not (ROLES / role / "handlers").exists()
    assert [task.get("name") for task in tasks(role) if LOST & set(task)] == []


@pytest.mark.parametrize("role", NAMES)
def test_nothing_is_written_after_the_last_task_that_applies(role: str) -> None:
    """Where a role ends, nothing that it has noted is left."""
    order = [
        (path.stem, any(f"{COLLECTION}.units" in task for task in flat(read(path))))
        for path in (ROLES / role / "tasks" / f"{name}.yml" for name in table_of_contents(role))
    ]
    applying = [index for index, (__, applies) in enumerate(order) if applies]
    writing = [
        index
        for index, name in enumerate(table_of_contents(role))
        if any("pending" in str(task) for task in flat(read(ROLES / role / "tasks" / f"{name}.yml")))
    ]
    assert max(applying) >= max(writing)


def table_of_contents(role: str) -> list[str]:
    """List the files of tasks that the role's main file names, in its order."""
    main = flat(read(ROLES / role / "tasks" / "main.yml"))
    words = ("ansible.builtin.import_tasks", "ansible.builtin.include_tasks")
    named = [task[word] for task in main for word in words if word in task]
    return [Path(name["file"] if isinstance(name, dict) else name).stem for name in named]


@pytest.mark.parametrize("point", POINTS, ids=str)
def test_a_run_can_be_interrupted_at_each_point(point: Point) -> None:
    assert point.task in {task.get("name") for task in tasks(point.role)}
