# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The program that keeps access tokens valid, against a token endpoint of its own."""

from __future__ import annotations

import errno
import json
import os
import resource
import signal
import socket
import ssl
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.ilnmors.mail.plugins.module_utils._host import oauth2_grant
from ansible_collections.ilnmors.mail.tests.unit.fakes.authority import ADDRESS, Authority
from ansible_collections.ilnmors.mail.tests.unit.fakes.https_forms import serve_forms
from ansible_collections.ilnmors.mail.tests.unit.fakes.mail_servers import unused_port
from ansible_collections.ilnmors.mail.tests.unit.programs.oauth2_programs import mail_oauth2

NOW = 1_800_000_000.0


class Endpoint:
    """A token endpoint: what it was asked, and what it answers."""

    def __init__(self) -> None:
        self.asked: list[dict[str, str]] = []
        self.code = 200
        self.answer: Any = {"access_token": "first", "token_type": "Bearer", "expires_in": 3600}
        self.port = 0

    @property
    def url(self) -> str:
        return f"https://{ADDRESS}:{self.port}/token"

    def refuse(self, error: str, text: str, code: int = 400) -> None:
        self.code, self.answer = code, {"error": error, "error_description": text}


@pytest.fixture
def endpoint(good: ssl.SSLContext) -> Iterator[Endpoint]:
    here = Endpoint()

    def answer(__: str, form: dict[str, str]) -> tuple[int, Any]:
        here.asked.append(form)
        return here.code, here.answer

    with serve_forms(good, answer) as here.port:
        yield here


@pytest.fixture
def account(endpoint: Endpoint, authority: Authority) -> Any:
    return mail_oauth2.Account(
        name="outlook",
        token_url=endpoint.url,
        scope="smtp offline_access",
        client_id="a-client",
        client_secret="",
        refresh_token="from-the-inventory",
        ca_file=str(authority.file),
    )


def changed(account: Any, **fields: str) -> Any:
    return mail_oauth2.replace(account, **fields)


def attempt(account: Any, directory: Path, now: float) -> Any:
    """Make an attempt as a program that has just been started."""
    return mail_oauth2.Keeper(account, directory).attempt(now)


def token(directory: Path) -> str:
    return (directory / "access_token").read_text()


# --- a new token


def test_a_refresh_token_becomes_an_access_token(endpoint: Endpoint, account: Any, tmp_path: Path) -> None:
    status = attempt(account, tmp_path, NOW)
    assert endpoint.asked == [
        {
            "grant_type": "refresh_token",
            "refresh_token": "from-the-inventory",
            "client_id": "a-client",
            "scope": "smtp offline_access",
        }
    ]
    assert token(tmp_path) == "first"
    assert status == mail_oauth2.Status(last_success=NOW, expires=NOW + 3600, next_attempt=NOW + 3300)
    assert mail_oauth2.describe(status, NOW) == "the access token is valid until 2027-01-15 09:00:00 UTC"


def test_a_client_with_a_secret_sends_it(endpoint: Endpoint, account: Any, tmp_path: Path) -> None:
    attempt(changed(account, client_secret="a-secret", scope=""), tmp_path, NOW)
    assert endpoint.asked[0]["client_secret"] == "a-secret"
    assert "scope" not in endpoint.asked[0]


def test_what_is_kept_is_for_its_owner_alone(account: Any, tmp_path: Path) -> None:
    attempt(account, tmp_path, NOW)
    found = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    assert found == {"access_token": 0o600, "grant.json": 0o600, "status.json": 0o600}
    assert "first" not in (tmp_path / "status.json").read_text()


def test_a_valid_token_is_kept(endpoint: Endpoint, account: Any, tmp_path: Path) -> None:
    first = attempt(account, tmp_path, NOW)
    assert attempt(account, tmp_path, NOW + 3299) == first
    assert len(endpoint.asked) == 1
    attempt(account, tmp_path, NOW + 3300)
    assert len(endpoint.asked) == 2


