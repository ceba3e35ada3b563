"""What a browser sends to the webmail, without the browser."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
from dataclasses import dataclass
from http.cookies import SimpleCookie
from typing import Any

TIMEOUT = 60
"""Seconds. The application waits 5 s after a wrong password, and Dovecot some more (FACTS of both)."""


class _Connection(http.client.HTTPSConnection):
    """HTTPS to an address, with the certificate verified for a name that no resolver here knows."""

    def __init__(self, address: tuple[str, int], name: str, context: ssl.SSLContext) -> None:
        super().__init__(name, timeout=TIMEOUT)
        self.address = address
        self.tls = context

    def connect(self) -> None:
        raw = socket.create_connection(self.address, TIMEOUT)
        self.sock = self.tls.wrap_socket(raw, server_hostname=self.host)


@dataclass(frozen=True)
class Page:
    """An answer over HTTP."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes


class Webmail:
    """One browser session: cookies, the token that each request carries, and the API."""

    def __init__(self, address: str, name: str, ca_file: str, port: int = 443) -> None:
        self.address, self.name = (address, port), name
        self.tls = ssl.create_default_context(cafile=ca_file)
        self.cookies = SimpleCookie()
        self.token = ""

    def request(self, method: str, path: str, body: str | None = None, **headers: str) -> Page:
        """Send one request with the session's cookies; the certificate must be the name's own."""
        connection = _Connection(self.address, self.name, self.tls)
        cookies = "; ".join(f"{key}={cookie.value}" for key, cookie in self.cookies.items() if cookie.value)
        try:
            connection.request(method, path, body, {**headers, **({"Cookie": cookies} if cookies else {})})
            answer = connection.getresponse()
            page = Page(answer.status, answer.msg, answer.read())
        finally:
            connection.close()
        for cookie in page.headers.get_all("Set-Cookie", []):
            self.cookies.load(cookie)
        return page

    def get(self, path: str) -> Page:
        """Return what is at a path, as it is written."""
        return self.request("GET", path)

    def start(self) -> dict[str, Any]:
        """Load the application's data as its page does, and keep the token."""
        data: dict[str, Any] = json.loads(self.get("/?/AppData/0/1/").body)
        self.token = data["System"]["token"]
        return data

    def act(self, action: str, **parameters: object) -> dict[str, Any]:
        """Ask for one action; the answer's `Result` is false where it was refused, and `code` says why."""
        body = json.dumps({"Action": action, **parameters})
        headers = {"Content-Type": "application/json", "X-SM-Token": self.token}
        answer: dict[str, Any] = json.loads(self.request("POST", "/?/Json/&q[]=/0/", body, **headers).body)
        return answer

    def log_in(self, email: str, password: str) -> dict[str, Any]:
        """Log in from the login page; keep the new token if it succeeds."""
        self.start()
        answer = self.act("Login", Email=email, Password=password, signMe=0)
        if answer["Result"]:
            self.token = self.start()["System"]["token"]
        return answer
