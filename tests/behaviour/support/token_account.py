# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The account that takes access tokens alone, its unit, and the token endpoint of its provider."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from ansible_collections.ilnmors.mail.tests.behaviour.support import clients
from ansible_collections.ilnmors.mail.tests.behaviour.support.house import House, wait_for
from ansible_collections.ilnmors.mail.tests.behaviour.support.providers import read_by_the_world
from testinfra.host import Host

ACCOUNT = "outlook"
ADDRESS = "il@outlook.test"
STATE = f"/var/lib/mail-oauth2/{ACCOUNT}"
UNIT = f"mail-oauth2@{ACCOUNT}"
FAULTS = "/run/token-endpoint.json"

Endpoint = Callable[..., None]


def send(house: House, recipient: str, sender: str = ADDRESS) -> str:
    """Send a message from the account's own address; return its Message-ID."""
    new = clients.message(sender, recipient)
    with clients.submission(house.mail_hostname, house.ca_file) as client:
        client.login("il", house.password("il"))
        client.send_message(new)
    return str(new["Message-ID"])


def status(mail: Host) -> dict[str, Any]:
    """Return what the unit says of its token."""
    found: dict[str, Any] = json.loads(mail.check_output(f"cat {STATE}/status.json"))
    return found


def arrives(provider_ca: str, message_id: str, provider: str = ACCOUNT) -> None:
    """Wait until the world has a message that left through a provider."""
    wait_for(lambda: read_by_the_world(provider_ca, provider, message_id), "the world gets it")
