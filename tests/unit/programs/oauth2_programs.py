# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The programs of the role mail_oauth2, imported."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

PROGRAMS = Path(__file__).parents[3] / "roles" / "mail_oauth2" / "files"


def load(name: str) -> ModuleType:
    """Import a program by its file's name."""
    spec = importlib.util.spec_from_file_location(name, PROGRAMS / f"{name}.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # where dataclasses look for the types of their fields
    spec.loader.exec_module(module)
    return module


mail_oauth2: Any = load("mail_oauth2")
mail_oauth2_smtp: Any = load("mail_oauth2_smtp")
