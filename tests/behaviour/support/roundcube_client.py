# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a browser sends to Roundcube, without the browser."""

from __future__ import annotations

import json
import re
from typing import Any

import requests
from testinfra.host import Host

TIMEOUT = 60
CLI = "require INSTALL_PATH . 'program/include/clisetup.php';"


class Roundcube:
    """One browser session: cookies, and the token that each request carries."""

    def __init__(self, name: str, ca_file: str) -> None:
        self.name = name
        self.ca_file = ca_file
        self.base = f"https://{name}"
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.verify = ca_file
        self.token = ""

    def another(self) -> Roundcube:
        """Return another browser, which has not been there yet."""
        return Roundcube(self.name, self.ca_file)

    def get(self, path: str, **headers: str) -> requests.Response:
        """Return what is at a path, which is sent as it is written: dot segments stay."""
        request = self.session.prepare_request(requests.Request("GET", self.base, headers=headers))
        request.url = self.base + path
        return self.session.send(request, timeout=TIMEOUT, allow_redirects=False)

    def page(self, task: str, action: str = "", **parameters: str | int) -> requests.Response:
        """Open a page of the application, and keep its token."""
        wanted: dict[str, str | int] = {
            "_task": task,
            **({"_action": action} if action else {}),
            **parameters,
        }
        answer = self.session.get(f"{self.base}/", params=wanted, timeout=TIMEOUT)
        if found := re.search(r'"request_token":"(\w+)"', answer.text):
            self.token = found[1]
        return answer

    def post(self, task: str, action: str, **fields: object) -> requests.Response:
        """Send a form of a page."""
        values = {"_token": self.token, "_task": task, "_action": action, **fields}
        return self.session.post(
            f"{self.base}/?_task={task}", data=values, timeout=TIMEOUT, allow_redirects=False
        )

    def ask(self, task: str, action: str, **parameters: object) -> dict[str, Any]:
        """Ask as the page's program does; return what it is told to do."""
        answer = self.session.post(
            f"{self.base}/",
            params={"_task": task, "_action": action},
            data={**parameters, "_remote": 1},
            headers={"X-Roundcube-Request": self.token},
            timeout=TIMEOUT,
        )
        found: dict[str, Any] = answer.json()
        return found

    def log_in(self, user: str, password: str, **fields: object) -> requests.Response:
        """Log in from the login page; the answer leads to the mailbox (302), or is the login page again (401)."""
        self.page("login")
        answer = self.post("login", "login", _user=user, _pass=password, _timezone="UTC", **fields)
        if answer.status_code == 302:
            self.page("mail")
        return answer

    def find(self, words: str, folder: str = "INBOX") -> list[int]:
        """Return the UIDs of the messages that a search finds, as the page's search field is set by itself."""
        page = self.page("mail", _mbox=folder)
        fields = ",".join(environment(page.text).get("search_mods", {}).get("*", {}))
        told = str(self.ask("mail", "search", _q=words, _headers=fields, _scope="base", _mbox=folder)["exec"])
        return [int(uid) for uid in re.findall(r"this\.add_message_row\((\d+),", told)]

    def send(self, to: str, subject: str, text: str, sender: str = "") -> requests.Response:
        """Write and send a message. sender: an identity's number or an address; the default identity if empty."""
        page = self.page("mail", "compose")
        identity = sender or next(iter(self.identities(page.text)))
        return self.post(
            "mail",
            "send",
            _id=environment(page.text)["compose_id"],
            _from=identity,
            _to=to,
            _subject=subject,
            _message=text,
            _is_html=0,
            _framed=1,
            _store_target="Sent",
        )

    @staticmethod
    def identities(page: str) -> dict[str, str]:
        """Return the identities that a compose page offers, by their numbers."""
        choice = re.search(r'<select[^>]*name="_from".*?</select>', page, re.DOTALL)
        options = re.findall(r'<option value="(\d+)"[^>]*>(.*?)</option>', choice[0] if choice else "")
        return {number: unescape(text) for number, text in options}


def unescape(text: str) -> str:
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def environment(page: str) -> dict[str, Any]:
    """Return what a page tells its program."""
    found: dict[str, Any] = {}
    for told in re.findall(r"rcmail\.set_env\((\{.*?\})\);", page):
        found |= json.loads(told)
    return found


def run_program(app: Host, text: str) -> str:
    """Run PHP as the application, with its configuration and database; return what it prints."""
    program = f"define('INSTALL_PATH', '/var/lib/roundcube/');{CLI}{text}"
    environment = "ROUNDCUBE_CONFIG_DIR=/etc/ilnmors-roundcube"
    said: str = app.check_output(f"runuser -u roundcube -- env {environment} php -r %s", program)
    return said
