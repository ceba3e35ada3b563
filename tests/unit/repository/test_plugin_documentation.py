# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Every module, filter and lookup is documented as it is, and `ansible-doc` can show it."""

from __future__ import annotations

import functools
import importlib
import inspect
import re
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.ilnmors.mail.tests.behaviour.support.ansible_command import run_ansible

ROOT = Path(__file__).parents[3]
COLLECTION = "ilnmors.mail"


def names(folder: str) -> list[str]:
    return sorted(path.stem for path in (ROOT / "plugins" / folder).glob("*.py") if path.stem != "__init__")


FILTERS = names("filter")
LOOKUPS = names("lookup")
MODULES = names("modules")
ATTRIBUTES = ("check_mode", "diff_mode", "idempotent")
FOLDERS = {"filter": FILTERS, "lookup": LOOKUPS, "modules": MODULES}
PLUGINS = [(folder, name) for folder, names in FOLDERS.items() for name in names]


def load(folder: str, name: str) -> Any:
    return importlib.import_module(f"ansible_collections.{COLLECTION}.plugins.{folder}.{name}")


@functools.cache
def shown(folder: str) -> tuple[str, str]:
    """Let `ansible-doc` show all plugins of a folder at once; return its output, and what it complained of."""
    collections = Path(load("filter", FILTERS[0]).__file__).parents[5]
    names = [f"{COLLECTION}.{name}" for name in FOLDERS[folder]]
    kind = folder.removesuffix("s")
    command = (sys.executable, "-m", "ansible.cli.doc", "--type", kind)
    done = run_ansible(*command, *names, inventory=None, ANSIBLE_COLLECTIONS_PATH=str(collections))
    return done.stdout, done.stderr


@pytest.mark.parametrize(("folder", "name"), PLUGINS)
def test_ansible_doc_shows_it(folder: str, name: str) -> None:
    output, complaints = shown(folder)
    assert complaints == ""
    assert f"> {folder.removesuffix('s').upper()} {COLLECTION}.{name} " in output


@pytest.mark.parametrize(("folder", "name"), PLUGINS)
def test_it_is_summed_up(folder: str, name: str) -> None:
    documentation = yaml.safe_load(load(folder, name).DOCUMENTATION)
    assert documentation["short_description"]
    assert documentation["version_added"]
    assert documentation["description"]
    # ansible-test asks for names at GitHub.
    authors = documentation["author"]
    assert authors in ("The ilnmors.mail maintainers (@ilnmors)", ["The ilnmors.mail maintainers (@ilnmors)"])


@pytest.mark.parametrize("name", FILTERS)
def test_a_filter_has_the_name_of_its_file(name: str) -> None:
    plugin = load("filter", name)
    assert list(plugin.FilterModule().filters()) == [name]
    assert yaml.safe_load(plugin.DOCUMENTATION)["name"] == name


@pytest.mark.parametrize("name", FILTERS)
def test_a_filter_takes_what_is_documented(name: str) -> None:
    plugin = load("filter", name)
    __, *parameters = inspect.signature(plugin.FilterModule().filters()[name]).parameters.values()
    options = yaml.safe_load(plugin.DOCUMENTATION)["options"]
    assert options.pop("_input")["required"] is True
    assert list(options) == [parameter.name for parameter in parameters]
    for parameter in parameters:
        required = parameter.default is inspect.Parameter.empty
        assert options[parameter.name].get("required", False) == required
        assert options[parameter.name].get("default") == (None if required else parameter.default)


@pytest.mark.parametrize("name", MODULES)
def test_a_module_has_the_name_of_its_file_and_says_what_it_supports(name: str) -> None:
    plugin = load("modules", name)
    documentation = yaml.safe_load(plugin.DOCUMENTATION)
    assert documentation["module"] == name
    only_reads = f"{COLLECTION}.attributes.info_module" in documentation["extends_documentation_fragment"]
    said = documentation.get("attributes", {})
    assert only_reads or {said[name]["support"] for name in ATTRIBUTES} <= {"full", "none"}
    assert yaml.safe_load(plugin.RETURN)


@pytest.mark.parametrize(("folder", "name"), PLUGINS)
def test_examples_use_it(folder: str, name: str) -> None:
    examples = load(folder, name).EXAMPLES
    assert yaml.safe_load(examples)
    assert re.search(rf"\b{re.escape(COLLECTION)}\.{name}\b", examples)
