# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which messages, and which mailboxes, are known by other numbers and names."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from mbsync_fetch.record.matching import match_fingerprints, renamed

A, B, C, D = (bytes([value]) * 16 for value in range(4))


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ({}, {}, {}),
        ({}, {1: A}, {}),
        ({1: A}, {}, {}),
        ({1: A, 2: B}, {11: A, 12: B}, {11: 1, 12: 2}),
        ({1: A, 2: B}, {11: B, 12: A}, {11: 2, 12: 1}),
        ({1: A}, {11: A, 12: A}, {11: 1}),
        ({1: A, 2: A}, {12: A, 11: A}, {11: 1, 12: 2}),
        ({5: A, 2: A, 9: A}, {1: A, 2: C}, {1: 2}),
    ],
)
def test_messages_are_recognised(
    old: Mapping[int, bytes], new: Mapping[int, bytes], expected: dict[int, int]
) -> None:
    assert match_fingerprints(old, new) == expected


FOUR = {1: A, 2: B, 3: C, 7: D}


@pytest.mark.parametrize(
    ("gone", "new", "expected"),
    [
        ({}, FOUR, None),
        ({"f1": {}}, {}, None),
        ({"f1": {}}, FOUR, None),
        ({"f1": FOUR}, {}, None),
        ({"f1": FOUR}, FOUR, "f1"),
        ({"f1": FOUR, "f2": {1: A, 2: C}}, FOUR, "f1"),
        ({"f1": FOUR, "f2": FOUR}, FOUR, None),
        ({"f1": FOUR}, {1: A, 3: C}, "f1"),  # two were deleted
        ({"f1": FOUR}, FOUR | {8: A, 9: B, 10: C}, "f1"),  # three have come
        ({"f1": FOUR}, {11: A, 12: B, 13: C, 14: D}, None),
        ({"f1": FOUR}, FOUR | {3: A}, None),  # 75 %
        ({"f1": FOUR | {6: A}}, FOUR | {6: B}, "f1"),  # 80 %
    ],
)
def test_a_renamed_mailbox_is_recognised(
    gone: Mapping[str, Mapping[int, bytes]], new: Mapping[int, bytes], expected: str | None
) -> None:
    assert renamed(gone, new) == expected
