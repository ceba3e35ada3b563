"""Releases of the webmail on a host: unpacked beside the running one, switched at the end."""

from __future__ import annotations

import errno
import hashlib
import io
import json
import os
import shutil
import tarfile
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.ilnmors.mail.plugins.module_utils._files import webmail_release
from ansible_collections.ilnmors.mail.plugins.module_utils._files.webmail_release import (
    Outcome,
    Request,
    deploy,
    predict,
    stage,
)
from ansible_collections.ilnmors.mail.plugins.module_utils._formats.webmail_archive import ReleaseError
from ansible_collections.ilnmors.mail.plugins.modules import webmail_release as webmail_release_module


def layout(version: str = "2.38.2", program: str = "snappymail") -> dict[str, bytes]:
    """Return the files of a release archive, by name."""
    home = f"{program}/v/{version}"
    return {
        "index.php": b"<?php // " + version.encode(),
        "_include.php": b"<?php // example",
        "data/VERSION": b"0",
        f"{home}/include.php": b"<?php",
        f"{home}/app/x.php": b"<?php",
        f"{home}/static/app.css": b"/* */",
        f"{home}/themes/Default/styles.css": b"/* */",
    }


def pack(path: Path, files: Mapping[str, bytes], *more: tarfile.TarInfo) -> str:
    """Write an archive, and return its sha256."""
    with tarfile.open(path, "w:gz") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode, entry.uid = len(content), 0o777, 1000
            archive.addfile(entry, io.BytesIO(content))
        for entry in more:
            archive.addfile(entry)
    return hashlib.sha256(path.read_bytes()).hexdigest()


