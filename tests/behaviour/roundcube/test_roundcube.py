# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Roundcube as a browser meets it: who gets in, and what is served."""

from __future__ import annotations

import re

import pytest
import requests
from ansible_collections.ilnmors.mail.tests.behaviour.support.house import House, wait_for
from ansible_collections.ilnmors.mail.tests.behaviour.support.roundcube_client import (
    Roundcube,
    environment,
    run_program,
)
from testinfra.host import Host

FOLDERS = ("INBOX", "Drafts", "Sent", "Junk", "Trash", "Archive")


@pytest.mark.parametrize("spelling", ["il", "il@{domain}", "IL@{domain}"])
def test_people_log_in_with_their_name_or_their_address(
    roundcube: Roundcube, house: House, spelling: str
) -> None:
    answer = roundcube.log_in(spelling.format(domain=house.domain), house.password("il"))
    assert answer.status_code == 302
    page = roundcube.page("mail")
    assert f"il@{house.domain}" in page.text
    assert {*FOLDERS} <= {*environment(page.text)["mailboxes"]}


@pytest.mark.parametrize(
    ("user", "password"),
    [("il", "wrong"), ("il", ""), ("nobody", "wrong"), ("il@elsewhere.test", None), ("", "wrong")],
)
def test_nobody_else_gets_in(roundcube: Roundcube, house: House, user: str, password: str | None) -> None:
    answer = roundcube.log_in(user, house.password("il") if password is None else password)
    assert answer.status_code == 401
    assert roundcube.get("/?_task=mail").status_code == 200
    assert 'name="_pass"' in roundcube.page("mail").text


def test_nobody_chooses_the_mail_host(roundcube: Roundcube, house: House) -> None:
    """A browser that names another one is led to the house's all the same."""
    answer = roundcube.log_in("il", house.password("il"), _host="ssl://imap.gmail.test:993")
    assert answer.status_code == 302
    assert f"il@{house.domain}" in roundcube.page("mail").text


def test_a_login_needs_the_page_that_asks_for_it(roundcube: Roundcube, house: House) -> None:
    """Another site cannot log a browser in as somebody."""
    answer = roundcube.post("login", "login", _user="il", _pass=house.password("il"))
    assert answer.status_code != 302


def test_cookies_are_for_this_site_alone(il: Roundcube) -> None:
    il.session.cookies.clear()
    answer = il.get("/?_task=login")
    (cookie,) = answer.raw.headers.getlist("Set-Cookie")
    assert {"secure", "httponly", "samesite=strict"} <= {
        part.strip().lower() for part in cookie.split(";")[1:]
    }


def test_a_session_ends_with_the_log_out(il: Roundcube) -> None:
    kept = il.session.cookies.copy()
    il.get(f"/?_task=logout&_token={il.token}")
    il.session.cookies = kept
    assert 'name="_pass"' in il.page("mail").text


@pytest.mark.any_house
@pytest.mark.parametrize(
    "path",
    [
        *("/config/config.inc.php", "/config/", "/logs/errors.log", "/temp/", "/SQL/sqlite.initial.sql"),
        *("/bin/updatedb.sh", "/installer/", "/installer/index.php", "/program/include/iniset.php"),
        *("/program/localization/en_US/labels.inc", "/plugins/managesieve/config.inc.php"),
        *("/plugins/house_identities/house_identities.php", "/plugins/password/config.inc.php.dist"),
        *(
            "/skins/elastic/meta.json",
            "/composer.json",
            "/.htaccess",
            "/index.php/mail",
            "/vendor/autoload.php",
        ),
        *("/skins/../../../etc/roundcube/config.inc.php", "/skins/%2e%2e/%2e%2e/config/config.inc.php"),
        *("/program/../config/config.inc.php", "/roundcube.db", "/people.json"),
    ],
)
def test_nothing_but_the_page_is_served(roundcube: Roundcube, path: str) -> None:
    assert roundcube.get(path).status_code in (400, 404)


@pytest.mark.any_house
def test_what_the_pages_are_made_of_is_served(roundcube: Roundcube) -> None:
    page = roundcube.page("login").text
    parts = set(re.findall(r'(?:src|href)="((?:skins|plugins|program)/[^"]+)"', page))
    assert {"css", "js"} <= {part.partition("?")[0].rpartition(".")[2] for part in parts}
    for part in sorted(parts):
        answer = roundcube.get(f"/{part}")
        assert answer.status_code == 200, part
        assert "max-age=2592000" in answer.headers["Cache-Control"]


