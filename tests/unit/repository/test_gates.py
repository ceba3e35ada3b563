# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the gates of the Ansible community are told, and what they would find only after minutes."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[3]
GATES = ROOT / "tests" / "gates"
SANITY = ROOT / "tests" / "sanity"
IGNORED = sorted(SANITY.glob("ignore-*.txt"))
FOLDERS = ("molecule", "playbooks", "plugins", "roles", "tests")
PROGRAMS = sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py"))
WORKFLOWS = [ROOT / folder / "workflows" / "ci.yml" for folder in (".github", ".forgejo")]


def core(name: str) -> str:
    """Return which ansible-core an environment has, without its patch."""
    found = re.search(r"^ansible-core==(\d+\.\d+)\.", (GATES / f"core-{name}.in").read_text(), re.MULTILINE)
    assert found
    return found[1]


def test_the_oldest_core_is_the_one_that_is_supported() -> None:
    supported = yaml.safe_load((ROOT / "meta" / "runtime.yml").read_text())["requires_ansible"]
    assert supported == f">={core('2.19')}.0"


def test_what_is_passed_over_is_told_to_the_cores_that_are_asked() -> None:
    assert {path.name for path in IGNORED} == {f"ignore-{core(name)}.txt" for name in ("2.19", "newest")}


@pytest.mark.parametrize("path", IGNORED, ids=lambda path: path.stem)
def test_what_is_passed_over_is_there_and_has_a_reason(path: Path) -> None:
    lines = path.read_text().splitlines()
    assert lines == sorted(lines)
    for line in lines:
        file, test, mark, reason = line.split(" ", 3)
        assert (ROOT / file).exists(), line
        assert test
        assert mark == "#"
        assert reason


def unused(path: Path) -> list[int]:
    """Find the lines where a name is _, which ansible-test's pylint disallows."""
    text = path.read_text()
    if not re.search(r"(?<!\w)_(?!\w)", text):
        return []
    nodes = list(ast.walk(ast.parse(text)))
    names = [node.lineno for node in nodes if isinstance(node, ast.Name) and node.id == "_"]
    return names + [node.lineno for node in nodes if isinstance(node, ast.arg) and node.arg == "_"]


def test_what_is_not_used_is_called_two_underscores() -> None:
    found = {str(path.relative_to(ROOT)): unused(path) for path in PROGRAMS}
    assert {path: lines for path, lines in found.items() if lines} == {}


def makefile(variable: str) -> list[str]:
    found = re.search(rf"^{variable} := (.+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert found
    return found[1].split()


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.parts[-3])
def test_a_workflow_runs_all_of_the_makefile(workflow: Path) -> None:
    jobs = yaml.safe_load(workflow.read_text())["jobs"]
    assert jobs["gates"]["strategy"]["matrix"]["gate"] == makefile("GATES")
    assert sorted(jobs["scenarios"]["strategy"]["matrix"]["scenario"]) == sorted(makefile("SCENARIOS"))
    commands = [step["run"] for job in jobs.values() for step in job["steps"] if "run" in step]
    targets = set(re.findall(r"^\.PHONY: (\S+)$", (ROOT / "Makefile").read_text(), re.MULTILINE))
    made = {word for line in commands if line.startswith("make ") for word in line.split()[1:]}
    assert {word for word in made if word.isalpha()} <= targets
    assert {"lint", "unit", "gates", "scenarios"} <= made


@pytest.mark.parametrize("scenario", makefile("SCENARIOS"))
def test_a_scenario_makes_what_it_needs(scenario: str) -> None:
    """Without make: the collection's link and what else dependencies.sh makes come first."""
    sequence = yaml.safe_load((ROOT / "molecule" / scenario / "molecule.yml").read_text())["scenario"][
        "test_sequence"
    ]
    assert sequence[0] == "dependency"
