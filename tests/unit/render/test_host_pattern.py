# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A play names the hosts of those groups that an inventory has."""

from __future__ import annotations

import pytest
from ansible_collections.ilnmors.mail.plugins.filter.host_pattern import host_pattern

NAMES = ["mail", "webmail", "monitoring"]


@pytest.mark.parametrize(
    ("groups", "pattern"),
    [
        ({"mail": ["m"], "webmail": ["w"], "monitoring": ["p"], "others": ["o"]}, "mail:webmail:monitoring"),
        ({"mail": ["m"], "webmail": ["w"], "monitoring": []}, "mail:webmail"),
        ({"mail": ["m"]}, "mail"),
        # Ansible says itself that there are no such hosts.
        ({"others": ["o"]}, "mail:webmail:monitoring"),
    ],
)
def test_groups_without_hosts_are_left_out(groups: dict[str, list[str]], pattern: str) -> None:
    assert host_pattern(groups, NAMES) == pattern
