# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which mailboxes of an account are fetched: what its patterns name, and of what they do not match people are told."""

from __future__ import annotations

import json
import time

import pytest
from ansible_collections.ilnmors.mail.tests.behaviour.support import clients
from ansible_collections.ilnmors.mail.tests.behaviour.support.house import House
from ansible_collections.ilnmors.mail.tests.behaviour.support.provider_mailboxes import deliver
from mbsync_fetch.imap.names import encode
from testinfra.host import Host

# The lab's account "odd" has this pattern beside one that matches everything.
UNMATCHED = "없는 메일함"


def fetch(mail: Host, name: str) -> None:
    """Let a fetch that began after this call run to its end; a start joins one that is under way."""
    for __ in range(2):
        mail.check_output("systemctl start %s", f"mbsync-fetch@{name}.service")


@pytest.fixture(autouse=True)
def _lab(provider: Host) -> None:
    """Need the lab, whose accounts these are."""


def test_a_pattern_that_matches_nothing_is_said_and_all_else_is_fetched(
    house: House, mail: Host, provider: Host
) -> None:
    message = deliver(provider, "odd@naver.test", "메모.가족/사진")
    began = time.time()
    fetch(mail, "odd")
    with house.imap("il") as client:
        assert clients.find(client, str(message["Message-ID"]), encode("Odd/메모/가족_사진"))
    journal = mail.check_output(
        "journalctl --output cat --unit mbsync-fetch@odd.service --since %s", f"@{began:.0f}"
    )
    assert f"warning: no mailbox of the account matches '{UNMATCHED}' in mailboxes" in journal
    status = json.loads(mail.check_output("cat /var/lib/mbsync-fetch/odd/status.json"))
    assert (status["state"], status["unmatched"]) == ("ok", [UNMATCHED])


def test_spam_and_deleted_mail_stay_at_the_provider(house: House, mail: Host, provider: Host) -> None:
    left = {
        mailbox: deliver(provider, "direct@naver.test", mailbox) for mailbox in ("Junk", "Deleted Messages")
    }
    fetched = deliver(provider, "direct@naver.test", "청구서")
    fetch(mail, "direct")
    with house.imap("guest") as client:
        assert clients.find(client, str(fetched["Message-ID"]), encode("Direct/청구서"))
        landed = [line.decode() for line in client.list('""', '"Direct/*"')[1]]
        assert [name for name in landed if "Junk" in name or "Trash" in name or "Deleted" in name] == []
        for folder in ("INBOX", "Junk", "Trash"):
            assert not any(
                clients.find(client, str(message["Message-ID"]), folder) for message in left.values()
            )
