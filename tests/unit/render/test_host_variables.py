# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the hosts of a play have for a variable."""

from __future__ import annotations

import pytest
from ansible_collections.ilnmors.mail.plugins.module_utils._render.host_variables import host_variables

HOSTVARS: dict[str, dict[str, object]] = {"mail": {"mail_providers": [{"name": "gmail"}]}, "webmail": {}}


@pytest.mark.parametrize(
    ("hosts", "found"),
    [
        ([], {}),
        (["mail"], {"mail": [{"name": "gmail"}]}),
        (["mail", "webmail"], {"mail": [{"name": "gmail"}], "webmail": []}),
    ],
)
def test_each_host_has_its_value_or_the_default(hosts: list[str], found: dict[str, object]) -> None:
    assert host_variables(hosts, HOSTVARS, "mail_providers", []) == found
