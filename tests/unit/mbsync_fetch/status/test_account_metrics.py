# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is measured of a fetch."""

from __future__ import annotations

from mbsync_fetch.record.books import PLACES, Books
from mbsync_fetch.status.metrics import metrics
from mbsync_fetch.status.report import Refused, Report
from mbsync_fetch.status.status import Status

NOW = 1_800_000_000.0  # 2027-01-15 08:00:00 UTC
INBOX = Report(
    "INBOX",
    'a "b"\\c\nd',
    provider=3,
    in_house=2,
    missing=1,
    refused=(Refused(7, "server error"),),
    books=Books(4, dict.fromkeys(PLACES, 0) | {"here": 2, "refused": 1}, unplaced=(9,)),
)


def test_metrics_are_in_the_text_format() -> None:
    status = Status().counted(NOW, 42).succeeded(NOW, [INBOX])
    assert metrics("gmail", status, NOW) == (
        """\
# HELP mbsync_fetch_up Whether the last attempt succeeded.
# TYPE mbsync_fetch_up gauge
mbsync_fetch_up{account="gmail"} 1
# HELP mbsync_fetch_state 1 for the state that the fetch is in.
# TYPE mbsync_fetch_state gauge
mbsync_fetch_state{account="gmail",state="new"} 0
mbsync_fetch_state{account="gmail",state="ok"} 1
mbsync_fetch_state{account="gmail",state="retrying"} 0
mbsync_fetch_state{account="gmail",state="refused"} 0
mbsync_fetch_state{account="gmail",state="stopped"} 0
mbsync_fetch_state{account="gmail",state="house full"} 0
mbsync_fetch_state{account="gmail",state="limit"} 0
# HELP mbsync_fetch_last_success_timestamp_seconds When the account was last fetched, 0 for never.
# TYPE mbsync_fetch_last_success_timestamp_seconds gauge
mbsync_fetch_last_success_timestamp_seconds{account="gmail"} 1800000000.0
# HELP mbsync_fetch_messages Messages of a folder at the provider and in the house.
# TYPE mbsync_fetch_messages gauge
mbsync_fetch_messages{account="gmail",folder="FOLDER",side="provider"} 3
mbsync_fetch_messages{account="gmail",folder="FOLDER",side="house"} 2
# HELP mbsync_fetch_messages_missing Messages at the provider that have yet to be fetched.
# TYPE mbsync_fetch_messages_missing gauge
mbsync_fetch_messages_missing{account="gmail",folder="FOLDER"} 1
# HELP mbsync_fetch_messages_refused Messages that the provider does not hand over, or the house does not take.
# TYPE mbsync_fetch_messages_refused gauge
mbsync_fetch_messages_refused{account="gmail",folder="FOLDER"} 1
# HELP mbsync_fetch_messages_placed Messages at the provider by where they are, as of the last change.
# TYPE mbsync_fetch_messages_placed gauge
mbsync_fetch_messages_placed{account="gmail",folder="FOLDER",place="here"} 2
mbsync_fetch_messages_placed{account="gmail",folder="FOLDER",place="elsewhere"} 0
mbsync_fetch_messages_placed{account="gmail",folder="FOLDER",place="draft"} 0
mbsync_fetch_messages_placed{account="gmail",folder="FOLDER",place="filed"} 0
mbsync_fetch_messages_placed{account="gmail",folder="FOLDER",place="deleted"} 0
mbsync_fetch_messages_placed{account="gmail",folder="FOLDER",place="refused"} 1
mbsync_fetch_messages_placed{account="gmail",folder="FOLDER",place="to_come"} 0
# HELP mbsync_fetch_messages_unplaced Messages at the provider of which nobody knows where they are.
# TYPE mbsync_fetch_messages_unplaced gauge
mbsync_fetch_messages_unplaced{account="gmail",folder="FOLDER"} 1
# HELP mbsync_fetch_today_bytes Bytes read from the provider on this day (UTC).
# TYPE mbsync_fetch_today_bytes gauge
mbsync_fetch_today_bytes{account="gmail"} 42
"""
    ).replace("FOLDER", r"a \"b\"\\c\nd")
