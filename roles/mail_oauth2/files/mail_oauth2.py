#!/usr/bin/python3 -I
# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Keep the access token of one account at a provider valid: mail-oauth2 NAME.

Run by mail-oauth2@NAME.service: it makes an attempt at the start and whenever one is due, and tells systemd and the
journal how it went. In between a shell waits in its place, which holds 1 MiB instead of 17, and becomes it again.

Reads $CREDENTIALS_DIRECTORY/account (JSON, the fields of Account). Keeps in $STATE_DIRECTORY, all readable by the
unit's user alone:
  access_token  the bare token, and nothing else
  status.json   the fields of Status; no secret
  grant.json    the fields of Grant: a refresh token that the provider gave in exchange for the last one, or for a
                person's consent (the module oauth2_authorization writes it then, while the unit is stopped)

A refresh token may be good for one exchange alone, and what comes back for it cannot be had again. So there is room for
it on the disk before the exchange, and if it cannot be written all the same it is kept in memory and written later.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import signal
import socket
import ssl
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from math import ceil
from pathlib import Path
from typing import Any

TIMEOUT = 30
"""Seconds to wait for the provider."""
UNKNOWN_LIFETIME = 600
"""Seconds that a token is taken to be valid for where the provider does not say (RFC 6749 section 5.1)."""
EARLY = 300
"""Seconds before its end that a token is replaced, or a third of its lifetime where that is less."""
FIRST_DELAY, LAST_DELAY = 5, 900
"""Seconds to the next attempt after a first failure, doubled with each, up to the last."""
REFUSED_DELAY = 3600
"""Seconds to the next attempt where a person has to do something first."""
LAST_DISK_DELAY = 60
"""The last delay where it is this host's disk that takes nothing."""
SHORT = 60
"""Seconds of a wait that is not worth another start."""
WAIT = (
    'while left=$(($0 - $(date +%s))); [ $left -gt 0 ]; do sleep $((left < 60 ? left : 60)); done; exec "$@"'
)
"""Waits as sleep_until() does, until $0, and becomes the program again."""
SAID = "MAIL_OAUTH2_SAID"
"""The variable of the environment that has what was last said."""
ROOM = 16384
"""Bytes that each file has on the disk before an exchange: more than providers' tokens have."""
GRANT, TOKEN, STATUS = FILES = ("grant.json", "access_token", "status.json")
"""In the order in which they are written: first what cannot be had again."""

# RFC 6749 section 5.2: what no later attempt mends.
REFUSALS = {
    "invalid_grant": (
        "the refresh token has expired or was revoked; authorize the account again:"
        " ansible-playbook ilnmors.mail.authorize -e account={name}"
    ),
    "invalid_client": "correct oauth2.client_id or oauth2.client_secret of {name} in mail_providers",
    "unauthorized_client": "correct oauth2.client_id of {name} in mail_providers",
    "invalid_scope": "correct oauth2.scope of {name} in mail_providers",
    "invalid_request": "correct oauth2 of {name} in mail_providers",
    "unsupported_grant_type": "correct oauth2.token_url of {name} in mail_providers",
}

NOT_AUTHORIZED = (
    "{name} is not authorized yet; run: ansible-playbook ilnmors.mail.authorize -e account={name}"
)


class TokenError(Exception):
    """Why there is no new token; the message has no secret.

    refused: whether a person has to do something first. longest: the last delay between attempts, in seconds.
    """

    def __init__(self, message: str, *, refused: bool = False, longest: float = LAST_DELAY) -> None:
        super().__init__(message)
        self.refused = refused
        self.longest = longest


