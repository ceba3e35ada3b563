# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Sets of symbolic links."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.ilnmors.mail.plugins.modules import links as links_module


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    """Return what runs the module with links of the directory, by their names."""

    def run(links: dict[str, str], **options: Any) -> dict[str, Any]:
        arguments = {
            "links": {str(tmp_path / name): target for name, target in links.items()},
            "absent": [str(tmp_path / "*.prom")],
            **options,
        }
        with patch_module_args(arguments), pytest.raises(SystemExit):
            links_module.main()
        result: dict[str, Any] = json.loads(capsys.readouterr().out)
        return result

    return run


def links_of(directory: Path) -> dict[str, str]:
    return {path.name: str(path.readlink()) for path in directory.iterdir() if path.is_symlink()}


def test_links_are_made_replaced_and_removed(run: Any, tmp_path: Path) -> None:
    (tmp_path / "left.prom").symlink_to("/nowhere")
    (tmp_path / "wrong.prom").symlink_to("/nowhere")
    (tmp_path / "other.prom").write_text("of somebody else")
    wanted = {"new.prom": "/run/new", "wrong.prom": "/run/wrong", "deep/er.prom": "/run/deeper"}
    changed = [str(tmp_path / name) for name in ("deep/er.prom", "new.prom", "wrong.prom", "left.prom")]

    predicted = run(wanted, _ansible_check_mode=True, _ansible_diff=True)
    assert (predicted["changed"], predicted["links"]) == (True, changed)
    assert [(entry["before"], entry["after"]) for entry in predicted["diff"]] == [
        ("", "link to /run/deeper\n"),
        ("", "link to /run/new\n"),
        ("link to /nowhere\n", "link to /run/wrong\n"),
        ("link to /nowhere\n", ""),
    ]
    assert links_of(tmp_path) == {"left.prom": "/nowhere", "wrong.prom": "/nowhere"}

    assert run(wanted)["links"] == changed
    assert links_of(tmp_path) == {"new.prom": "/run/new", "wrong.prom": "/run/wrong"}
    assert str((tmp_path / "deep/er.prom").readlink()) == "/run/deeper"
    assert (tmp_path / "other.prom").read_text() == "of somebody else"

    assert run(wanted) == {**run(wanted), "changed": False, "links": []}
    assert run({}, absent=[])["changed"] is False
    assert run({})["links"] == [str(tmp_path / "new.prom"), str(tmp_path / "wrong.prom")]


def test_a_file_is_not_replaced(run: Any, tmp_path: Path) -> None:
    (tmp_path / "a.prom").write_text("of somebody else")
    assert run({"a.prom": "/run/a"})["msg"] == (
        f"links: {tmp_path}/a.prom exists and is not a symbolic link; move it out of the way"
    )
