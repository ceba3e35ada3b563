# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Sizes are read as both series of Dovecot read them, and refused where they would differ."""

from __future__ import annotations

import pytest
from ansible_collections.ilnmors.mail.plugins.module_utils.size import size_bytes, size_problems


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("1B", 1),
        ("3K", 3 * 1024),
        ("500M", 500 * 1024**2),
        ("5G", 5 * 1024**3),
        ("5g", 5 * 1024**3),
        ("2T", 2 * 1024**4),
        ("8388607T", 8388607 * 1024**4),
        ("0", 0),
        (0, 0),
        ("", 0),
        (None, 0),
    ],
)
def test_a_size_is_read(value: object, expected: int) -> None:
    assert size_bytes(value) == expected
    assert list(size_problems("mail_users[0] (il).quota", value)) == []


@pytest.mark.parametrize(
    "value",
    ["5", 500, "1.5G", "-5G", "0G", "5GB", "5 G", "5G\n", "G", "unlimited", "8388608T", "٥G", True, ["5G"]],
)
def test_what_is_no_size_is_refused(value: object) -> None:
    assert list(size_problems("mail_users[0] (il).quota", value)) == [
        f"mail_users[0] (il).quota: {value!r} is not a size; "
        "write a whole number and a unit (B, K, M, G or T), such as '5G', or leave it out"
    ]