@pytest.mark.any_house
def test_headers(roundcube: Roundcube) -> None:
    answer = roundcube.get("/")
    assert answer.status_code == 200
    assert answer.headers["X-Frame-Options"].lower() == "sameorigin"
    assert answer.headers["Strict-Transport-Security"] == "max-age=31536000"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "X-Powered-By" not in answer.headers
    assert "X-House-Remote" not in answer.headers
    policy = dict(
        part.strip().partition(" ")[::2] for part in answer.headers["Content-Security-Policy"].split(";")
    )
    assert policy["img-src"] == "'self' data: blob:"
    assert policy["default-src"] == "'self'"
    assert policy["object-src"] == "'none'"


@pytest.mark.any_house
def test_plain_http_leads_to_https(roundcube: Roundcube) -> None:
    answer = requests.get(f"http://{roundcube.name}/?_task=mail", allow_redirects=False, timeout=10)
    assert answer.status_code == 301
    assert answer.headers["Location"] == f"https://{roundcube.name}/?_task=mail"


@pytest.mark.any_house
@pytest.mark.parametrize(
    ("wanted", "word"), [("ko", "로그인"), ("ko-KR,en;q=0.5", "로그인"), ("en", "Login")]
)
def test_the_page_speaks_the_browsers_language(roundcube: Roundcube, wanted: str, word: str) -> None:
    roundcube.session.headers["Accept-Language"] = wanted
    assert word in roundcube.page("login").text


@pytest.mark.any_house
def test_what_is_secret_is_for_root_and_the_application(app: Host, roundcube_name: str) -> None:
    assert roundcube_name
    files = "/etc/ilnmors-roundcube/config.inc.php /etc/ilnmors-roundcube/key.php"
    assert app.check_output(f"stat --format '%U %G %a' {files}").splitlines() == ["root roundcube 640"] * 2
    assert app.check_output("stat --format '%U %a' /var/lib/ilnmors-roundcube") == "roundcube 700"
    assert app.run("runuser -u www-data -- cat /etc/ilnmors-roundcube/key.php").rc != 0


@pytest.mark.usefixtures("guests_filters")
def test_ordinary_use_leaves_no_complaint(il: Roundcube, house: House, app: Host, mark: str) -> None:
    cursor = app.check_output("journalctl --lines 0 --show-cursor").rpartition(" ")[2]
    assert il.send(f"guest@{house.domain}", mark, "A text.").status_code == 200
    guest = il.another()
    assert guest.log_in("guest", house.password("guest")).status_code == 302
    uid = wait_for(lambda: guest.find(mark), "the message arrives")[0]
    for action in ("show", "preview", "print"):
        assert mark in guest.page("mail", action, _uid=uid, _mbox="INBOX").text
    for task, action in [
        *(("mail", "compose"), ("addressbook", ""), ("settings", ""), ("settings", "identities")),
        *(
            ("settings", "folders"),
            ("settings", "plugin.managesieve"),
            ("settings", "plugin.managesieve-vacation"),
        ),
        *(("settings", "plugin.managesieve-forward"), ("settings", "about")),
    ]:
        assert guest.page(task, action).status_code == 200
    said = app.check_output(
        f"journalctl --after-cursor '{cursor}' --identifier roundcube --output cat --quiet"
    )
    assert [line for line in said.splitlines() if not line.startswith("Logged in: ")] == []


def test_old_sessions_and_files_go(app: Host, roundcube_name: str) -> None:
    assert roundcube_name
    for unit in ("roundcube-gc", "roundcube-cleandb"):
        assert app.check_output(f"systemctl is-active {unit}.timer") == "active"
        app.check_output(f"systemctl start {unit}.service")
        assert app.check_output(f"systemctl show --property Result --value {unit}.service") == "success"


def test_the_application_reads_every_secret_that_it_has_written(app: Host, roundcube_name: str) -> None:
    """Or some people, at some logins, could not send or filter."""
    assert roundcube_name
    run_program(
        app,
        """
        for ($i = 0; $i < 5000; $i++) {
            $read = $rcmail->decrypt($rcmail->encrypt("a password {$i}"));
            if ($read !== "a password {$i}") exit(1);
        }
        """,
    )