@pytest.mark.parametrize(
    ("expires_in", "lifetime", "early"),
    [(3600, 3600, 300), (15, 15, 5), ("3599", 3599, 300), (None, 600, 200), ("soon", 600, 200)],
    ids=["an-hour", "seconds", "as-text", "not-said", "nonsense"],
)
def test_it_is_replaced_before_its_end(
    endpoint: Endpoint, account: Any, tmp_path: Path, expires_in: object, lifetime: float, early: float
) -> None:
    endpoint.answer |= {"expires_in": expires_in}
    status = attempt(account, tmp_path, NOW)
    assert (status.expires, status.next_attempt) == (NOW + lifetime, NOW + lifetime - early)


def test_other_settings_need_another_token(endpoint: Endpoint, account: Any, tmp_path: Path) -> None:
    attempt(account, tmp_path, NOW)
    attempt(changed(account, scope="imap"), tmp_path, NOW)
    assert [asked["scope"] for asked in endpoint.asked] == ["smtp offline_access", "imap"]


def test_a_token_of_other_settings_is_none(endpoint: Endpoint, account: Any, tmp_path: Path) -> None:
    attempt(account, tmp_path, NOW)
    endpoint.refuse("invalid_scope", "")
    status = attempt(changed(account, scope="imap"), tmp_path, NOW + 1)
    assert mail_oauth2.describe(status, NOW + 1).startswith(
        "no valid access token, mail through this account waits"
    )


# --- refresh tokens that change


def test_a_rotated_refresh_token_is_used_next(endpoint: Endpoint, account: Any, tmp_path: Path) -> None:
    endpoint.answer |= {"refresh_token": "rotated"}
    attempt(account, tmp_path, NOW)
    del endpoint.answer["refresh_token"]
    attempt(account, tmp_path, NOW + 3600)
    # One that the provider does not replace stays.
    attempt(account, tmp_path, NOW + 7200)
    assert [asked["refresh_token"] for asked in endpoint.asked] == [
        "from-the-inventory",
        "rotated",
        "rotated",
    ]


def test_a_new_one_in_the_inventory_wins(endpoint: Endpoint, account: Any, tmp_path: Path) -> None:
    endpoint.answer |= {"refresh_token": "rotated"}
    attempt(account, tmp_path, NOW)
    attempt(changed(account, refresh_token="authorized-again"), tmp_path, NOW + 1)
    assert endpoint.asked[1]["refresh_token"] == "authorized-again"


def test_one_that_leaves_the_inventory_is_kept(endpoint: Endpoint, account: Any, tmp_path: Path) -> None:
    endpoint.answer |= {"refresh_token": "rotated"}
    attempt(account, tmp_path, NOW)
    attempt(changed(account, refresh_token=""), tmp_path, NOW + 1)
    assert endpoint.asked[1]["refresh_token"] == "rotated"


@pytest.mark.parametrize("inventory", ["", "from-the-inventory"])
def test_what_a_person_consented_to_is_used_at_once(
    endpoint: Endpoint, account: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, inventory: str
) -> None:
    account = changed(account, refresh_token=inventory)
    state = tmp_path / "outlook"
    state.mkdir()
    attempt(account, state, NOW)
    (tmp_path / "outlook.json").write_text(json.dumps({"refresh_token": inventory}))
    monkeypatch.setattr(oauth2_grant, "systemctl", lambda *__: "")
    oauth2_grant.keep_grant(tmp_path, tmp_path, "outlook", "consented")
    assert attempt(account, state, NOW + 1).error == ""
    assert endpoint.asked[-1]["refresh_token"] == "consented"
    assert token(state) == "first"


