"""The webmail behind the proxies of REVERSE_PROXY.md, set up to the letter on the lab's mail host."""

from __future__ import annotations

import json
import re
import secrets
import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.ilnmors.mail.tests.behaviour.support.house import House, wait_for
from ansible_collections.ilnmors.mail.tests.behaviour.support.webmail_ban import JAIL, ask
from ansible_collections.ilnmors.mail.tests.behaviour.support.webmail_client import Webmail
from testinfra.host import Host

PAGE = Path(__file__).parents[3] / "roles" / "webmail_host" / "REVERSE_PROXY.md"

FORGED = "X-Forwarded-For: 192.0.2.77"
"""An address that is nobody's (RFC 5737)."""


@pytest.fixture(scope="session")
def house(house: House) -> House:
    """Return the house of those who open SnappyMail."""
    return house.at("snappymail")


def recipe(name: str, house: House) -> tuple[str, str]:
    """Return the path and the text of the file below a heading of the page, with the names of a house."""
    (section,) = [part for part in re.split(r"^## ", PAGE.read_text(), flags=re.M) if part.startswith(name)]
    found = re.search(r"^`(/\S+)`.*?^```\n(.*?)^```", section, re.M | re.S)
    assert found
    text = found[2].replace("webmail.home.internal", house.webmail_hostname)
    return found[1], text.replace("home.internal", house.domain).replace("192.168.1.3", house.webmail_address)


@pytest.fixture(scope="module")
def proxy_host(mail: Host, app: Host, inventory: dict[str, dict[str, Any]], house: House) -> Iterator[Host]:
    """Return the machine for proxies, which trusts the house, and has a certificate for the webmail's names."""
    if not inventory[mail.backend.get_hostname()]["groups"].get("provider"):
        pytest.skip("needs the lab: it sets up proxies on the mail host")
    if mail.backend.get_hostname() == app.backend.get_hostname():
        pytest.skip("needs a mail host that is not the webmail host")
    if missing := [name for name in ("caddy", "nginx") if not mail.package(name).is_installed]:
        pytest.skip(f"needs Debian's {' and '.join(missing)} on the mail host")
    files = {
        "/usr/local/share/ca-certificates/home.crt": Path(house.ca_file).read_text(),
        "/etc/ssl/home.pem": app.file("/etc/ssl/ilnmors-mail/host.pem").content_string,
        "/etc/ssl/home.key": app.file("/etc/ssl/ilnmors-mail/host.key").content_string,
    }
    try:
        for path, text in files.items():
            mail.check_output(f"umask 027 && echo %s > {path} && chgrp caddy {path}", text)
        mail.check_output("chmod 0644 /usr/local/share/ca-certificates/home.crt && update-ca-certificates")
        yield mail
    finally:
        mail.check_output(f"rm -f {' '.join(files)} && update-ca-certificates")


@pytest.fixture(scope="module", params=["Caddy", "nginx"])
def proxied(request: pytest.FixtureRequest, proxy_host: Host, house: House) -> Iterator[House]:
    """Return the house as it is seen through a proxy."""
    unit = request.param.lower()
    path, text = recipe(request.param, house)
    kept = proxy_host.run(f"cat {path}")
    try:
        proxy_host.check_output(f"echo %s > {path} && systemctl restart {unit}", text)
        through = replace(house, webmail_address=house.mail_address)
        wait_for(lambda: proxy_host.run("ss -lntH sport = 443").stdout, f"{request.param} listens")
        yield through
    finally:
        proxy_host.run(f"systemctl stop {unit}; rm {path}")
        if kept.rc == 0:
            proxy_host.check_output(f"echo %s > {path}", kept.stdout)


@pytest.fixture
def through_proxy(proxied: House, monkeypatch: pytest.MonkeyPatch) -> Webmail:
    """Return a browser for which the webmail's name leads to the proxy."""
    real = socket.getaddrinfo

    def getaddrinfo(host: Any, *rest: Any, **options: Any) -> Any:
        return real(proxied.webmail_address if host == proxied.webmail_hostname else host, *rest, **options)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return Webmail(proxied.webmail_hostname, proxied.ca_file)


def failed_from(app: Host, mark: str) -> str | None:
    """Return the address that the application names for a failed login, or None while there is none."""
    output = app.check_output("journalctl --identifier snappymail --output json --lines 50 --quiet")
    for line in output.splitlines():
        message = str(json.loads(line)["MESSAGE"])
        if mark in message:
            return message.partition("ip=")[2].split()[0]
    return None


def test_a_user_logs_in_through_it(through_proxy: Webmail, house: House) -> None:
    assert through_proxy.log_in(house.login("il"), house.password("il"))["Result"]
    page = through_proxy.get("/")
    assert page.headers["Strict-Transport-Security"] == "max-age=31536000"
    assert through_proxy.get("/setup").headers["Location"] == "/setup/"


def test_plain_http_leads_to_the_proxys_https(through_proxy: Webmail, house: House) -> None:
    through_proxy.base = f"http://{house.webmail_hostname}"
    answer = through_proxy.get("/somewhere?a=b")
    assert answer.headers["Location"] == f"https://{house.webmail_hostname}/somewhere?a=b"


@pytest.mark.usefixtures("webmail_bans")
def test_the_real_address_is_known_whatever_a_client_forges(
    proxied: House, app: Host, provider: Host, inventory: dict[str, dict[str, Any]]
) -> None:
    """A ban through the proxy hits the address that guesses, and none that a header names."""
    stranger = inventory[provider.backend.get_hostname()]["address"]
    mark = secrets.token_hex(8)
    assert ask(provider, proxied, "guess", f"{mark}@{proxied.domain}", "1") == [200]
    assert wait_for(lambda: failed_from(app, mark), "the failure in the journal") == stranger
    try:
        app.check_output(f"fail2ban-client set {JAIL} banip 192.0.2.77")
        assert ask(provider, proxied, "look", FORGED) == [200]
        app.check_output(f"fail2ban-client set {JAIL} banip {stranger}")
        wait_for(lambda: ask(provider, proxied, "look") == [429], "the stranger is kept out")
        assert ask(provider, proxied, "look", FORGED) == [429]
    finally:
        app.run(f"fail2ban-client set {JAIL} unbanip 192.0.2.77 {stranger}")


@pytest.mark.usefixtures("webmail_bans")
@pytest.mark.parametrize("address", ["192.0.2.77", "2001:db8::77"])
def test_the_proxy_is_believed_and_others_are_not(
    house: House, mail: Host, app: Host, provider: Host, inventory: dict[str, dict[str, Any]], address: str
) -> None:
    """Addresses of both families that are nobody's (RFC 5737, RFC 3849)."""
    if not inventory[mail.backend.get_hostname()]["groups"].get("provider"):
        pytest.skip("needs the lab, whose mail host may be a proxy")
    forged = f"X-Forwarded-For: {address}"
    try:
        app.check_output(f"fail2ban-client set {JAIL} banip {address}")
        wait_for(lambda: ask(mail, house, "look", forged) == [429], "the proxy's client is kept out")
        assert ask(mail, house, "look") == [200]
        assert ask(provider, house, "look", forged) == [200]
        # What a client had written before the proxy wrote is not believed either.
        assert ask(mail, house, "look", f"{forged}, 192.0.2.1") == [200]
    finally:
        app.run(f"fail2ban-client set {JAIL} unbanip {address}")
