"""What a browser sends to the webmail, without the browser."""

from __future__ import annotations

from typing import Any

import requests

TIMEOUT = 60
"""Seconds. After a wrong password the application waits for 5 s, and Dovecot for some more."""


class Webmail:
    """One browser session: cookies, the token that each request carries, and the API."""

    def __init__(self, name: str, ca_file: str) -> None:
        self.base = f"https://{name}"
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.verify = ca_file
        self.token = ""

    def get(self, path: str) -> requests.Response:
        """Return what is at a path, which is sent as it is written: dot segments stay."""
        request = self.session.prepare_request(requests.Request("GET", self.base))
        request.url = self.base + path
        return self.session.send(request, timeout=TIMEOUT, allow_redirects=False)

    def start(self) -> dict[str, Any]:
        """Load the application's data as its page does, and keep the token."""
        data: dict[str, Any] = self.get("/?/AppData/0/1/").json()
        self.token = data["System"]["token"]
        return data

    def act(self, action: str, **parameters: object) -> dict[str, Any]:
        """Ask for one action; the answer's `Result` is false where it was refused, and `code` says why."""
        answer: dict[str, Any] = self.session.post(
            f"{self.base}/?/Json/&q[]=/0/",
            json={"Action": action, **parameters},
            headers={"X-SM-Token": self.token},
            timeout=TIMEOUT,
        ).json()
        return answer

    def log_in(self, email: str, password: str) -> dict[str, Any]:
        """Log in from the login page, and take the token that the session gets with it."""
        self.start()
        answer = self.act("Login", Email=email, Password=password, signMe=0)
        self.start()
        return answer