def test_an_account_waits_for_its_first_one(endpoint: Endpoint, account: Any, tmp_path: Path) -> None:
    status = attempt(changed(account, refresh_token=""), tmp_path, NOW)
    assert mail_oauth2.describe(status, NOW) == (
        "no valid access token, mail through this account waits: outlook is not authorized yet; run: ansible-playbook"
        " ilnmors.mail.authorize -e account=outlook"
    )
    assert (status.refused, status.next_attempt) == (True, NOW + 3600)
    assert endpoint.asked == []


def test_damaged_state_is_begun_anew(endpoint: Endpoint, account: Any, tmp_path: Path) -> None:
    for name in ("grant.json", "status.json", "access_token", ".access_token.new"):
        (tmp_path / name).write_text("{")
    attempt(account, tmp_path, NOW)
    assert endpoint.asked[0]["refresh_token"] == "from-the-inventory"
    assert token(tmp_path) == "first"


# --- failures

AGAIN = (
    "the refresh token has expired or was revoked; authorize the account again: ansible-playbook"
    " ilnmors.mail.authorize -e account=outlook"
)


@pytest.mark.parametrize(
    ("code", "answer", "message", "delay"),
    [
        (
            400,
            {"error": "invalid_grant", "error_description": "AADSTS70000: from-the-inventory\r\nis revoked"},
            f"{ADDRESS} says '400 invalid_grant AADSTS70000: (secret) is revoked': {AGAIN}",
            3600,
        ),
        (
            401,
            {"error": "invalid_client"},
            f"{ADDRESS} says '401 invalid_client': correct oauth2.client_id or oauth2.client_secret of outlook in"
            " mail_providers",
            3600,
        ),
        (503, b"<html>busy</html>", f"{ADDRESS} says '503'", 5),
        (429, {"error": "slow_down"}, f"{ADDRESS} says '429 slow_down'", 5),
        (200, b"<html>", f"{ADDRESS} answers without an access token; look at oauth2.token_url", 5),
        (
            200,
            {"access_token": "two\nlines"},
            f"{ADDRESS} answers without an access token; look at oauth2.token_url",
            5,
        ),
        (200, b"[]", f"{ADDRESS} answers without an access token; look at oauth2.token_url", 5),
    ],
    ids=["revoked", "unknown-client", "busy", "too-fast", "no-json", "two-lines", "no-object"],
)
def test_failures_are_told_in_plain_words(
    endpoint: Endpoint, account: Any, tmp_path: Path, code: int, answer: object, message: str, delay: float
) -> None:
    endpoint.code, endpoint.answer = code, answer
    status = attempt(account, tmp_path, NOW)
    assert status.error == message
    assert status.refused is (delay == 3600)
    assert status.next_attempt == NOW + delay
    assert (
        mail_oauth2.describe(status, NOW)
        == f"no valid access token, mail through this account waits: {message}"
    )
    assert json.loads((tmp_path / "status.json").read_text())["error"] == message
    assert not (tmp_path / "access_token").exists()


def test_an_endpoint_that_is_down_is_tried_again_ever_later(account: Any, tmp_path: Path) -> None:
    down = changed(account, token_url=f"https://{ADDRESS}:{unused_port()}/token")
    delays = []
    for __ in range(10):
        status = attempt(down, tmp_path, NOW)
        delays.append(status.next_attempt - NOW)
    assert delays == [5, 10, 20, 40, 80, 160, 320, 640, 900, 900]
    assert status.error == f"{ADDRESS} cannot be reached: [Errno 111] Connection refused"


def test_an_endpoint_is_verified(endpoint: Endpoint, account: Any, tmp_path: Path) -> None:
    other = Authority(tmp_path, "other")
    status = attempt(changed(account, ca_file=str(other.file)), tmp_path, NOW)
    assert "certificate verify failed" in status.error
    assert endpoint.asked == []


