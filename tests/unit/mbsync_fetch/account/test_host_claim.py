# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which host fetches an account."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from mbsync_fetch.account import host


@pytest.fixture
def machine(tmp_path: Path) -> str:
    """Return the file with this machine's id."""
    file = tmp_path / "machine-id"
    file.write_text("aaaa\n")
    return str(file)


def test_the_first_host_leaves_its_name_and_goes_on(tmp_path: Path, machine: str) -> None:
    marker = tmp_path / "store" / "gmail"
    host.claim("gmail", str(marker), machine)
    host.claim("gmail", str(marker), machine)
    assert marker.read_text() == f"aaaa {os.uname().nodename}\n"
    assert list(marker.parent.iterdir()) == [marker]


@pytest.mark.parametrize(("kept", "said"), [("bbbb old-mail\n", "old-mail"), ("", "of an empty marker")])
def test_another_hosts_marker_is_respected(tmp_path: Path, machine: str, kept: str, said: str) -> None:
    marker = tmp_path / "gmail"
    marker.write_text(kept)
    with pytest.raises(host.ElsewhereError) as found:
        host.claim("gmail", str(marker), machine)
    assert str(found.value) == (
        f"gmail is fetched by the host {said}: if it is not any more, remove {marker}"
    )
    assert marker.read_text() == kept


def test_a_host_that_was_quicker_wins(tmp_path: Path, machine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    marker = tmp_path / "gmail"
    real = os.uname

    def other_host_is_quicker() -> os.uname_result:
        marker.write_text("bbbb other\n")
        return real()

    monkeypatch.setattr(os, "uname", other_host_is_quicker)
    with pytest.raises(host.ElsewhereError, match="fetched by the host other"):
        host.claim("gmail", str(marker), machine)


def test_a_client_is_told(tmp_path: Path) -> None:
    marker = tmp_path / "gmail"
    program = [sys.executable, "-I", "-S", host.__file__, "gmail", str(marker)]
    opened = subprocess.run([*program, "/bin/echo", "* PREAUTH"], capture_output=True, text=True, check=True)
    assert opened.stdout == "* PREAUTH\n"
    marker.write_text("bbbb other\n")
    shut = subprocess.run([*program, "/bin/echo", "* PREAUTH"], capture_output=True, check=False)
    said = f"gmail is fetched by the host other: if it is not any more, remove {marker}"
    assert (shut.returncode, shut.stdout.decode()) == (1, f"* BYE [UNAVAILABLE] {said}\r\n")
    assert shut.stderr.decode() == f"{said}\n"
    alone = subprocess.run(program, capture_output=True, text=True, check=False)
    assert (alone.returncode, alone.stdout) == (1, "")
