#!/usr/bin/python3 -I
# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Keep the access token of one account at a provider valid: mail-oauth2 NAME.

Run by mail-oauth2@NAME.service: it makes an attempt at the start and whenever one is due, and tells systemd and the
journal how it went.

Reads $CREDENTIALS_DIRECTORY/account (JSON, the fields of Account). Keeps in $STATE_DIRECTORY, all readable by the
unit's user alone:
  access_token  the bare token, and nothing else
  status.json   the fields of Status; no secret
  grant.json    the fields of Grant: a refresh token that the provider gave in exchange for the last one
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import socket
import ssl
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
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

# RFC 6749 section 5.2: what no later attempt mends.
REFUSALS = {
    "invalid_grant": (
        "the refresh token has expired or was revoked; authorize the account again"
        " and write the new token as oauth2.refresh_token of {name} in mail_providers"
    ),
    "invalid_client": "correct oauth2.client_id or oauth2.client_secret of {name} in mail_providers",
    "unauthorized_client": "correct oauth2.client_id of {name} in mail_providers",
    "invalid_scope": "correct oauth2.scope of {name} in mail_providers",
    "invalid_request": "correct oauth2 of {name} in mail_providers",
    "unsupported_grant_type": "correct oauth2.token_url of {name} in mail_providers",
}


class TokenError(Exception):
    """Why there is no new token; the message has no secret. refused: whether a person has to do something first."""

    def __init__(self, message: str, *, refused: bool = False) -> None:
        super().__init__(message)
        self.refused = refused


@dataclass(frozen=True)
class Account:
    """What is said of an account. client_secret is empty for a public client; ca_file is PEM."""

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


def write_file(path: Path, text: str) -> None:
    """Replace a file as a whole, readable by its owner alone."""
    beside = path.with_name(f".{path.name}.new")
    beside.unlink(missing_ok=True)
    with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    beside.rename(path)


def read_file(path: Path) -> dict[str, Any]:
    """Read a file of JSON; one that is missing or damaged is empty."""
    try:
        return read_object(path.read_bytes())
    except FileNotFoundError:
        return {}


def current_refresh_token(account: Account, grant: Grant) -> str:
    """Return what the provider last gave, or what the inventory says if that is new."""
    return grant.refresh_token if grant.given == fingerprint(account.refresh_token) else account.refresh_token


def fingerprint(secret: str) -> str:
    """Return what tells one secret from another."""
    return hashlib.sha256(secret.encode()).hexdigest()


# --- one attempt


def attempt(account: Account, directory: Path, now: float) -> Status:
    """Get a new token if one is due; keep and return how it went."""
    grant, status = (
        Grant(**read_file(directory / "grant.json")),
        Status(**read_file(directory / "status.json")),
    )
    known = grant.account == account.digest and (directory / "access_token").exists()
    # After a failure, a start by hand tries at once.
    if known and not status.error and now < status.next_attempt:
        return status
    if not known:
        status = replace(status, expires=0)
    try:
        refresh_token = current_refresh_token(account, grant)
        answer = request_token(account, refresh_token)
    except TokenError as error:
        status = after_failure(status, error, now)
    else:
        status = after_success(answer, now)
        # First what cannot be had again.
        grant = Grant(
            account.digest, fingerprint(account.refresh_token), answer.refresh_token or refresh_token
        )
        write_file(directory / "grant.json", json.dumps(asdict(grant)))
        write_file(directory / "access_token", answer.access_token)
    write_file(directory / "status.json", json.dumps(asdict(status)))
    return status


def after_success(answer: Answer, now: float) -> Status:
    """Return the status with a new token."""
    early = min(EARLY, answer.lifetime / 3)
    return Status(last_success=now, expires=now + answer.lifetime, next_attempt=now + answer.lifetime - early)


def after_failure(before: Status, error: TokenError, now: float) -> Status:
    """Return the status after one more failure."""
    delay = REFUSED_DELAY if error.refused else min(FIRST_DELAY * 2 ** min(before.failures, 10), LAST_DELAY)
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


def main() -> None:
    """Make an attempt whenever one is due, until the unit is stopped."""
    given = read_file(Path(os.environ["CREDENTIALS_DIRECTORY"]) / "account")
    account, directory = Account(name=sys.argv[1], **given), Path(os.environ["STATE_DIRECTORY"])
    while True:
        now = time.time()
        status = attempt(account, directory, now)
        text = describe(status, now)
        # The priority of the line in the journal (sd-daemon(3)): an error, or a notice.
        print(f"<{3 if status.error else 5}>{text}", file=sys.stderr, flush=True)
        notify(text)
        sleep_until(status.next_attempt)


if __name__ == "__main__":
    main()