@dataclass(frozen=True)
class Account:
    """The settings of an account.

    client_secret is empty for a public client, refresh_token if the inventory has none; ca_file is PEM.
    """

    name: str
    token_url: str
    scope: str
    client_id: str
    client_secret: str = field(repr=False)
    refresh_token: str = field(repr=False)
    ca_file: str

    @property
    def digest(self) -> str:
        """What tells this account from one of other settings."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()

    @property
    def host(self) -> str:
        """The host that gives the tokens."""
        return urllib.parse.urlsplit(self.token_url).hostname or self.token_url


@dataclass(frozen=True)
class Grant:
    """What the provider last gave. given: digest of the refresh token of the inventory that it began with."""

    account: str = ""
    given: str = ""
    refresh_token: str = field(default="", repr=False)


@dataclass(frozen=True)
class Status:
    """How it goes, for whoever asks. Times are seconds since 1970; error is empty where all is well.

    failures: attempts in a row without a token. refused: whether they will fail until a person does something.
    """

    last_success: float = 0
    expires: float = 0
    next_attempt: float = 0
    error: str = ""
    failures: int = 0
    refused: bool = False


@dataclass(frozen=True)
class Answer:
    """What the provider gives for a refresh token (RFC 6749 section 5.1). refresh_token is empty if it stays."""

    access_token: str = field(repr=False)
    lifetime: float
    refresh_token: str = field(repr=False)


# --- the provider


def request_token(account: Account, refresh_token: str) -> Answer:
    """Exchange a refresh token for an access token (RFC 6749 section 6), or raise TokenError."""
    form = {"grant_type": "refresh_token", "refresh_token": refresh_token, "client_id": account.client_id}
    form |= {"client_secret": account.client_secret} if account.client_secret else {}
    form |= {"scope": account.scope} if account.scope else {}
    # house.py lets no other scheme than https through.
    request = urllib.request.Request(  # noqa: S310
        account.token_url,
        data=urllib.parse.urlencode(form).encode(),
        headers={"Accept": "application/json", "User-Agent": "mail-oauth2"},
    )
    try:
        context = ssl.create_default_context(cafile=account.ca_file)
        with urllib.request.urlopen(request, timeout=TIMEOUT, context=context) as response:  # noqa: S310
            return read_answer(account, response.read())
    except urllib.error.HTTPError as error:
        raise read_refusal(account, refresh_token, error.code, error.read()) from None
    except OSError as error:
        reason = getattr(error, "reason", error)
        raise TokenError(f"{account.host} cannot be reached: {reason}") from None


def read_answer(account: Account, body: bytes) -> Answer:
    """Read a token response. The token must fit into one line, as bearer tokens do (RFC 6750 section 2.1)."""
    found = read_object(body)
    token = found.get("access_token")
    if not isinstance(token, str) or not re.fullmatch(r"[\x21-\x7e]+", token):
        raise TokenError(f"{account.host} answers without an access token; look at oauth2.token_url")
    try:
        lifetime = float(found.get("expires_in") or UNKNOWN_LIFETIME)
    except (TypeError, ValueError):
        lifetime = UNKNOWN_LIFETIME
    return Answer(token, lifetime, str(found.get("refresh_token") or ""))


def read_refusal(account: Account, refresh_token: str, code: int, body: bytes) -> TokenError:
    """Say in plain words what an error response means (RFC 6749 section 5.2)."""
    found = read_object(body)
    error, text = str(found.get("error") or ""), str(found.get("error_description") or "")
    for secret in filter(None, (refresh_token, account.refresh_token, account.client_secret)):
        text = text.replace(secret, "(secret)")
    said = " ".join(f"{code} {error} {text}".split())[:300]
    remedy = REFUSALS.get(error, "").format(name=account.name)
    return TokenError(
        f"{account.host} says '{said}'" + (f": {remedy}" if remedy else ""), refused=bool(remedy)
    )


def read_object(body: bytes) -> dict[str, Any]:
    """Read a JSON object; anything else is an empty one."""
    try:
        found = json.loads(body)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


# --- what is kept


def beside(path: Path) -> Path:
    """Return where a file is written until it is complete."""
    return path.with_name(f".{path.name}.new")


@contextmanager
def room(directory: Path) -> Iterator[None]:
    """Have room on the disk for each file within the block, or raise TokenError."""
    new = [beside(directory / name) for name in FILES]
    try:
        for path in new:
            fill(path, bytes(ROOM))
        yield
    except OSError as error:
        raise TokenError(no_room(directory, error), longest=LAST_DISK_DELAY) from None
    finally:
        for path in new:
            path.unlink(missing_ok=True)


def no_room(directory: Path, error: OSError) -> str:
    """Say that a disk takes nothing."""
    return f"{directory} cannot be written to: {error.strerror}; make room on this host's disk"


def fill(path: Path, content: bytes) -> None:
    """Write over a file, in the room that it has, and wait for the disk. It is readable by its owner alone."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        os.fchmod(descriptor, 0o600)
        file.write(content)
        file.truncate()
        file.flush()
        os.fsync(descriptor)


def write_file(path: Path, text: str) -> None:
    """Replace a file as a whole."""
    fill(beside(path), text.encode())
    beside(path).rename(path)
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def read_file(path: Path) -> dict[str, Any]:
    """Read a file of JSON; one that is missing or damaged is empty."""
    try:
        return read_object(path.read_bytes())
    except FileNotFoundError:
        return {}


def current_refresh_token(account: Account, grant: Grant) -> str:
    """Return what the provider last gave, or what the inventory says if that is new; it may be empty."""
    keeps = not account.refresh_token or grant.given == fingerprint(account.refresh_token)
    return grant.refresh_token if keeps else account.refresh_token


def fingerprint(secret: str) -> str:
    """Return what tells one secret from another."""
    return hashlib.sha256(secret.encode()).hexdigest()


# --- one attempt


