"""`make lab` shows a real webmail, and never waits long for the one that has to be downloaded."""

from __future__ import annotations

import functools
import hashlib
import http.server
import importlib.util
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

PROGRAM = Path(__file__).parents[3] / "molecule/resources/choose-webmail.py"
ARCHIVE = b"an archive"
SHA256 = hashlib.sha256(ARCHIVE).hexdigest()


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Return the program, with a cache of its own and little patience."""
    spec = importlib.util.spec_from_file_location("choose_webmail", PROGRAM)
    assert spec
    assert spec.loader
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    for name, value in {
        "ROOT": tmp_path,
        "CACHE": tmp_path / "cache",
        "ANSWER": 0.3,
        "DOWNLOAD": 0.3,
    }.items():
        monkeypatch.setattr(found, name, value)
    monkeypatch.delenv("http_proxy", raising=False)
    return found


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Serves files, and says nothing of it."""

    def log_message(self, *__: object) -> None:
        """Say nothing."""


@pytest.fixture
def served(tmp_path: Path) -> Iterator[str]:
    """Return the address of an archive."""
    (tmp_path / "archive.tar.gz").write_bytes(ARCHIVE)
    handler = functools.partial(Quiet, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/archive.tar.gz"
        server.shutdown()


def test_the_role_pins_one_archive(program: ModuleType) -> None:
    version, address, sha256 = program.pinned()
    assert address.startswith("https://github.com/")
    assert address.endswith(f"/v{version}/snappymail-{version}.tar.gz")
    assert len(sha256) == 64


def test_an_archive_with_the_right_checksum_is_taken_and_kept(
    program: ModuleType, served: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(program, "pinned", lambda: ("1.0", served, SHA256))
    path = program.official()
    assert path.read_bytes() == ARCHIVE
    monkeypatch.setattr(program, "pinned", lambda: ("1.0", "http://127.0.0.1:1/", SHA256))
    assert program.official() == path


def test_another_checksum_counts_as_none(
    program: ModuleType, served: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(program, "pinned", lambda: ("1.0", served, "0" * 64))
    assert program.official() is None
    assert not list(program.CACHE.glob("*"))
    said = capsys.readouterr().out
    assert said.count("\n") == 1
    assert "Roundcube" in said
    assert "checksum" in said


@pytest.mark.parametrize("accepts", [True, False])
def test_who_does_not_answer_is_not_waited_for(
    program: ModuleType, monkeypatch: pytest.MonkeyPatch, accepts: bool
) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        if accepts:
            silent.listen()
        address = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        monkeypatch.setattr(program, "pinned", lambda: ("1.0", address, SHA256))
        start = time.monotonic()
        assert program.official() is None
        assert time.monotonic() - start < 2
