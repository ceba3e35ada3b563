# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What can go wrong between a client and a mail server, in words for the person who runs the check."""

from __future__ import annotations

JOURNAL = "see 'journalctl --unit \"{service}*\"' on its host"
RUNNING = "see that it runs: 'systemctl status {service}' on its host"
ACCOUNTS = "see that Dovecot runs, which knows the accounts: 'systemctl status dovecot' on the mail host"
RENEWED = "run the site playbook, which renews the house's own certificates; renew one of your own"


class CheckError(Exception):
    """Why a check failed, in plain words and without secrets, and what to do about it where that is known.

    A remedy may hold {service}, for the name of the service that was asked.
    """

    def __init__(self, reason: str, remedy: str = "") -> None:
        super().__init__(reason)
        self.remedy = remedy

    def explain(self, service: str = "") -> str:
        """Return the reason and the remedy as one sentence."""
        return f"{self}; {self.remedy.format(service=service)}" if self.remedy else str(self)


class CannotConnect(CheckError):
    """No TCP connection came about."""

    def __init__(self, reason: str, remedy: str = f"{RUNNING}; and that no firewall is between") -> None:
        super().__init__(f"cannot connect: {reason}", remedy)


class NoAnswer(CheckError):
    """The deadline passed."""

    def __init__(self, awaited: str, seconds: float) -> None:
        super().__init__(f"the server had not sent {awaited} after {seconds:g} s", JOURNAL)


class ConnectionEnded(CheckError):
    """The server hung up."""

    def __init__(self, awaited: str) -> None:
        super().__init__(f"the server closed the connection before {awaited}", JOURNAL)


class UnexpectedAnswer(CheckError):
    """The server does not speak the protocol."""

    def __init__(self, awaited: str, answer: str) -> None:
        super().__init__(
            f"the server sent something else than {awaited}: {answer[:200]}",
            "see that {service} has the port: 'ss --listening --tcp --processes' on its host",
        )


class CommandRefused(CheckError):
    """The server said no."""

    def __init__(self, command: str, reply: str) -> None:
        super().__init__(f"{command} refused: {reply}", JOURNAL)


class TlsFailed(CheckError):
    """The handshake or the certificate is not good."""

    def __init__(self, reason: str, remedy: str = JOURNAL) -> None:
        super().__init__(f"TLS failed: {reason}", remedy)


class StarttlsMissing(CheckError):
    """A port that has to offer STARTTLS does not."""

    def __init__(self) -> None:
        super().__init__("STARTTLS is not offered", f"{JOURNAL}, and run the site playbook")


class PlaintextInjected(CheckError):
    """Someone slipped text in before the TLS session."""

    def __init__(self) -> None:
        super().__init__(
            "plain text follows the answer to STARTTLS: it would be taken for part of the TLS session",
            "find out what writes into the connection between here and the host",
        )


class LoginFails(CheckError):
    """Nobody can log in, though it is offered: what knows the accounts does not answer."""

    def __init__(self, reply: str) -> None:
        super().__init__(f"nobody can log in; the server answers: {reply.rstrip()}", ACCOUNTS)


class LoginRefused(CheckError):
    """The credentials were not accepted."""

    def __init__(self, reply: str) -> None:
        super().__init__(
            f"login refused: {reply}", f"run the site playbook, which writes the passwords anew; {JOURNAL}"
        )
