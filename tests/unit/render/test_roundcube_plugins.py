# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The house's own plugins of Roundcube, as they are installed."""

from __future__ import annotations

from pathlib import Path

from ansible_collections.ilnmors.mail.plugins.filter.roundcube_plugins import FilterModule, roundcube_plugins

FILES = Path(__file__).parents[3] / "roles/roundcube/files"


def test_a_plugin_is_installed_with_all_its_files() -> None:
    found = roundcube_plugins(str(FILES), "/p")
    installed = {file["path"].removeprefix("/p/") for file in found["files"]}
    assert installed == {
        str(path.relative_to(FILES)) for path in FILES.glob("house_*/**/*") if path.is_file()
    }
    assert {str(Path(file["path"]).parent) for file in found["files"]} <= {
        folder["path"] for folder in found["directories"]
    }


def test_the_application_finds_each_plugin_by_its_name() -> None:
    found = FilterModule().filters()["roundcube_plugins"](str(FILES), "/p")
    assert isinstance(found, dict)
    contents = {file["path"]: file["content"] for file in found["files"]}
    for name in found["names"]:
        assert f"class {name} extends rcube_plugin" in contents[f"/p/{name}/{name}.php"]


def test_every_program_is_checked() -> None:
    found = roundcube_plugins(str(FILES), "/p")
    programs = {file["path"] for file in found["files"] if file["path"].endswith((".php", ".inc"))}
    assert found["checks"] == [["php", "-l", f"%s{path}"] for path in sorted(programs)]
