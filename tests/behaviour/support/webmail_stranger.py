"""A stranger at the webmail, on a machine that has nothing but Python.

`python3 webmail_stranger.py ADDRESS NAME PORT look HEADER…` asks for the login page with headers such as `A: b`;
`… guess EMAIL TIMES` tries wrong passwords, all at once. Both print the status of each answer.
"""

import http.client
import json
import socket
import ssl
import sys
from concurrent.futures import ThreadPoolExecutor

TIMEOUT = 60


class Connection(http.client.HTTPSConnection):
    """HTTPS to an address, whose certificate is for a name."""

    def __init__(self, address: str, name: str, port: int) -> None:
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        super().__init__(name, port, timeout=TIMEOUT, context=context)
        self.address = address
        self.tls = context

    def connect(self) -> None:
        plain = socket.create_connection((self.address, self.port), TIMEOUT)
        self.sock = self.tls.wrap_socket(plain, server_hostname=self.host)


def look(connection: Connection, *headers: str) -> int:
    connection.request("GET", "/", headers=dict(header.split(": ", 1) for header in headers))
    return connection.getresponse().status


def guess(connection: Connection, email: str) -> int:
    """Log in as the application's page does."""
    connection.request("GET", "/?/AppData/0/1/")
    answer = connection.getresponse()
    cookies = [value.split(";")[0] for name, value in answer.getheaders() if name.lower() == "set-cookie"]
    body = answer.read()
    if answer.status != 200:
        return answer.status
    headers = {
        "Content-Type": "application/json",
        "Cookie": "; ".join(cookies),
        "X-SM-Token": json.loads(body)["System"]["token"],
    }
    request = {"Action": "Login", "Email": email, "Password": "a guess", "signMe": 0}
    connection.request("POST", "/?/Json/&q[]=/0/", json.dumps(request), headers)
    return connection.getresponse().status


if __name__ == "__main__":
    address, name, port, action, *rest = sys.argv[1:]
    if action == "look":
        print(look(Connection(address, name, int(port)), *rest))
    else:
        email, times = rest[0], int(rest[1])
        with ThreadPoolExecutor(times) as threads:
            print(*threads.map(lambda __: guess(Connection(address, name, int(port)), email), range(times)))
