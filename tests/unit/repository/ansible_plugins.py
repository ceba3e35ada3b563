# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Ansible's plugins, for tests that fill in templates."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ansible.plugins.loader import init_plugin_loader

_FOUND_BY: list[list[Any]] = []
"""sys.meta_path and sys.path_hooks as Ansible sets them up, which it does once."""


@contextmanager
def plugins_loaded() -> Iterator[None]:
    """Let templates find lookups and filters, and other tests import as they do without."""
    finders, hooks = sys.meta_path[:], sys.path_hooks[:]
    if not _FOUND_BY:
        init_plugin_loader([])
        _FOUND_BY.extend((sys.meta_path[:], sys.path_hooks[:]))
    sys.meta_path[:], sys.path_hooks[:] = _FOUND_BY
    yield
    sys.meta_path[:], sys.path_hooks[:] = finders, hooks
    sys.path_importer_cache.clear()