class Keeper:
    """Keeps the token of an account: on the disk, and in memory what the disk has not taken yet."""

    def __init__(self, account: Account, directory: Path) -> None:
        self.account, self.directory = account, directory
        self.grant = Grant(**read_file(directory / GRANT))
        self.status = Status(**read_file(directory / STATUS))
        self.has_token = (directory / TOKEN).exists()
        self.unsaved: dict[str, str] = {}  # the texts of files
        self.saved = self.status  # the status as it is once they are written

    def attempt(self, now: float) -> Status:
        """Write what is not written yet, get a new token if one is due, and return how it went."""
        known = self.grant.account == self.account.digest and self.has_token
        if self.unsaved:
            self.save(now)
        elif not known:
            self.status = replace(self.status, expires=0)
            self.renew(now)
        # After a failure, a start by hand tries at once.
        elif self.status.error or now >= self.status.next_attempt:
            self.renew(now)
        return self.status

    def renew(self, now: float) -> None:
        """Exchange the refresh token, and keep what comes back."""
        given = self.account.refresh_token
        refresh_token = current_refresh_token(self.account, self.grant)
        try:
            if not refresh_token:
                raise TokenError(NOT_AUTHORIZED.format(name=self.account.name), refused=True)
            with room(self.directory):
                answer = request_token(self.account, refresh_token)
                self.saved = after_success(answer, now)
                self.grant = Grant(
                    self.account.digest, fingerprint(given), answer.refresh_token or refresh_token
                )
                self.unsaved = {GRANT: json.dumps(asdict(self.grant)), TOKEN: answer.access_token}
                self.save(now)
        except TokenError as error:
            self.saved = self.status = after_failure(self.status, error, now)
            self.save(now)

    def save(self, now: float) -> None:
        """Write what is not written yet, and the status."""
        try:
            for name, text in tuple(self.unsaved.items()):
                write_file(self.directory / name, text)
                self.has_token |= name == TOKEN
                del self.unsaved[name]
        except OSError as error:
            failure = TokenError(no_room(self.directory, error), longest=LAST_DISK_DELAY)
            self.status = after_failure(self.status, failure, now)
        else:
            self.status = self.saved
        # It is told to systemd and the journal as well.
        with suppress(OSError):
            write_file(self.directory / STATUS, json.dumps(asdict(self.status)))


def after_success(answer: Answer, now: float) -> Status:
    """Return the status with a new token."""
    early = min(EARLY, answer.lifetime / 3)
    return Status(last_success=now, expires=now + answer.lifetime, next_attempt=now + answer.lifetime - early)


def after_failure(before: Status, error: TokenError, now: float) -> Status:
    """Return the status after one more failure."""
    delay = (
        REFUSED_DELAY if error.refused else min(FIRST_DELAY * 2 ** min(before.failures, 10), error.longest)
    )
    return replace(
        before,
        error=str(error),
        failures=before.failures + 1,
        refused=error.refused,
        next_attempt=now + delay,
    )


# --- the unit


def describe(status: Status, now: float) -> str:
    """Say in one line how it goes."""
    until = datetime.fromtimestamp(status.expires, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    if not status.error:
        return f"the access token is valid until {until}"
    if status.expires > now:
        return f"no new access token, the last one is valid until {until}: {status.error}"
    return f"no valid access token, mail through this account waits: {status.error}"


def notify(text: str) -> None:
    """Tell systemd that the first attempt was made, and how the last went (sd_notify(3))."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if address:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as client:
            client.connect(address.replace("@", "\0", 1) if address.startswith("@") else address)
            client.send(f"READY=1\nSTATUS={text}".encode())


def sleep_until(moment: float) -> None:
    """Sleep by the wall clock, which also goes on while the machine is suspended."""
    while (left := moment - time.time()) > 0:
        time.sleep(min(left, 60))


@contextmanager
def stoppable() -> Iterator[None]:
    """Let the program be stopped within the block alone: not between an exchange and what is kept of it."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})


def run(keeper: Keeper) -> float:
    """Make an attempt whenever one is due, and say how it went; return when the next one is, if it is some time off."""
    said = os.environ.get(SAID, "")
    while True:
        now = time.time()
        status = keeper.attempt(now)
        text = describe(status, now)
        if text != said:
            # The priority of the line in the journal (sd-daemon(3)): an error, or a notice.
            print(f"<{3 if status.error else 5}>{text}", file=sys.stderr, flush=True)
        said = os.environ[SAID] = text
        notify(text)
        # What the disk has not taken is nowhere but here.
        if not keeper.unsaved and status.next_attempt - now > SHORT:
            return status.next_attempt
        with stoppable():
            sleep_until(status.next_attempt)


def main() -> None:
    """Keep the token of the account that is named, until the unit is stopped."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    signal.signal(signal.SIGTERM, lambda *__: sys.exit())
    given = read_file(Path(os.environ["CREDENTIALS_DIRECTORY"]) / "account")
    keeper = Keeper(Account(name=sys.argv[1], **given), Path(os.environ["STATE_DIRECTORY"]))
    try:
        until = run(keeper)
    finally:
        # A last time; it is lost otherwise.
        if keeper.unsaved:
            keeper.save(time.time())
    # A program keeps the mask of the one in whose place it comes.
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    os.execv("/bin/sh", ["sh", "-c", WAIT, str(ceil(until)), *sys.argv])  # noqa: S606


if __name__ == "__main__":
    main()