class Host:
    """A folder of releases, and archives to deploy there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.root = folder / "webmail"
        self.fetched = 0
        self.prepared: list[str] = []

    def archive(self, files: Mapping[str, bytes], *more: tarfile.TarInfo) -> tuple[Path, str]:
        path = self.folder / f"{len(list(self.folder.iterdir()))}.tar.gz"
        return path, pack(path, files, *more)

    def deploy(self, archive: tuple[Path, str], refuse: str = "") -> Outcome:
        path, sha256 = archive

        def fetch(target: Path) -> None:
            self.fetched += 1
            shutil.copyfile(path, target)

        def prepare(release: Path) -> None:
            if refuse:
                raise ReleaseError(refuse)
            self.prepared.append(release.name)

        return deploy(Request(self.root, sha256, include=Path("/etc/webmail/include.php")), fetch, prepare)

    @property
    def releases(self) -> set[str]:
        return {path.name for path in (self.root / "versions").iterdir()}


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


@pytest.mark.parametrize("program", ["snappymail", "tachyon"])
def test_a_release_is_unpacked_and_becomes_current(host: Host, program: str) -> None:
    archive = host.archive(layout("3.2.8", program))
    outcome = host.deploy(archive)
    name = f"3.2.8-{archive[1][:12]}"
    assert (outcome, outcome.changed) == (Outcome(name, None), True)
    assert (host.root / "current").readlink() == Path("versions") / name
    assert (host.root / "current/index.php").read_bytes() == b"<?php // 3.2.8"
    assert (host.root / f"current/{program}/v/3.2.8/static/app.css").is_file()
    assert host.prepared == [name]


def test_data_is_removed_and_settings_are_linked(host: Host) -> None:
    host.deploy(host.archive(layout()))
    assert not (host.root / "current/data").exists()
    assert (host.root / "current/include.php").readlink() == Path("/etc/webmail/include.php")


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_everybody_reads_and_only_the_owner_writes(host: Host, umask: int) -> None:
    before = os.umask(umask)
    try:
        host.deploy(host.archive(layout()))
    finally:
        os.umask(before)
    release = (host.root / "current").resolve()
    modes = {path.stat().st_mode & 0o7777 for path in release.rglob("*") if path.is_file()}
    folders = {path.stat().st_mode & 0o7777 for path in [release, *release.rglob("*")] if path.is_dir()}
    assert (modes, folders) == ({0o644}, {0o755})
    assert (host.root / "versions").stat().st_mode & 0o7777 == 0o755


def test_a_second_time_nothing_happens(host: Host) -> None:
    archive = host.archive(layout())
    first = host.deploy(archive)
    second = host.deploy(archive)
    assert (second, second.changed) == (Outcome(first.release, first.release), False)
    assert (host.fetched, len(host.prepared)) == (1, 1)


def test_an_upgrade_keeps_the_release_before_and_removes_older_ones(host: Host) -> None:
    names = [host.deploy(host.archive(layout(version))).release for version in ("1.0", "2.0", "3.0")]
    assert host.releases == set(names[1:])
    assert webmail_release.current(host.root) == names[2]


def test_the_way_back_needs_no_archive(host: Host) -> None:
    old, new = host.archive(layout("1.0")), host.archive(layout("2.0"))
    first = host.deploy(old).release
    host.deploy(new)
    back = host.deploy(old)
    assert (back.release, host.fetched, host.prepared[-1]) == (first, 2, first)


def test_what_an_interrupted_run_left_is_removed(host: Host) -> None:
    (host.root / "versions/.new/release").mkdir(parents=True)
    name = host.deploy(host.archive(layout())).release
    assert host.releases == {name}


def link(name: str, target: str, kind: bytes = tarfile.SYMTYPE) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.type, entry.linkname = kind, target
    return entry


LAYOUT_ERROR = (
    "the archive is no webmail release: it must hold index.php and exactly one snappymail/v/VERSION/ or "
    "tachyon/v/VERSION/ with include.php, app, static and themes. Use a release archive, not the source."
)
NO_FILE = "the archive holds {!r}, which is neither a file nor a folder. Do not use it."
LEADS_OUT = "the archive holds {!r}, which leads out of its folder. Do not use it."


@pytest.mark.parametrize(
    ("files", "more", "message"),
    [
        ({}, [], LAYOUT_ERROR),
        ({k: v for k, v in layout().items() if k != "index.php"}, [], LAYOUT_ERROR),
        ({k: v for k, v in layout().items() if "/themes/" not in k}, [], LAYOUT_ERROR),
        ({f"snappymail-2.38.2/{k}": v for k, v in layout().items()}, [], LAYOUT_ERROR),
        ({**layout("1.0"), **layout("2.0")}, [], LAYOUT_ERROR),
        (layout("source"), [], "the archive names its version 'source'. Use a release archive."),
        ({**layout(), "../x.php": b""}, [], LEADS_OUT.format("../x.php")),
        ({**layout(), "/etc/x.php": b""}, [], LEADS_OUT.format("/etc/x.php")),
        (layout(), [link("static", "/etc")], NO_FILE.format("static")),
        (layout(), [link("passwd", "/etc/passwd", tarfile.LNKTYPE)], NO_FILE.format("passwd")),
        (layout(), [link("device", "", tarfile.CHRTYPE)], NO_FILE.format("device")),
    ],
)
def test_a_wrong_archive_leaves_the_running_release(
    host: Host, files: Mapping[str, bytes], more: list[tarfile.TarInfo], message: str
) -> None:
    running = host.deploy(host.archive(layout("1.0"))).release
    with pytest.raises(ReleaseError) as refusal:
        host.deploy(host.archive(files, *more))
    assert str(refusal.value) == message
    assert (webmail_release.current(host.root), host.releases) == (running, {running})


def test_an_archive_with_another_checksum_leaves_the_running_release(host: Host) -> None:
    running = host.deploy(host.archive(layout("1.0"))).release
    path, found = host.archive(layout("2.0"))
    with pytest.raises(ReleaseError) as refusal:
        host.deploy((path, "0" * 64))
    assert str(refusal.value) == (
        f"the archive's sha256 is {found}, but {'0' * 64} was asked for. Use the archive that belongs to the "
        "checksum, or the checksum that its publisher names."
    )
    assert (webmail_release.current(host.root), host.releases) == (running, {running})


@pytest.mark.parametrize("content", [b"", b"no archive", b"\x1f\x8b\x08\x00truncated"])
def test_what_is_no_archive_leaves_the_running_release(host: Host, content: bytes) -> None:
    running = host.deploy(host.archive(layout("1.0"))).release
    path = host.folder / "broken"
    path.write_bytes(content)
    with pytest.raises(ReleaseError, match=r"^the archive cannot be unpacked \(.*\)\. Fetch it again\.$"):
        host.deploy((path, hashlib.sha256(content).hexdigest()))
    assert (webmail_release.current(host.root), host.releases) == (running, {running})


def test_a_release_that_does_not_start_leaves_the_running_release(host: Host) -> None:
    running = host.deploy(host.archive(layout("1.0"))).release
    new = host.archive(layout("2.0"))
    with pytest.raises(ReleaseError, match=r"^no PHP$"):
        host.deploy(new, refuse="no PHP")
    assert (webmail_release.current(host.root), host.releases) == (running, {running})
    assert host.deploy(new).previous == running


def test_a_first_release_that_is_refused_leaves_nothing(host: Host) -> None:
    before = {path.name for path in host.folder.iterdir()}
    for files, refuse in (({}, ""), (layout(), "no PHP")):
        archive = host.archive(files)
        with pytest.raises(ReleaseError):
            host.deploy(archive, refuse=refuse)
        archive[0].unlink()
    assert {path.name for path in host.folder.iterdir()} == before


def test_a_run_that_waited_for_one_that_leaves_nothing_goes_on(host: Host) -> None:
    path, sha256 = host.archive(layout())
    fetching = threading.Event()
    deployed: list[str] = []

    def refused(__: Path) -> None:
        fetching.set()
        second.join(0.2)
        raise ReleaseError("no archive")

    def deploy_it() -> None:
        fetching.wait(10)
        deployed.append(host.deploy((path, sha256)).release)

    second = threading.Thread(target=deploy_it)
    second.start()
    with pytest.raises(ReleaseError):
        stage(Request(host.root, sha256), refused)
    second.join(10)
    assert host.releases == set(deployed) != set()


def test_a_release_is_unpacked_beside_the_current_one(host: Host) -> None:
    running = host.deploy(host.archive(layout("1.0"))).release
    path, sha256 = host.archive(layout("2.0"))
    request = Request(host.root, sha256)

    def fetch(target: Path) -> None:
        shutil.copyfile(path, target)

    name = stage(request, fetch)
    assert (webmail_release.current(host.root), host.releases) == (running, {running, name})
    assert stage(request, never) == name
    assert deploy(request, never, lambda __: None) == Outcome(name, running)


def never(__: Path) -> None:
    pytest.fail("the archive is fetched again")


def test_half_an_archive_leaves_the_running_release(host: Host) -> None:
    running = host.deploy(host.archive(layout("1.0"))).release
    path, __ = host.archive({**layout("2.0"), "big": os.urandom(1 << 16)})
    path.write_bytes(path.read_bytes()[:-30000])
    with pytest.raises(ReleaseError, match=r"^the archive cannot be unpacked \(.+\)\. Fetch it again\.$"):
        host.deploy((path, hashlib.sha256(path.read_bytes()).hexdigest()))
    assert (webmail_release.current(host.root), host.releases) == (running, {running})


def test_a_second_run_waits_for_the_first(host: Host) -> None:
    path, sha256 = host.archive(layout())
    order: list[str] = []
    fetching = threading.Event()

    def slowly(target: Path) -> None:
        fetching.set()
        second.join(0.2)
        order.append("fetched")
        shutil.copyfile(path, target)

    def find_it() -> None:
        fetching.wait(10)
        deploy(Request(host.root, sha256), never, lambda __: None)
        order.append("found")

    second = threading.Thread(target=find_it)
    second.start()
    stage(Request(host.root, sha256), slowly)
    second.join(10)
    assert order == ["fetched", "found"]


def test_a_prediction_touches_nothing(host: Host) -> None:
    sha256 = "ab" * 32
    outcome = predict(Request(host.root, sha256))
    assert (outcome.changed, outcome.release) == (True, "(from the archive abababababab…)")
    assert not host.root.exists()


RunModule = Callable[..., dict[str, Any]]


@pytest.fixture
def run_module(capsys: pytest.CaptureFixture[str]) -> RunModule:
    """Return a function that runs the module with its options, and returns its result."""

    def run(check: bool = False, **options: object) -> dict[str, Any]:
        with (
            patch_module_args({**options, "_ansible_check_mode": check, "_ansible_diff": True}),
            pytest.raises(SystemExit),
        ):
            webmail_release_module.main()
        result: dict[str, Any] = json.loads(capsys.readouterr().out)
        return result

    return run


def test_the_module_deploys_predicts_and_shows_what_changes(host: Host, run_module: RunModule) -> None:
    path, sha256 = host.archive(layout())
    mark = host.folder / "prepared"
    options = {
        "src": str(path),
        "sha256": sha256.upper(),
        "root": str(host.root),
        "prepare": ["cp", "%s/index.php", str(mark)],
    }
    name = f"2.38.2-{sha256[:12]}"
    predicted = run_module(check=True, **options)
    assert (predicted["changed"], host.root.exists()) == (True, False)
    first = run_module(**options)
    assert (first["changed"], first["release"], first["previous"]) == (True, name, None)
    assert first["diff"] == {"before": "", "after": f"current release: {name}\n"}
    assert mark.read_bytes() == b"<?php // 2.38.2"
    for again in (run_module(check=True, **options), run_module(**options)):
        assert (again["changed"], again["previous"]) == (False, name)


def test_the_module_names_a_file_that_is_missing(host: Host, run_module: RunModule) -> None:
    result = run_module(src="/nowhere/x.tar.gz", sha256="0" * 64, root=str(host.root))
    assert result["failed"]
    assert result["msg"] == (
        "src: /nowhere/x.tar.gz: there is no such file on this host. Name an archive or an https URL."
    )


def test_the_module_unpacks_without_switching(host: Host, run_module: RunModule) -> None:
    path, sha256 = host.archive(layout())
    options = {"state": "unpacked", "src": str(path), "sha256": sha256, "root": str(host.root)}
    assert run_module(check=True, **options)["changed"]
    first = run_module(**options)
    name = f"2.38.2-{sha256[:12]}"
    assert (first["changed"], first["release"], first["previous"]) == (True, name, None)
    assert first["diff"] == {"before": "", "after": f"unpacked release: {name}\n"}
    assert not (host.root / "current").exists()
    assert not run_module(check=True, **options)["changed"]
    assert not run_module(**options)["changed"]


def test_the_module_asks_for_an_archive_that_the_controller_has(host: Host, run_module: RunModule) -> None:
    """Only where its release is not there."""
    path, sha256 = host.archive(layout())
    options = {"src": URL, "archive": "/nowhere/x.tar.gz", "sha256": sha256, "root": str(host.root)}
    assert run_module(check=True, **options)["changed"]
    asked = run_module(**options)
    assert (asked["absent"], asked["changed"], host.root.exists()) == (True, False, False)
    assert run_module(**{**options, "src": str(path), "archive": ""})["changed"]
    assert "absent" not in run_module(**options)


URL = "https://example.org/webmail.tar.gz"
ELSEWHERE = "Otherwise download the archive elsewhere and name the file (snappymail_archive_file)."


class Broken(io.BytesIO):
    def read(self, *__: object) -> bytes:
        raise TimeoutError("The read operation timed out")


@pytest.mark.parametrize(
    ("response", "info", "problem"),
    [
        (
            None,
            {"status": 404, "msg": "HTTP Error 404: Not Found"},
            f"the archive cannot be downloaded: HTTP Error 404: Not Found. Is the URL right? {ELSEWHERE}",
        ),
        (
            io.BytesIO(b"half"),
            {"status": 200, "content-length": "8"},
            f"the download ended after 4 of 8 bytes. Run this again. {ELSEWHERE}",
        ),
        (
            Broken(),
            {"status": 200},
            f"the download broke off: The read operation timed out. Run this again. {ELSEWHERE}",
        ),
        (
            io.BytesIO(b"another"),
            {"status": 200, "content-length": "7"},
            f"the archive's sha256 is {hashlib.sha256(b'another').hexdigest()}, but {'0' * 64} was asked for. "
            "Use the archive that belongs to the checksum, or the checksum that its publisher names.",
        ),
    ],
)
def test_the_module_says_why_a_download_failed(
    host: Host,
    run_module: RunModule,
    monkeypatch: pytest.MonkeyPatch,
    response: io.BytesIO | None,
    info: dict[str, object],
    problem: str,
) -> None:
    monkeypatch.setattr(webmail_release_module, "fetch_url", lambda *_args, **__: (response, info))
    result = run_module(src=URL, sha256="0" * 64, root=str(host.root), state="unpacked")
    assert (result["failed"], result["msg"]) == (True, f"src: {URL}: {problem}")
    assert not host.root.exists()


def test_the_module_downloads(host: Host, run_module: RunModule, monkeypatch: pytest.MonkeyPatch) -> None:
    path, sha256 = host.archive(layout())
    info = {"status": 200, "content-length": str(path.stat().st_size)}
    monkeypatch.setattr(webmail_release_module, "fetch_url", lambda *_args, **__: (path.open("rb"), info))
    assert run_module(src=URL, sha256=sha256, root=str(host.root))["release"] == f"2.38.2-{sha256[:12]}"


def test_the_module_says_that_the_disk_is_full(
    host: Host, run_module: RunModule, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    path, sha256 = host.archive(layout())
    monkeypatch.setattr(shutil, "copyfileobj", full)
    result = run_module(src=str(path), sha256=sha256, root=str(host.root))
    assert result["msg"] == (
        f"src: {path}: cannot be put in place below {host.root}: [Errno 28] No space left on device. "
        "The release before it goes on running. Mend that and run this again."
    )
    assert not host.root.exists()


def test_the_module_says_why_a_release_does_not_start(host: Host, run_module: RunModule) -> None:
    path, sha256 = host.archive(layout())
    argv = ["sh", "-c", "echo extension missing; exit 46"]
    result = run_module(src=str(path), sha256=sha256, root=str(host.root), prepare=argv)
    assert result["failed"]
    assert result["msg"] == (
        f"src: {path}: the release 2.38.2-{sha256[:12]} does not start (exit 46) and says: extension missing\n"
        "The release before it goes on running. Mend what it says, or name another archive."
    )
