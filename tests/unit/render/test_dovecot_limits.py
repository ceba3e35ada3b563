# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Dovecot's limits grow with the house, and none is smaller than 100 people need."""

from __future__ import annotations

import pytest
from ansible_collections.ilnmors.mail.plugins.module_utils._render.dovecot_limits import dovecot_limits

SMALLEST = {"clients": 500, "editors": 40, "connections": 2500, "watches": 3500, "processes": 5000}


@pytest.mark.parametrize(
    ("people", "clients", "expected"),
    [
        (0, 5, {"user_connections": 25, **SMALLEST}),
        (2, 5, {"user_connections": 25, **SMALLEST}),
        (2, 1, {"user_connections": 5, **SMALLEST}),
        (2, 50, {"user_connections": 250, **SMALLEST}),
        (100, 5, {"user_connections": 25, **SMALLEST, "editors": 100}),
        (
            100,
            6,
            {
                "user_connections": 30,
                "clients": 600,
                "editors": 100,
                "connections": 3000,
                "watches": 4200,
                "processes": 5700,
            },
        ),
        (
            1000,
            5,
            {
                "user_connections": 25,
                "clients": 5000,
                "editors": 1000,
                "connections": 25000,
                "watches": 35000,
                "processes": 36500,
            },
        ),
    ],
)
def test_the_limits_of_a_house(people: int, clients: int, expected: dict[str, int]) -> None:
    assert dovecot_limits(people, clients) == expected
