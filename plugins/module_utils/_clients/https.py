# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A client of HTTPS that asks for one page."""

from __future__ import annotations

import re

from ansible_collections.ilnmors.mail.plugins.module_utils._clients.client import Client
from ansible_collections.ilnmors.mail.plugins.module_utils._clients.errors import (
    CommandRefused,
    UnexpectedAnswer,
)


class Https(Client):
    """HTTP/1.1 over TLS (RFC 9112): one request for the endpoint's page."""

    def read_greeting(self) -> None:
        name, request = self.endpoint.server_name, f"GET {self.endpoint.path}"
        self.send(f"{request} HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n", f"its answer to {request}")
        line = self.read_line()
        if not re.match(r"HTTP/1\.\d [1-5]\d\d\b", line):
            raise UnexpectedAnswer(self.awaited, line)
        status = line.partition(" ")[2]
        if status[0] in "45":
            raise CommandRefused(request, status)
