# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What refusals of providers mean: only those that say so are final."""

from __future__ import annotations

import pytest
from mbsync_fetch.account.failures import Kind
from mbsync_fetch.remote.answers import LONGEST_WAIT, Fate, fate_of, kind_of, kind_of_login, wait_of

LOGINS: list[tuple[str, Kind]] = [
    ("[AUTHENTICATIONFAILED] Invalid credentials (Failure)", "refused"),
    ("[AUTHENTICATIONFAILED] Authentication failed.", "refused"),
    ("[ALERT] Application-specific password required (Failure)", "refused"),
    ("[ALERT] Your account is not enabled for IMAP use.", "refused"),
    ("[ALERT] Please log in via your web browser: https://support.google.com/mail/answer/78754", "refused"),
    ("[WEBALERT https://accounts.google.com/signin/continue] Web login required.", "refused"),
    ("[EXPIRED] That password isn't any good any more.", "refused"),
    ("[CONTACTADMIN] This account is closed", "refused"),
    ("LOGIN failed.", "refused"),
    ("AUTHENTICATE failed.", "refused"),
    ("LOGIN Login error or password error", "refused"),
    ("LOGIN Invalid credentials", "refused"),
    ("Incorrect username or password", "refused"),
    ("Username and Password not accepted.", "refused"),
    ("SELECT Unsafe Login. Please contact kefu@188.com for help", "refused"),
    (
        "Login fail. Account is abnormal, service is not open, password is incorrect, login frequency limited, "
        "or system is busy.",
        "refused",
    ),
    # A code says more than the words beside it.
    ("[AUTHENTICATIONFAILED] Too many wrong passwords", "refused"),
    ("[UNAVAILABLE] Temporary authentication failure.", "error"),
    ("Temporary authentication failure", "error"),
    ("Temporary System Error", "error"),
    ("[INUSE] try again", "error"),
    ("User is authenticated but not connected.", "error"),
    ("Lookup failed", "error"),
    ("Server error - please come back", "error"),
    ("", "error"),
    ("[LIMIT] Too many connections", "provider limit"),
    ("[LIMIT] LOGIN Rate limit hit", "provider limit"),
    ("[OVERQUOTA] Account exceeded command or bandwidth limits. (Failure)", "provider limit"),
    ("[ALERT] Too many simultaneous connections. (Failure)", "provider limit"),
    ("[ALERT] Account exceeded bandwidth limits. (Failure)", "provider limit"),
    ("Request is throttled. Suggested Backoff Time: 299961 milliseconds", "provider limit"),
]


@pytest.mark.parametrize(("answer", "kind"), LOGINS)
def test_an_answer_to_a_login_is_understood(answer: str, kind: Kind) -> None:
    assert kind_of_login(answer) == kind


@pytest.mark.parametrize(
    ("answer", "fate", "kind"),
    [
        ("[NONEXISTENT] Unknown Mailbox: Work (Failure)", "gone", "error"),
        ("Mailbox doesn't exist: Work", "gone", "error"),
        ("Mailbox does not exist", "gone", "error"),
        ("Folder could not be found.", "gone", "error"),
        ("[NOPERM] Permission denied", "closed", "error"),
        ("[CANNOT] Invalid mailbox name", "closed", "error"),
        ("Permission denied", "closed", "error"),
        # Whatever else is said passes, for all that anyone knows.
        ("STATUS failed.", "", "error"),
        ("It is damaged", "", "error"),
        ("User is authenticated but not connected.", "", "error"),
        ("Mailbox not found, try again later", "", "error"),
        ("[SERVERBUG] Mailbox doesn't exist", "", "error"),
        ("[INUSE] Mailbox in use", "", "error"),
        ("Request is throttled. Suggested Backoff Time: 299961 milliseconds", "", "provider limit"),
        ("", "", "error"),
    ],
)
def test_only_what_says_so_is_final_for_a_mailbox(answer: str, fate: Fate, kind: Kind) -> None:
    assert (fate_of(answer), kind_of(answer)) == (fate, kind)


@pytest.mark.parametrize(
    ("answer", "seconds"),
    [
        ("Request is throttled. Suggested Backoff Time: 299961 milliseconds", 299.961),
        ("Too many requests, retry after 30 seconds", 30),
        ("[LIMIT] try again in 15 minutes", 900),
        ("Backoff time: 2 hours", 7200),
        ("Suggested Backoff Time: 999999999 milliseconds", LONGEST_WAIT),
        ("[LIMIT] Too many connections", 0),
        ("Message 12 cannot be shown", 0),
    ],
)
def test_a_provider_may_say_how_long_to_wait(answer: str, seconds: float) -> None:
    assert wait_of(answer) == pytest.approx(seconds)
