# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which way a delivery takes: into the house, or out by a provider account."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_HOUSE_SERVICES = {"lmtp", "local", "virtual", "pipe"}
_SOCKET = re.compile(r"\[private/")
_RELAY_HOST = re.compile(
    r"\b(?:relay=|host |connect to |conversation with |lost connection with )([\w.-]+)\["
)
MOST_HOSTS = 1_000


@dataclass(frozen=True)
class Way:
    """destination: "house", "world", or "unknown" for what no service took. provider: the account, "" for none."""

    destination: str
    provider: str = ""


HOUSE, WORLD, UNKNOWN = Way("house"), Way("world"), Way("unknown")


def service_way(identifier: str) -> Way:
    """Return the way of a service by what it is called in the journal, such as `postfix/relay-gmail/smtp`."""
    parts = identifier.split("/")[1:]
    for part in parts:
        if part.startswith("relay-"):
            return Way("world", part.removeprefix("relay-"))
    if parts and parts[-1] in _HOUSE_SERVICES:
        return HOUSE
    return WORLD if parts and parts[-1] == "smtp" else UNKNOWN


@dataclass
class Ways:
    """What the journal has told of ways.

    hosts: the provider account of each host, "" where several have one host. messages: the way of each message that
    waits, by its queue ID.
    """

    hosts: dict[str, str] = field(default_factory=dict)
    messages: dict[str, Way] = field(default_factory=dict)

    def learn(self, way: Way, said: str) -> None:
        """Note whose host a line of a provider's service names."""
        found = _RELAY_HOST.search(said)
        if way.provider and found and (found[1] in self.hosts or len(self.hosts) < MOST_HOSTS):
            known = self.hosts.get(found[1], way.provider)
            self.hosts[found[1]] = way.provider if known == way.provider else ""

    def find(self, queue_id: str, said: str) -> Way:
        """Return the way of a message, by what is said of a recipient's delivery: a message may have several."""
        if _SOCKET.search(said):
            return HOUSE
        found = _RELAY_HOST.search(said)
        if found and self.hosts.get(found[1]):
            return Way("world", self.hosts[found[1]])
        return self.messages.get(queue_id, UNKNOWN)
