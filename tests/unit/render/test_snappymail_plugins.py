"""The webmail role's own plugins, as they are installed."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.ilnmors.mail.plugins.filter.webmail_plugins import FilterModule, webmail_plugins
from ansible_collections.ilnmors.mail.plugins.module_utils._site.webmail_settings import NAMES

FILES = Path(__file__).parents[3] / "roles/snappymail/files"


def test_all_of_the_roles_plugins_are_named() -> None:
    assert sorted(NAMES) == sorted(path.name for path in FILES.glob("house-*"))


def test_a_plugin_is_installed_with_all_its_files() -> None:
    found = webmail_plugins(str(FILES), "/data/plugins", "webmail")
    installed = {file["path"].removeprefix("/data/plugins/") for file in found["files"]}
    assert installed == {
        str(path.relative_to(FILES)) for path in FILES.glob("house-*/**/*") if path.is_file()
    }
    assert {file["mode"] for file in found["files"]} == {"0640"}
    assert {str(Path(file["path"]).parent) for file in found["files"]} == {
        folder["path"] for folder in found["directories"]
    }
    assert ["php", "-l", "%s/data/plugins/house-requests/index.php"] in found["checks"]


@pytest.mark.parametrize("name", ["index.php", "parameters.php"])
def test_another_content_is_another_version(tmp_path: Path, name: str) -> None:
    """Or the application, and browsers, would go on with what they made of the content before."""
    for plugin in NAMES:
        (tmp_path / plugin).mkdir()
        (tmp_path / plugin / "index.php").write_text("const VERSION = '@VERSION@';")

    def read() -> tuple[str, str]:
        found = FilterModule().filters()["webmail_plugins"](str(tmp_path), "/p", "webmail")
        assert isinstance(found, dict)
        contents = {file["path"]: file["content"] for file in found["files"]}
        return contents["/p/house-requests/index.php"], found["version"]

    before = read()
    assert "@VERSION@" not in before[0]
    assert read() == before
    with (tmp_path / "house-requests" / name).open("a") as file:
        file.write("\n// more")
    after = read()
    assert after[0] != before[0]
    assert after[1] != before[1]
