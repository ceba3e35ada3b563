# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a NO, BAD or BYE of a provider means.

Only codes (RFC 9051 section 7.1, RFC 5530) and words that say so make a refusal a final one. Any other passes, for all
that anyone knows: what it concerns waits, and is asked for again.
"""

from __future__ import annotations

import re
from typing import Literal

from ..account.failures import HOUR, Kind
from ..imap.replies import code

Fate = Literal["gone", "closed", ""]
"""What has become of a mailbox: it is no longer there; the provider does not let it be read; or nobody knows."""
LONGEST_WAIT = 4 * HOUR
"""Seconds that a provider's own word is followed for, at most."""

# OVERQUOTA as Gmail says it of its own bandwidth.
_LIMIT_CODES = {"LIMIT", "OVERQUOTA", "THROTTLED"}
_PASSING_CODES = {"UNAVAILABLE", "INUSE", "SERVERBUG", "SYS/TEMP"}
# AUTH: RFC 3206, which some speak in IMAP as well. WEBALERT: Gmail's, where a person has to log in on its pages.
_LOGIN_CODES = {"AUTHENTICATIONFAILED", "AUTHORIZATIONFAILED", "EXPIRED", "CONTACTADMIN", "WEBALERT", "AUTH"}
_FATES: dict[str, Fate] = {"NONEXISTENT": "gone", "NOPERM": "closed", "CANNOT": "closed"}

_LIMIT_WORDS = re.compile(r"throttl|bandwidth|too many|rate limit|exceeded|too frequent", re.IGNORECASE)
_PASSING_WORDS = re.compile(
    r"temporar|try again|later|system error|unavailable|timed? ?out|busy", re.IGNORECASE
)
_LOGIN = r"(?:credentials?|password|passwd|user ?name|user|login|token|authori[sz]ation code)"
_BAD = r"(?:invalid|incorrect|wrong|bad|expired|unknown|not accepted|isn't any good|required)"
# What leaves no doubt, whatever else the answer lists: QQ Mail names busy servers and wrong passwords in one breath.
_NAMED_WORDS = re.compile(
    rf"\b{_BAD}\W+(?:\w+\W+){{0,2}}{_LOGIN}|\b{_LOGIN}\W+(?:\w+\W+){{0,3}}{_BAD}"
    r"|app(?:lication)?[- ](?:specific )?password|not (?:enabled|allowed|authori[sz]ed)|is disabled"
    r"|web (?:browser|login)|unsafe login",
    re.IGNORECASE,
)
_LOGIN_WORDS = re.compile(
    r"(?:log-?in|log ?on|authenticat\w*)\W+(?:fail|error|refused|denied)", re.IGNORECASE
)
_GONE_WORDS = re.compile(
    r"(?:does ?n.t|does not|did not) exist|not (?:be )?found|no such|unknown (?:mailbox|folder)|non-?existent",
    re.IGNORECASE,
)
_CLOSED_WORDS = re.compile(
    r"permission denied|no permission|not permitted|insufficient rights", re.IGNORECASE
)
# "Request is throttled. Suggested Backoff Time: 299961 milliseconds" (Exchange Online).
_WAIT = re.compile(
    r"(?:back-?off|retry|again|wait)\D{0,40}(?P<count>\d{1,9})\s*(?P<unit>ms|milli|s|m|h)", re.IGNORECASE
)
_UNITS = {"ms": 0.001, "milli": 0.001, "s": 1, "m": 60, "h": HOUR}


class RemoteError(Exception):
    """The provider cannot be used now. kind: one of the kinds in account/failures.py."""

    def __init__(self, kind: Kind, reason: str) -> None:
        super().__init__(reason)
        self.kind = kind

    @property
    def wait(self) -> float:
        """How many seconds the provider says to wait; 0 if it does not say."""
        return wait_of(str(self))


class MailboxError(RemoteError):
    """A mailbox cannot be opened. fate: whether that is final."""

    def __init__(self, reason: str) -> None:
        super().__init__(kind_of(reason), reason)
        self.fate = fate_of(reason)


def kind_of(answer: str, otherwise: Kind = "error") -> Kind:
    """Say what a refusal means that is not about a login."""
    said, __ = code(answer)
    if said in _LIMIT_CODES:
        return "provider limit"
    if said in _PASSING_CODES:
        return "error"
    return "provider limit" if _LIMIT_WORDS.search(answer) else otherwise


def kind_of_login(answer: str) -> Kind:
    """Say what the refusal of a login means: "refused" where the secret is to blame."""
    said, __ = code(answer)
    if said in _LOGIN_CODES:
        return "refused"
    if said in _LIMIT_CODES | _PASSING_CODES:
        return kind_of(answer)
    if _NAMED_WORDS.search(answer):
        return "refused"
    if _LIMIT_WORDS.search(answer):
        return "provider limit"
    if _PASSING_WORDS.search(answer):
        return "error"
    return "refused" if _LOGIN_WORDS.search(answer) else "error"


def fate_of(answer: str) -> Fate:
    """Say what has become of a mailbox that is not opened."""
    said, __ = code(answer)
    if said in _FATES:
        return _FATES[said]
    if kind_of(answer) != "error" or said in _PASSING_CODES or _PASSING_WORDS.search(answer):
        return ""
    if _GONE_WORDS.search(answer):
        return "gone"
    return "closed" if _CLOSED_WORDS.search(answer) else ""


def wait_of(answer: str) -> float:
    """Return how many seconds an answer says to wait, with a bound; 0 if it does not say."""
    match = _WAIT.search(answer)
    if match is None:
        return 0.0
    return min(int(match["count"]) * _UNITS[match["unit"].lower()], LONGEST_WAIT)
