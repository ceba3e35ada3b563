"""What a browser sends to the webmail, without the browser."""

from __future__ import annotations

import base64
import json
from typing import Any

import requests

TIMEOUT = 180
"""Seconds. A message of 25 MB takes some 20 on a small machine."""


class Webmail:
    """One browser session: cookies, the token that each request carries, and the API."""

    def __init__(self, name: str, ca_file: str) -> None:
        self.name = name
        self.ca_file = ca_file
        self.base = f"https://{name}"
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.verify = ca_file
        self.token = ""
        self.account = ""

    def another(self) -> Webmail:
        """Return another browser, which has not been there yet."""
        return Webmail(self.name, self.ca_file)

    def get(self, path: str) -> requests.Response:
        """Return what is at a path, which is sent as it is written: dot segments stay."""
        request = self.session.prepare_request(requests.Request("GET", self.base))
        request.url = self.base + path
        return self.session.send(request, timeout=TIMEOUT, allow_redirects=False)

    def start(self) -> dict[str, Any]:
        """Load the application's data as its page does, and keep the token."""
        data: dict[str, Any] = self.get("/?/AppData/0/1/").json()
        self.token = data["System"]["token"]
        self.account = data.get("accountHash", "")
        return data

    def is_standin(self) -> bool:
        """Tell whether this is not the application, but its stand-in of the tests."""
        return str(self.start()["System"]["version"]).endswith("standin")

    def act(self, action: str, **parameters: object) -> dict[str, Any]:
        """Ask for one action; the answer's `Result` is false where it was refused, and `code` says why."""
        answer: dict[str, Any] = self.session.post(
            f"{self.base}/?/Json/&q[]=/0/",
            json={"Action": action, **parameters},
            headers={"X-SM-Token": self.token},
            timeout=TIMEOUT,
        ).json()
        return answer

    def log_in(self, email: str, password: str, remember: bool = False) -> dict[str, Any]:
        """Log in from the login page, and take the token that the session gets with it."""
        self.start()
        answer = self.act("Login", Email=email, Password=password, signMe=int(remember))
        self.start()
        return answer

    def upload(self, name: str, content: bytes, service: str = "Upload") -> dict[str, Any]:
        """Hand over a file, as an attachment or as what another service takes; return the answer to it."""
        answer: dict[str, Any] = self.session.post(
            f"{self.base}/?/{service}/&q[]=/0/",
            files={"uploader": (name, content)},
            headers={"X-SM-Token": self.token},
            timeout=TIMEOUT,
        ).json()
        return answer

    def key(self, attachment: dict[str, Any]) -> str:
        """Return what an attachment of a message is fetched by; the page makes it from the same values."""
        values = {name: attachment[name] for name in ("folder", "uid", "mimeIndex", "mimeType", "fileName")}
        values["accountHash"] = self.account
        return base64.urlsafe_b64encode(json.dumps(values).encode()).decode().rstrip("=")

    def raw(self, service: str, key: str = "") -> bytes:
        """Return a file: an attachment by its key, or all contacts."""
        page = self.get(f"/?/Raw/&q[]=/0/{service}/&q[]=/{key}")
        page.raise_for_status()
        return page.content

    def find(self, folder: str, search: str = "", **parameters: object) -> list[dict[str, Any]]:
        """Return the messages of a folder that are found, as the page lists them."""
        parameters = {"folder": folder, "search": search, "offset": 0, "limit": 20, **parameters}
        found: list[dict[str, Any]] = self.act("MessageList", **parameters)["Result"]["@Collection"]
        return found

    def read(self, folder: str, uid: int) -> dict[str, Any]:
        """Return a message as the page shows it."""
        message: dict[str, Any] = self.act("Message", folder=folder, uid=uid)["Result"]
        return message
