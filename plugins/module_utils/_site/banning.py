# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whom a role keeps out after wrong passwords: options."""

from __future__ import annotations

from dataclasses import dataclass

from ansible_collections.ilnmors.mail.plugins.module_utils._site import types
from ansible_collections.ilnmors.mail.plugins.module_utils._site.options import Options
from ansible_collections.ilnmors.mail.plugins.module_utils._site.readers import Flag
from ansible_collections.ilnmors.mail.plugins.module_utils._site.records import key


@dataclass(frozen=True)
class BanOptions(Options):
    """Who is banned, for how long, and who never is. Times are in seconds."""

    ban: bool = key(Flag())
    ban_after: int = key(types.ATTEMPTS)
    ban_find_time: int = key(types.SECONDS)
    ban_time: int = key(types.SECONDS)
    ban_ignored: tuple[str, ...] = key(types.IGNORED, ())
