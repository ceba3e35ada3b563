"""What Debian's mbsync makes of a state that was written for it, and what is read of the state that it leaves."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from testinfra.host import Host

PLAYER = (Path(__file__).parents[1] / "support" / "mbsync_player.py").read_text()
UIDS = [1, 2, 3, 5, 8]
HOUSE = ["remembered"], ["house"]


def play(mail: Host, *steps: list[Any]) -> list[Any]:
    """Have the steps of mbsync_player.py played; return what each came to."""
    results: list[Any] = json.loads(mail.check_output("python3 -c %s %s", PLAYER, json.dumps(steps)))
    return results


def pairs(state: dict[str, Any]) -> dict[int, int]:
    return {int(uid): near for uid, near in state["pairs"].items()}


def test_only_what_is_not_claimed_is_fetched(mail: Host) -> None:
    """With a UID of the house or without, also in later runs, when mbsync has written the state itself."""
    claim = ["claim", {"1": 0, "2": 77, "5": 0}, 0]
    __, first, state, house, second, again, third, later, grown = play(
        mail, claim, ["run", UIDS], *HOUSE, ["run", UIDS], ["house"], ["run", [*UIDS, 9]], *HOUSE
    )
    assert (first, second, third) == (0, 0, 0)
    assert house == again == ["3", "8"]
    assert pairs(state) == {1: 0, 2: 77, 3: 1, 5: 0, 8: 2}
    assert (state["remote_validity"], state["local_validity"], state["max_pulled"]) == (7, 9, 8)
    assert grown == ["3", "8", "9"]
    assert pairs(later) == {1: 0, 2: 77, 3: 1, 5: 0, 8: 2, 9: 3}


def test_claims_above_what_is_fetched_hold_too(mail: Host) -> None:
    claim = ["claim", {"5": 0, "8": 0}, 0]
    *__, state, house = play(mail, claim, ["run", UIDS], ["run", UIDS], *HOUSE)
    assert house == ["1", "2", "3"]
    assert pairs(state) == {1: 1, 2: 2, 3: 3, 5: 0, 8: 0}


def test_what_is_not_above_the_highest_pulled_is_passed_by(mail: Host) -> None:
    *__, house = play(mail, ["claim", {}, 3], ["run", UIDS], ["house"])
    assert house == ["5", "8"]


def test_a_message_that_is_refused_is_fetched_once_it_is_wanted(mail: Host) -> None:
    __, __, state, house, __, unasked, __, __, later, all_there = play(
        mail, ["claim", {"1": 0}, 0], ["run", UIDS, [3, 8]], *HOUSE, ["run", UIDS], ["house"],
        ["want", [3, 8]], ["run", UIDS], *HOUSE,
    )  # fmt: skip
    assert house == unasked == ["2", "5"]
    assert (pairs(state), state["max_pulled"]) == ({1: 0, 2: 1, 5: 2}, 8)
    assert all_there == ["2", "3", "5", "8"]
    assert (pairs(later), later["max_pulled"]) == ({1: 0, 2: 1, 5: 2, 3: 3, 8: 4}, 8)


def test_a_killed_run_has_done_what_is_read_and_the_next_goes_on(mail: Host) -> None:
    __, __, state, house, status, later, all_there = play(
        mail, ["claim", {"2": 0}, 0], ["kill", UIDS, 5], *HOUSE, ["run", UIDS], *HOUSE
    )
    assert (pairs(state), state["max_pulled"]) == ({1: 1, 2: 0, 3: 2}, 0)
    assert house == ["1", "3"]
    assert status == 0
    assert all_there == ["1", "3", "5", "8"]
    assert pairs(later) == {1: 1, 2: 0, 3: 2, 5: 3, 8: 4}


def test_a_first_run_that_is_killed_is_read_too(mail: Host) -> None:
    __, state, status, house = play(mail, ["kill", UIDS, 3], ["remembered"], ["run", UIDS], ["house"])
    assert (state["remote_validity"], pairs(state)) == (7, {1: 1, 2: 2})
    assert (status, house) == (0, [*map(str, UIDS)])


def test_a_damaged_journal_stops_mbsync_until_what_it_says_is_the_state(mail: Host) -> None:
    for damage in ("tear", "age"):
        __, __, refused, __, status, state, house = play(
            mail, ["kill", UIDS, 5], [damage], ["run", UIDS], ["settle"], ["run", UIDS], *HOUSE
        )
        assert refused
        assert (status, house) == (0, [*map(str, UIDS)])
        assert pairs(state) == {1: 1, 2: 2, 3: 3, 5: 4, 8: 5}


def test_a_state_that_is_written_after_a_kill_counts(mail: Host) -> None:
    *__, state, house = play(
        mail, ["kill", UIDS, 5], ["claim", {"1": 1, "2": 2, "3": 3, "5": 0}, 0], ["run", UIDS], *HOUSE
    )
    assert house == ["1", "2", "3", "8"]
    assert pairs(state) == {1: 1, 2: 2, 3: 3, 5: 0, 8: 4}
