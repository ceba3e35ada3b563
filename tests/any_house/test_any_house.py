# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The behaviour tests leave a house as it was in which people have mail, whatever they are called."""

from __future__ import annotations

import re
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
from ansible_collections.ilnmors.mail.tests.behaviour.support import clients
from ansible_collections.ilnmors.mail.tests.behaviour.support.house import House, wait_for
from testinfra.host import Host

TESTS = Path(__file__).parents[1] / "behaviour"
SOME = (
    "test_addresses or test_folder_names or test_imap or test_logs or test_mail_in_the_house or test_senders"
)
"""Of the tests those that log in, write, file and search; among them some for a lab alone."""

# Messages by their names, which tell their marks as well; folders, and what somebody is subscribed to; mail that waits;
# what is configured; and since when the daemons run. Indexes may change.
LOOK = r"""
find /var/vmail -type f \( -path '*/cur/*' -o -path '*/new/*' -o -name subscriptions -o -name '*.sieve' \) \
    -exec sha256sum {} + | sort
find /var/vmail -type d -not -path '*/fts-flatcurve*' | sort
mailq
find /etc -xdev -type f -exec stat --format '%n %s %Y %i' {} + | sort
systemctl show --property Id,InvocationID dovecot.service 'postfix*.service' fail2ban.service
"""


def is_in(mail: Host, place: str, message_id: str) -> bool:
    return bool(mail.run("grep -rF %s %s", message_id, place).rc == 0)


@pytest.fixture
def look(house: House, mail: Host) -> str:
    """Give everybody a letter that they have not read, and return what there is then."""
    for name in house.people:
        letter = clients.message("friend@elsewhere.test", house.login(name))
        mail.check_output("printf %%s %s | sendmail %s", letter.as_string(), house.login(name))
        place = f"/var/vmail/{house.domain}/{name}/Maildir/new"
        wait_for(partial(is_in, mail, place, letter["Message-ID"]), f"the letter for {name}")
    return str(mail.check_output(LOOK))


def test_the_house_is_left_as_it_was(request: pytest.FixtureRequest, mail: Host, look: str) -> None:
    path = request.config.getoption("--ansible-inventory")
    command = [
        sys.executable,
        "-m",
        "pytest",
        str(TESTS),
        "--any-house",
        "-k",
        SOME,
        "--ansible-inventory",
        path,
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=500)
    counts = {
        word: int(count) for count, word in re.findall(r"(\d+) (passed|skipped|failed|error)", done.stdout)
    }
    assert done.returncode == 0, done.stdout
    assert counts["passed"] > 80, done.stdout
    assert re.search(r"^ +\d+ skipped: changes the house", done.stdout, re.MULTILINE), done.stdout
    assert mail.check_output(LOOK) == look
