# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the collection's modules say of check mode, diff mode and idempotence, worded once."""

from __future__ import annotations


class ModuleDocFragment:
    """The attributes of a module that changes a host, and of one that only reads."""

    DOCUMENTATION = r"""
options: {}
attributes:
  check_mode:
    description: Can run in check mode and predict what would change, without changing it.
  diff_mode:
    description: Returns in diff mode what has changed, or would change.
  idempotent:
    description: Changes nothing when it runs again with the same options on an unchanged host.
"""

    INFO_MODULE = r"""
options: {}
attributes:
  check_mode:
    support: full
    details:
      - Only reads, so it does the same in check mode.
  diff_mode:
    support: none
    details:
      - Changes nothing, so there is nothing to show.
  idempotent:
    support: full
    details:
      - Changes nothing.
"""
