# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""mbsync's state files, as both versions write them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from mbsync_fetch.mbsync.sync_state import UNKNOWN, SyncState, SyncStateError, interrupted

HEADER = "FarUidValidity 7\nNearUidValidity 9\nMaxPulledUid 5\nMaxPushedUid 3\n\n"
STATE = HEADER + "1 2 S\n4 0 \n5 3 FS\n"
PAIRS = {1: 2, 4: 0, 5: 3}
TUID = "abcdefgh+/12"


def put(folder: Path, state: str | None = STATE, journal: str | None = None, *, new: bool = True) -> Path:
    """Lay out what mbsync leaves behind."""
    path = folder / "f0001"
    if state is not None:
        path.write_text(state)
    if journal is not None:
        (folder / "f0001.journal").write_text(journal)
        if new:
            (folder / "f0001.new").write_text("")
    return path


STATES = {
    "plain": (STATE, SyncState(7, 9, 5, PAIRS)),
    "empty": (HEADER, SyncState(7, 9, 5, {})),
    "expired entries": (
        HEADER.replace("\n\n", "\nMaxExpiredFarUid 4\n\n") + "4 0 ~S\n5 3 \n",
        SyncState(7, 9, 5, {4: 0, 5: 3}),
    ),
    "of messages too big": (HEADER + "1 2 \n4 8 >S\n5 0 ^\n", SyncState(7, 9, 5, {1: 2})),
    "of messages of the house alone": (HEADER + "0 8 S\n1 2 \n", SyncState(7, 9, 5, {1: 2})),
    "names of before 1.4": (
        STATE.replace("FarUid", "MasterUid").replace("NearUid", "SlaveUid"),
        SyncState(7, 9, 5, PAIRS),
    ),
}


@pytest.mark.parametrize(("text", "expected"), STATES.values(), ids=STATES)
def test_a_state_is_read(tmp_path: Path, text: str, expected: SyncState) -> None:
    assert SyncState.read(put(tmp_path, text)) == expected


def test_no_state_is_none(tmp_path: Path) -> None:
    assert SyncState.read(tmp_path / "f0001") is None


@pytest.mark.parametrize("text", ["", "FarUidValidity 7\n", HEADER + "1\n", HEADER + "a b\n", "Far\n\n"])
def test_what_is_no_state_is_named(tmp_path: Path, text: str) -> None:
    path = put(tmp_path, text)
    with pytest.raises(SyncStateError, match=f"^{path} is not a state of mbsync's: "):
        SyncState.read(path)


JOURNALS = {
    "nothing done": ("5\n", PAIRS, 5),
    "planned": ("4\n+ 6 0\n+ 8 0\n", PAIRS, 5),
    "sent": (f"5\n+ 6 0\nF 1 12\n# 6 0 {TUID}\n", PAIRS, 5),
    "copied": (f"5\n+ 6 0\n# 6 0 {TUID}\n* 6 0 16\n> 6 0 12\n", PAIRS | {6: 12}, 5),
    "refused": ("4\n+ 6 0\n- 6 0\n+ 8 0\n", PAIRS, 5),
    "its copy not found": (f"4\n+ 6 0\n# 6 0 {TUID}\n& 6 0\n", PAIRS, 5),
    "ended": (f"4\n+ 6 0\n# 6 0 {TUID}\n> 6 0 12\nN 0 6\nN 1 12\n", PAIRS | {6: 12}, 6),
    "an old one gone": ("4\n- 5 3\n= 4 0\n", {1: 2}, 5),
    "torn amid a line": ("5\n+ 6 0\n> 6 0 12\n+ 8", PAIRS | {6: 12}, 5),
    "torn amid the version": ("5", PAIRS, 5),
    "of another version": ("3\n> 6 0 12\n", PAIRS | {6: 12}, 5),
    "empty": ("", PAIRS, 5),
    "flags and expiry": ("5\n% 1 2 16\n$ 1 2 1 0\n~ 1 2 3\nT 0 9\nP 0 9\n_ 5 3\n", PAIRS, 5),
}


@pytest.mark.parametrize(("journal", "pairs", "max_pulled"), JOURNALS.values(), ids=JOURNALS)
def test_a_stopped_run_counts_as_far_as_it_got(
    tmp_path: Path, journal: str, pairs: dict[int, int], max_pulled: int
) -> None:
    path = put(tmp_path, journal=journal)
    assert SyncState.read(path) == SyncState(7, 9, max_pulled, pairs)
    assert interrupted(path) == journal.endswith("\n") or "\n" in journal


def test_a_first_run_that_was_stopped(tmp_path: Path) -> None:
    path = put(tmp_path, None, f"5\n| 7 9\n+ 1 0\n# 1 0 {TUID}\n> 1 0 2\n+ 3 0\n")
    assert SyncState.read(path) == SyncState(7, 9, 0, {1: 2})
    put(tmp_path, None, "5\n+ 1 0\n")
    assert SyncState.read(path) == SyncState(UNKNOWN, UNKNOWN, 0, {})


def test_a_journal_without_its_new_state_is_a_leftover(tmp_path: Path) -> None:
    path = put(tmp_path, journal="5\n- 5 3\n", new=False)
    assert not interrupted(path)
    assert SyncState.read(path) == SyncState(7, 9, 5, PAIRS)


def test_a_state_is_written(tmp_path: Path) -> None:
    state = SyncState(7, 9, 3, {5: 3, 1: 2, 4: 0})
    path = tmp_path / "f0001"
    state.write(path)
    assert path.read_text() == HEADER.replace("dUid 5", "dUid 3") + "1 2 \n4 0 \n5 3 \n"
    assert SyncState.read(path) == state
    assert list(tmp_path.iterdir()) == [path]


class Crash(Exception):
    """The machine stops."""


@pytest.mark.parametrize("leftover", [True, False], ids=["with a leftover", "interrupted"])
@pytest.mark.parametrize("stop", range(5))
def test_a_crash_while_writing_leaves_the_former_state_or_the_new(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stop: int, leftover: bool
) -> None:
    path = put(tmp_path, journal="5\n- 5 3\n", new=not leftover)
    former = SyncState.read(path)
    new = SyncState(8, 9, 0, {21: 2})
    steps = iter(range(10))

    def crashing(change: Callable[..., object]) -> Callable[..., object]:
        def step(*arguments: Any, **options: Any) -> object:
            if next(steps) == stop:
                raise Crash
            return change(*arguments, **options)

        return step

    for name in ("unlink", "replace", "open"):
        monkeypatch.setattr(Path, name, crashing(getattr(Path, name)))
    try:
        new.write(path)
    except Crash:
        monkeypatch.undo()
        assert SyncState.read(path) in (former, new)
    else:
        monkeypatch.undo()
        assert SyncState.read(path) == new
        assert list(tmp_path.iterdir()) == [path]
    new.write(path)
    assert SyncState.read(path) == new


def test_wanted_messages_lose_their_pairs_and_are_looked_at() -> None:
    state = SyncState(7, 9, 5, dict(PAIRS))
    state.want([])
    assert state == SyncState(7, 9, 5, PAIRS)
    state.want([4, 3, 9])
    assert state == SyncState(7, 9, 2, {1: 2, 5: 3})