def test_the_last_token_is_kept_through_a_failure(endpoint: Endpoint, account: Any, tmp_path: Path) -> None:
    attempt(account, tmp_path, NOW)
    endpoint.refuse("temporarily_unavailable", "", code=503)
    status = attempt(account, tmp_path, NOW + 3300)
    assert token(tmp_path) == "first"
    assert mail_oauth2.describe(status, NOW + 3300) == (
        "no new access token, the last one is valid until 2027-01-15 09:00:00 UTC:"
        f" {ADDRESS} says '503 temporarily_unavailable'"
    )
    endpoint.code, endpoint.answer = 200, {"access_token": "second", "expires_in": 3600}
    # A start by hand tries at once, whatever the delay.
    status = attempt(account, tmp_path, NOW + 3301)
    assert (token(tmp_path), status.error, status.failures) == ("second", "", 0)


# --- disks that take nothing


class Disk:
    """Stand for a full disk: which files it does not take, by their names."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.refuses: tuple[str, ...] = ()
        self.real = os.open
        monkeypatch.setattr(os, "open", self.open)

    def open(self, path: Any, flags: int, *more: Any) -> int:
        if flags & os.O_CREAT and Path(path).name.strip(".").removesuffix(".new") in self.refuses:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return self.real(path, flags, *more)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    return Disk(monkeypatch)


def no_room(directory: Path) -> str:
    return f"{directory} cannot be written to: No space left on device; make room on this host's disk"


@pytest.mark.parametrize("name", ["grant.json", "access_token", "status.json"])
def test_nothing_is_exchanged_before_there_is_room(
    endpoint: Endpoint, account: Any, tmp_path: Path, disk: Disk, name: str
) -> None:
    keeper = mail_oauth2.Keeper(account, tmp_path)
    disk.refuses = (name,)
    delays = [keeper.attempt(NOW).next_attempt - NOW for __ in range(6)]
    assert delays == [5, 10, 20, 40, 60, 60]
    assert keeper.status.error == no_room(tmp_path)
    assert endpoint.asked == []
    assert [path.name for path in tmp_path.iterdir() if path.name != "status.json"] == []
    disk.refuses = ()
    assert keeper.attempt(NOW).error == ""
    assert token(tmp_path) == "first"


def test_a_real_limit_of_a_files_size_is_no_room_either(
    endpoint: Endpoint, account: Any, tmp_path: Path
) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (mail_oauth2.ROOM // 2, before[1]))
    try:
        status = attempt(account, tmp_path, NOW)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert "cannot be written to: File too large" in status.error
    assert endpoint.asked == []


@pytest.mark.parametrize("name", ["grant.json", "access_token"])
def test_what_the_disk_does_not_take_is_written_later(
    endpoint: Endpoint,
    account: Any,
    tmp_path: Path,
    disk: Disk,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
) -> None:
    """The room that was made is gone when the answer comes, as on a disk that copies on writing."""
    keeper = mail_oauth2.Keeper(account, tmp_path)
    keeper.attempt(NOW)
    endpoint.answer |= {"access_token": "second", "refresh_token": "rotated"}
    real = mail_oauth2.request_token

    def request_token(*arguments: Any) -> Any:
        disk.refuses = (name,)
        return real(*arguments)

    monkeypatch.setattr(mail_oauth2, "request_token", request_token)
    status = keeper.attempt(NOW + 3300)
    assert (status.error, status.next_attempt) == (no_room(tmp_path), NOW + 3305)
    # The token that is on the disk has its own end.
    assert "the last one is valid until 2027-01-15 09:00:00" in mail_oauth2.describe(status, NOW + 3301)
    assert token(tmp_path) == "first"
    keeper.attempt(NOW + 3305)
    assert len(endpoint.asked) == 2

    disk.refuses = ()
    status = keeper.attempt(NOW + 3310)
    assert (status.error, status.expires, token(tmp_path)) == ("", NOW + 6900, "second")
    assert len(endpoint.asked) == 2
    # Also a program that is started now goes on with what came for the first refresh token.
    attempt(account, tmp_path, NOW + 6900)
    assert endpoint.asked[-1]["refresh_token"] == "rotated"


def test_a_program_that_is_stopped_tries_a_last_time(
    endpoint: Endpoint, account: Any, tmp_path: Path, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    endpoint.answer |= {"refresh_token": "rotated"}
    (tmp_path / "state").mkdir()
    keeper = mail_oauth2.Keeper(account, tmp_path / "state")
    monkeypatch.setattr(mail_oauth2, "Keeper", lambda *__: keeper)
    real = mail_oauth2.request_token

    def request_token(*arguments: Any) -> Any:
        disk.refuses = ("grant.json",)
        # While the provider answers, nothing stops the program.
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGTERM)
        return real(*arguments)

    def notify(__: str) -> None:
        disk.refuses = ()

    monkeypatch.setattr(mail_oauth2, "request_token", request_token)
    monkeypatch.setattr(mail_oauth2, "notify", notify)
    run_as_unit(account, tmp_path, monkeypatch)
    assert json.loads((tmp_path / "state" / "grant.json").read_text())["refresh_token"] == "rotated"


# --- the unit


def run_as_unit(account: Any, directory: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Run the program as its unit does, until it ends; return the command that it leaves its place to, if any."""
    became: list[str] = []

    def execv(__: str, command: list[str]) -> None:
        became.extend(command)
        sys.exit()

    monkeypatch.setattr(os, "execv", execv)
    given = mail_oauth2.asdict(account)
    del given["name"]
    (directory / "account").write_text(json.dumps(given))
    (directory / "state").mkdir(exist_ok=True)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(directory))
    monkeypatch.setenv("STATE_DIRECTORY", str(directory / "state"))
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    monkeypatch.setattr(sys, "argv", ["mail-oauth2", "outlook"])
    handler = signal.getsignal(signal.SIGTERM)
    try:
        with pytest.raises(SystemExit):
            mail_oauth2.main()
    finally:
        signal.signal(signal.SIGTERM, handler)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    return became


