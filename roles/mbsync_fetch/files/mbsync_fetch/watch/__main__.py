# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Wait for new mail at a provider by IMAP IDLE (RFC 2177): mbsync-fetch-watch@NAME.service.

News is told by creating /run/mbsync-fetch/NAME/news; mbsync-fetch@NAME.path then starts the fetch, which removes the
file. INBOX is opened by EXAMINE, so that waiting changes nothing, not even what is recent.

A process of its own, for it stays: it imports what a verified connection needs, and nothing of the other packages. It
keeps about 7 MiB to itself beside the libraries that it shares. Debian's imapfilter takes 2 MiB, but it opens a mailbox
that it waits for by SELECT alone, which changes what is recent, and it connects and writes without a deadline.

Ends with 0 when it needs a newer credential, which systemd reads as it starts it again; with 69 (EX_UNAVAILABLE) where
the provider has no IDLE.
"""

from __future__ import annotations

import json
import os
import sys
import time

from mbsync_fetch.watch.connection import Connection, Lost, NoIdle, Refused

TYPE_CHECKING = False
if TYPE_CHECKING:  # this would take another megabyte
    from typing import Any

PAUSES = (1.0, 300.0)
"""Seconds before the first new connection and, doubled each time, at most."""
REFUSED_PAUSE = 15 * 60.0
"""Seconds before the next login after a refused one."""
TOKEN_AGE = 90.0
"""Seconds for which a token that was current when the process started can be trusted to be valid."""
LOOK = 5.0
"""Seconds between looks at what the last fetch says."""
NO_IDLE = 69


class OldToken(Exception):
    """There is a newer token by now."""


class Watch:
    """Waits for the mail of an account (its description, as a fetch reads it).

    status: what the last fetch says. news: the file that starts a fetch.
    """

    def __init__(self, account: dict[str, Any], secret: str, status: str, news: str) -> None:
        self._account = account
        self._secret = secret
        self._status = status
        self._news = news
        self._seen: tuple[int | None, ...] = ()
        self._said = ""
        self._expires = time.monotonic() + TOKEN_AGE if account["mechanism"] == "xoauth2" else float("inf")
        if not secret:  # before the account was authorized
            self._expires = 0.0

    def run(self) -> None:
        """Wait for mail until a newer credential is needed."""
        pause = PAUSES[0]
        while True:
            self._wait_for_fetch()
            begun = time.monotonic()
            try:
                self._connect()
            except OldToken:
                return
            except Refused:
                self._say(f"{self._account['host']} refuses the login")
                refused = time.time()
                self._announce()  # the fetch meets the same, and counts
                time.sleep(REFUSED_PAUSE)
                self._wait_for_fetch(refused)
                return
            except (OSError, Lost) as error:
                self._say(f"no connection to {self._account['host']}, trying again: {error}")
            if time.monotonic() > begun + PAUSES[1]:
                pause = PAUSES[0]
            time.sleep(pause * (0.75 + os.urandom(1)[0] / 512))
            pause = min(2 * pause, PAUSES[1])

    def _wait_for_fetch(self, since: float = 0) -> None:
        """Wait until a fetch has worked since then, and no login was refused after it."""
        while not self._works(since):
            time.sleep(LOOK)

    def _works(self, since: float) -> bool:
        try:
            last = json.loads(_read(self._status))
            # Without a network, fetches wait longer and longer: the connection may be back before.
            works = last["state"] == "ok" or (last["state"] == "retrying" and last["refusals"] == 0)
            return bool(works and last["last_success"] > since)
        except (OSError, ValueError, LookupError, TypeError):
            return False

    def _connect(self) -> None:
        """Announce what comes, for as long as there is a connection."""
        account = self._account
        with Connection(account["host"], account["port"], account["ca_file"]) as connection:
            # Only now: while there is no connection, pauses go on growing.
            if time.monotonic() > self._expires:
                raise OldToken
            connection.log_in(account["username"], account["mechanism"], self._secret)
            connection.examine()
            self._say(f"waiting for new mail at {account['host']}")
            # Mail may have come while there was no connection.
            seen = connection.extent(self._account["mirror"])
            if seen != self._seen:
                self._announce()
            self._seen = seen
            while True:
                connection.idle(lambda: self._look(connection))

    def _look(self, connection: Connection) -> None:
        if connection.came or (connection.went and self._account["mirror"]):
            self._announce()
        connection.came = connection.went = False

    def _announce(self) -> None:
        os.close(os.open(self._news, os.O_CREAT | os.O_WRONLY, 0o600))

    def _say(self, text: str) -> None:
        """Write a line to the journal, once."""
        if text != self._said:
            print(text, file=sys.stderr, flush=True)
        self._said = text


def _read(path: str) -> str:
    with open(path, encoding="utf-8") as file:  # noqa: PTH123 pathlib takes half a megabyte
        return file.read()


def main(name: str) -> int:
    """Wait for the mail of an account; return the exit status."""
    account = json.loads(_read(f"/etc/mbsync-fetch/accounts/{name}.json"))
    kind = "token" if account["mechanism"] == "xoauth2" else "password"
    secret = _read(f"{os.environ['CREDENTIALS_DIRECTORY']}/{kind}").strip("\r\n")
    watch = Watch(
        account, secret, f"/var/lib/mbsync-fetch/{name}/status.json", f"/run/mbsync-fetch/{name}/news"
    )
    try:
        watch.run()
    except NoIdle:
        print(f"{account['host']} has no IDLE: mail is fetched by the timer alone", file=sys.stderr)
        return NO_IDLE
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
