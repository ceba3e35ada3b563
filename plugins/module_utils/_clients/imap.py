# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A client of IMAP."""

from __future__ import annotations

import re

from ansible_collections.ilnmors.mail.plugins.module_utils._clients.client import NOBODY, PlainLogin
from ansible_collections.ilnmors.mail.plugins.module_utils._clients.connection import Deadline, Endpoint
from ansible_collections.ilnmors.mail.plugins.module_utils._clients.errors import (
    CommandRefused,
    NoAnswer,
    UnexpectedAnswer,
)


class Imap(PlainLogin):
    """IMAP4rev1 and rev2 (RFC 3501, RFC 9051)."""

    goodbye = "bye LOGOUT"

    def __init__(self, endpoint: Endpoint, deadline: Deadline) -> None:
        self.arrivals = 0  # how often the server has told of new messages
        self._commands = 0
        self._tag = ""
        super().__init__(endpoint, deadline)

    def send_command(self, text: str) -> None:
        """Send a command under a new tag."""
        self._commands += 1
        self._tag = f"c{self._commands}"
        self.send(f"{self._tag} {text}", f"its answer to {_command_name(text)}")

    def command(self, text: str) -> list[str]:
        """Send a command and return its untagged answers. Raises CommandRefused."""
        self.send_command(text)
        answers, status, reply = self.read_answers()
        if status != "OK":
            raise CommandRefused(_command_name(text), reply)
        return answers

    def read_answers(self) -> tuple[list[str], str, str]:
        """Read to the end of the command; return the untagged answers, the status (OK, NO, BAD), and its text."""
        answers = []
        while not (answer := self.read_answer()).startswith(f"{self._tag} "):
            answers.append(answer)
        status, __, reply = answer.removeprefix(f"{self._tag} ").partition(" ")
        return answers, status.upper(), reply

    def read_answer(self) -> str:
        """Return one answer; its literals (RFC 9051, 4.3) stand in it as they came."""
        answer = self.read_answer_within(self.deadline.remaining())
        if answer is None:
            raise NoAnswer(self.awaited, self.deadline.seconds)
        return answer

    def read_answer_within(self, seconds: float) -> str | None:
        """Return one answer, or None when none has begun by then."""
        answer = self.read_line_within(seconds)
        while answer and (literal := re.search(r"\{(\d+)\}$", answer)):
            answer = answer[: literal.start()] + self.read_bytes(int(literal[1])) + self.read_line()
        if answer and re.match(r"\* \d+ EXISTS\b", answer):
            self.arrivals += 1
        return answer

    def read_greeting(self) -> None:
        line = self.read_line()
        if not line.startswith("* OK"):  # PREAUTH would be a login before TLS
            raise UnexpectedAnswer(self.awaited, line)

    def read_capabilities(self) -> None:
        for answer in self.command("CAPABILITY"):
            if answer.startswith("* CAPABILITY "):
                self.capabilities = {word.upper(): [] for word in answer.split()[2:]}

    def request_starttls(self) -> None:
        self.command("STARTTLS")

    def login_mechanisms(self) -> list[str]:
        mechanisms = [word.removeprefix("AUTH=") for word in self.capabilities if word.startswith("AUTH=")]
        return mechanisms if "LOGINDISABLED" in self.capabilities else [*mechanisms, "LOGIN command"]

    def begin_login(self) -> tuple[bool, str]:
        return self._authenticate("PLAIN")

    def begin_token_login(self) -> tuple[bool, str]:
        return self._authenticate("XOAUTH2")

    def _authenticate(self, mechanism: str) -> tuple[bool, str]:
        self.send_command(f"AUTHENTICATE {mechanism}")
        while not (answer := self.read_answer()).startswith((f"{self._tag} ", "+")):
            pass
        status, __, reply = answer.removeprefix(f"{self._tag} ").partition(" ")
        return status in ("+", "OK"), reply or status

    def abort_login(self) -> None:
        self.send("*", "its answer to the end of the login")  # RFC 9051, 6.2.2
        self.read_answers()

    def read_login_result(self) -> tuple[bool, str]:
        __, status, reply = self.read_answers()
        return status == "OK", reply

    def read_token_result(self) -> tuple[bool, str]:
        while not (answer := self.read_answer()).startswith(f"{self._tag} "):
            if answer.startswith("+"):
                self.send("", self.awaited)
        status, __, reply = answer.removeprefix(f"{self._tag} ").partition(" ")
        return status.upper() == "OK", reply

    def begin_old_login(self) -> tuple[bool, str]:
        self.send_command(f"LOGIN {' '.join(NOBODY)}")
        __, status, reply = self.read_answers()
        # The server has looked at the password where it says that it is wrong (RFC 5530).
        return status == "OK" or "AUTHENTICATIONFAILED" in reply, reply


def _command_name(command: str) -> str:
    """Return a command's name without its arguments."""
    return " ".join(re.findall(r"^(?:UID )?\w+", command))
