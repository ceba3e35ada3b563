# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A machine that can run the house."""

from __future__ import annotations

from ansible_collections.ilnmors.mail.plugins.module_utils._preflight.machine import Machine

GOOD = Machine(
    system="debian",
    release="13",
    called="Debian GNU/Linux 13 (trixie)",
    is_root=True,
    programs=["ss"],
    bare=True,
    room={"/usr": 9_000, "/var": 9_000},
    has_firewall=True,
)