def test_systemd_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as server:
        server.bind(str(tmp_path / "notify"))
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        mail_oauth2.notify("all is well")
        assert server.recv(100) == b"READY=1\nSTATUS=all is well"


def test_it_runs_as_its_unit_starts_it(
    account: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(mail_oauth2.SAID, "")
    became = run_as_unit(account, tmp_path, monkeypatch)
    state = tmp_path / "state"
    assert token(state) == "first"
    due = json.loads((state / "status.json").read_text())["next_attempt"]
    assert became[3:] == [str(mail_oauth2.ceil(due)), "mail-oauth2", "outlook"]
    # It comes again, and says no more than there is to say.
    run_as_unit(account, tmp_path, monkeypatch)
    said = capsys.readouterr().err
    assert said.startswith("<5>the access token is valid until ")
    assert said.count("\n") == 1


def test_a_short_wait_is_its_own(
    endpoint: Endpoint, account: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    endpoint.answer |= {"expires_in": 15}
    slept: list[float] = []

    def sleep_until(moment: float) -> None:
        slept.append(moment)
        if len(slept) > 1:
            sys.exit()

    monkeypatch.setattr(mail_oauth2, "sleep_until", sleep_until)
    monkeypatch.setenv(mail_oauth2.SAID, "")
    assert run_as_unit(account, tmp_path, monkeypatch) == []
    status = json.loads((tmp_path / "state" / "status.json").read_text())
    assert slept == 2 * [status["next_attempt"]]


@pytest.mark.parametrize("seconds", [-100, 0, 2])
def test_a_shell_waits_in_its_place(seconds: int) -> None:
    until = int(time.time()) + seconds
    done = subprocess.run(
        ["sh", "-c", mail_oauth2.WAIT, str(until), "printf", "%s ", "mail-oauth2", "of two"],
        capture_output=True,
        check=True,
        text=True,
    )
    assert done.stdout == "mail-oauth2 of two "
    assert time.time() >= until
