# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Ansible's plugins, for tests that fill in templates."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ansible.plugins.loader import init_plugin_loader

COLLECTIONS = Path(__file__).parents[6]
_FOUND_BY: list[list[Any]] = []
"""sys.meta_path and sys.path_hooks as Ansible sets them up, which it does once."""


@contextmanager
def plugins_loaded() -> Iterator[None]:
    """Let templates find lookups and filters, and other tests import as they do without."""
    finders, hooks = sys.meta_path[:], sys.path_hooks[:]
    if not _FOUND_BY:
        init_plugin_loader([str(COLLECTIONS)])
        _FOUND_BY.extend((sys.meta_path[:], sys.path_hooks[:]))
    sys.meta_path[:], sys.path_hooks[:] = _FOUND_BY
    # Ansible looks beside the collection's packages, of which only its own imports say where they lie.
    ours = {
        name: sys.modules.pop(name) for name in list(sys.modules) if name.startswith("ansible_collections")
    }
    yield
    for name in [name for name in sys.modules if name.startswith("ansible_collections")]:
        del sys.modules[name]
    sys.modules.update(ours)
    sys.meta_path[:], sys.path_hooks[:] = finders, hooks
    sys.path_importer_cache.clear()
