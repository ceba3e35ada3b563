"""The webmail, as a browser and the internet meet it.

What only the real application can show is skipped where the stand-in is deployed.
"""

from __future__ import annotations

import base64
import json
import secrets
import socket
import ssl
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
from ansible_collections.ilnmors.mail.tests.behaviour.support import clients
from ansible_collections.ilnmors.mail.tests.behaviour.support.house import House, wait_for
from ansible_collections.ilnmors.mail.tests.behaviour.support.webmail_client import Webmail
from testinfra.host import Host

DATA = "/var/lib/snappymail"
PRIVATE = f"{DATA}/_data_/_default_"
RELEASE = "/usr/share/snappymail/current"

INVALID_TOKEN = 101
AUTH_ERROR = 102
CONNECTION_ERROR = 104
DOMAIN_NOT_ALLOWED = 109
FILTERS_UNREACHABLE = 352
INVALID_INPUT = 903


# --- the web server


@pytest.mark.any_house
def test_the_login_page_comes_over_verified_tls(webmail: Webmail) -> None:
    page = webmail.get("/")
    assert page.status_code == 200
    assert b'name="Email"' in page.content
    assert b'name="Password"' in page.content


@pytest.mark.any_house
def test_the_certificate_is_the_webmails_own(house: House) -> None:
    """Asked for another name, the host has no certificate, or that of another site."""
    with socket.create_connection((house.webmail_hostname, 443), 10) as raw, pytest.raises(ssl.SSLError):
        clients.tls(house.ca_file).wrap_socket(raw, server_hostname=f"other.{house.domain}")


@pytest.mark.any_house
@pytest.mark.parametrize("host", ["other.{domain}", "{webmail}.other.test", "127.0.0.1", "webmail.invalid"])
def test_no_other_name_leads_to_the_webmail(webmail: Webmail, house: House, host: str) -> None:
    name = host.format(domain=house.domain, webmail=house.webmail_hostname)
    answer = webmail.session.get(f"{webmail.base}/", headers={"Host": name}, timeout=10)
    assert answer.status_code != 200 or b'name="Password"' not in answer.content


@pytest.mark.any_house
def test_plain_http_only_redirects(house: House) -> None:
    address = f"{house.webmail_hostname}/somewhere?a=b"
    answer = requests.get(f"http://{address}", timeout=10, allow_redirects=False)
    assert (answer.status_code, answer.headers["Location"]) == (301, f"https://{address}")


@pytest.mark.any_house
def test_http_2_is_spoken(house: House) -> None:
    context = clients.tls(house.ca_file)
    context.set_alpn_protocols(["h2", "http/1.1"])
    with (
        socket.create_connection((house.webmail_hostname, 443), 10) as raw,
        context.wrap_socket(raw, server_hostname=house.webmail_hostname) as tls,
    ):
        assert tls.selected_alpn_protocol() == "h2"


@pytest.mark.any_house
@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
def test_old_tls_is_refused(house: House) -> None:
    context = clients.tls(house.ca_file)
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.maximum_version = ssl.TLSVersion.TLSv1_1
    with socket.create_connection((house.webmail_hostname, 443), 10) as raw, pytest.raises(ssl.SSLError):
        context.wrap_socket(raw, server_hostname=house.webmail_hostname)


@pytest.mark.any_house
@pytest.mark.parametrize("path", ["/", "/nowhere", "/?/AppData/0/1/", "/setup/"])
@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("Content-Security-Policy", "frame-ancestors 'none'"),
        ("Permissions-Policy", "geolocation=()"),
        ("Referrer-Policy", "no-referrer"),
        ("Strict-Transport-Security", "max-age=31536000"),
        ("X-Content-Type-Options", "nosniff"),
        ("X-Frame-Options", "DENY"),
    ],
)
def test_headers_are_strict(webmail: Webmail, path: str, header: str, value: str) -> None:
    found = webmail.get(path).raw.headers.getlist(header)
    assert any(value in one for one in found), found
    assert len(found) == 1 or header == "Content-Security-Policy", found


@pytest.mark.any_house
def test_versions_are_not_announced(webmail: Webmail) -> None:
    headers = webmail.get("/").headers
    assert headers["Server"] == "nginx"
    assert "X-Powered-By" not in headers


@pytest.mark.any_house
@pytest.mark.parametrize(
    "path",
    [
        "/.htaccess",
        "/README.md",
        "/_include.php",
        "/data/",
        "/data/VERSION",
        "/include.php",
        "/index.php/",
        "/nowhere",
        "/_data_/_default_/configs/application.ini",
        "{home}/",
        "{home}/app/domains/default.json",
        "{home}/include.php",
        "{home}/static/",
        "{home}/static/../include.php",
        "{home}/static/%2e%2e/include.php",
    ],
)
def test_nothing_else_is_served(webmail: Webmail, app: Host, path: str) -> None:
    home = app.check_output(f"cd {RELEASE} && echo */v/*")
    assert webmail.get(path.format(home=f"/{home}")).status_code == 404


@pytest.mark.any_house
def test_a_page_may_ask_for_much_at_once(house: House) -> None:
    """Such as the pictures of a message."""
    with ThreadPoolExecutor(16) as browser:
        pages = browser.map(
            lambda __: Webmail(house.webmail_hostname, house.ca_file).get("/?/AppData/0/1/"), range(16)
        )
        assert [page.status_code for page in pages] == [200] * 16


@pytest.mark.any_house
def test_the_releases_files_are_served(webmail: Webmail, app: Host) -> None:
    path = app.check_output(f"cd {RELEASE} && find */v/*/static -name '*.css' | head -n 1")
    page = webmail.get(f"/{path}")
    assert (page.status_code, page.content) == (200, app.file(f"{RELEASE}/{path}").content)
    assert page.headers["Content-Type"] == "text/css"


# --- logging in and sending


def test_a_user_logs_in_and_out(webmail: Webmail, house: House) -> None:
    answer = webmail.log_in(house.login("il"), house.password("il"))
    assert answer["Result"], answer
    assert webmail.start()["Auth"]
    assert webmail.act("Logout")["Result"]
    assert not webmail.start()["Auth"]


@pytest.mark.parametrize("remember", [False, True], ids=["session", "remembered"])
def test_cookies_of_before_a_log_out_open_nothing(
    real_webmail: Webmail, house: House, remember: bool
) -> None:
    """Nor do they once the same browser has logged in again."""
    assert real_webmail.log_in(house.login("il"), house.password("il"), remember)["Result"]
    saved = real_webmail.another()
    saved.session.cookies.update(real_webmail.session.cookies)
    assert saved.start()["Auth"]
    kept = saved.session.cookies.copy()
    assert real_webmail.act("Logout")["Result"]
    assert not real_webmail.start()["Auth"]
    for __ in range(2):
        thief = real_webmail.another()
        thief.session.cookies.update(kept)
        assert not thief.start()["Auth"]
        assert not thief.act("Folders")["Result"]
        assert real_webmail.log_in(house.login("il"), house.password("il"))["Result"]
    assert real_webmail.start()["Auth"]


def test_cookies_stay_with_the_site(webmail: Webmail, house: House) -> None:
    answer = webmail.log_in(house.login("il"), house.password("il"))
    assert answer["Result"], answer
    cookies = {cookie.name: cookie for cookie in webmail.session.cookies}
    assert {"smtoken", "smaccount"} <= set(cookies)
    for cookie in cookies.values():
        assert cookie.secure, cookie
        assert cookie.get_nonstandard_attr("SameSite") == "Strict", cookie
    assert cookies["smaccount"].has_nonstandard_attr("HttpOnly")


def test_a_wrong_password_is_refused(webmail: Webmail, house: House) -> None:
    answer = webmail.log_in(house.login("il"), "wrong")
    assert (answer["Result"], answer["code"]) == (False, AUTH_ERROR)


@pytest.mark.parametrize("domain", ["elsewhere.test", "localhost", "default"])
def test_other_domains_are_unknown(webmail: Webmail, domain: str) -> None:
    answer = webmail.log_in(f"someone@{domain}", "a password")
    assert (answer["Result"], answer["code"]) == (False, DOMAIN_NOT_ALLOWED)


def test_a_request_of_another_site_is_refused(webmail: Webmail, house: House) -> None:
    webmail.log_in(house.login("il"), house.password("il"))
    webmail.token = "guessed"
    answer = webmail.act("SendMessage")
    assert (answer["Result"], answer["code"]) == (False, INVALID_TOKEN)


def test_a_message_sent_here_arrives(webmail: Webmail, house: House) -> None:
    il, guest = house.login("il"), house.login("guest")
    webmail.log_in(il, house.password("il"))
    subject = f"webmail {secrets.token_hex(8)}"
    parameters = {"from": il, "to": guest, "subject": subject, "plain": "Written in the webmail.\n"}
    answer = webmail.act("SendMessage", **parameters)
    assert answer["Result"], answer
    with clients.imap(house.mail_hostname, house.ca_file) as imap:
        imap.login(guest, house.password("guest"))

        def find() -> bytes:
            imap.select("INBOX", readonly=True)
            return bytes(imap.uid("SEARCH", "SUBJECT", f'"{subject}"')[1][0])

        message = clients.parse(clients.fetch(imap, wait_for(find, f"the message {subject!r}")))
    assert message["From"].addresses[0].addr_spec == il
    assert message.get_content().strip() == "Written in the webmail."


# --- what the application may do on its host


@pytest.mark.any_house
def test_data_is_the_applications_alone(app: Host) -> None:
    folder = app.file(DATA)
    assert (folder.user, folder.group, folder.mode) == ("root", "snappymail", 0o1770)


@pytest.mark.any_house
@pytest.mark.parametrize(
    "path",
    [
        f"{PRIVATE}/configs",
        f"{PRIVATE}/configs/application.ini",
        f"{PRIVATE}/domains",
        f"{PRIVATE}/domains/disabled",
        "/etc/snappymail/include.php",
        "/usr/share/snappymail",
        f"{RELEASE}/index.php",
    ],
)
def test_the_application_cannot_change_its_settings(app: Host, path: str) -> None:
    assert app.run_test(f"runuser -u snappymail -- test -r {path}").rc == 0
    assert app.run_test(f"runuser -u snappymail -- test -w {path}").rc == 1


@pytest.mark.parametrize("path", [f"{DATA}/_data_", PRIVATE, f"{PRIVATE}/configs", f"{PRIVATE}/plugins"])
def test_the_application_cannot_put_other_settings_in_their_place(app: Host, path: str) -> None:
    refused = app.run(f"runuser -u snappymail -- mv --no-target-directory {path} {path}.away")
    app.run(f"mv --no-target-directory {path}.away {path}")
    assert "Operation not permitted" in refused.stderr, refused


@pytest.fixture
def other_mail_host(app: Host, house: House) -> Iterator[Callable[..., str]]:
    """Return what takes a mail host, and returns a domain whose logins go there, or what else of a service."""
    domain = f"verify-{secrets.token_hex(4)}.test"
    folder = f"{PRIVATE}/domains"

    def serve(host: str, service: str = "IMAP") -> str:
        settings = json.loads(app.file(f"{folder}/{house.domain}.json").content_string)
        settings[service]["host"] = host
        # Without the domain, which the house does not know.
        for options in (settings["IMAP"], settings["SMTP"], settings["Sieve"]):
            options["shortLogin"] = True
        app.check_output(f"printf %s > {folder}/{domain}.json", json.dumps(settings))
        app.check_output(f"chmod 0644 {folder}/{domain}.json")
        return domain

    yield serve
    app.check_output(f"rm -f {folder}/{domain}.json")


@pytest.mark.parametrize(
    ("host", "code"),
    [
        ("{house.mail_hostname}", AUTH_ERROR),
        # Another name than those of its certificate, and an authority that the house does not know.
        ("{house.mail_address}", CONNECTION_ERROR),
        ("imap.gmail.test", CONNECTION_ERROR),
    ],
    ids=["verified", "wrong-name", "unknown-authority"],
)
@pytest.mark.usefixtures("provider")
def test_passwords_go_to_a_verified_mail_host_alone(
    webmail: Webmail, house: House, other_mail_host: Callable[..., str], host: str, code: int
) -> None:
    domain = other_mail_host(host.format(house=house))
    answer = webmail.log_in(f"nobody@{domain}", "a password")
    assert (answer["Result"], answer["code"]) == (False, code)


@pytest.mark.any_house
def test_only_the_house_is_configured(app: Host, house: House) -> None:
    assert set(app.file(f"{PRIVATE}/domains").listdir()) == {"disabled", f"{house.domain}.json"}


@pytest.mark.any_house
def test_the_key_of_stored_secrets_is_private(app: Host) -> None:
    salt = app.file(f"{DATA}/SALT.php")
    assert (salt.user, salt.mode) == ("snappymail", 0o600)


# --- what only the real application has


@pytest.mark.usefixtures("provider")
@pytest.mark.parametrize(
    ("service", "action", "host", "code"),
    [
        ("SMTP", "SendMessage", "{house.mail_address}", CONNECTION_ERROR),
        ("SMTP", "SendMessage", "smtp.gmail.test", CONNECTION_ERROR),
        ("Sieve", "Filters", "{house.mail_address}", FILTERS_UNREACHABLE),
    ],
    ids=["SMTP-wrong-name", "SMTP-unknown-authority", "ManageSieve-wrong-name"],
)
def test_nothing_is_sent_or_filtered_by_an_unverified_mail_host(
    real_webmail: Webmail,
    house: House,
    other_mail_host: Callable[..., str],
    service: str,
    action: str,
    host: str,
    code: int,
) -> None:
    il = f"il@{other_mail_host(host.format(house=house), service)}"
    assert real_webmail.log_in(il, house.password("il"))["Result"]
    answer = real_webmail.act(
        action, **{"from": il, "to": house.login("il"), "subject": "never", "plain": "."}
    )
    assert (answer["Result"], answer["code"]) == (False, code)


def test_nobody_makes_the_server_fetch_addresses(real_webmail: Webmail, app: Host) -> None:
    """The application's image proxy answers strangers; it must be off (SnappyMail's use_local_proxy…)."""
    mark = secrets.token_hex(8)
    url = base64.urlsafe_b64encode(f"http://127.0.0.1/{mark}".encode()).decode().rstrip("=")
    real_webmail.get(f"/?/ProxyExternal/{url}/")
    assert app.run_test(f"grep -r {mark} /var/log/nginx/").rc == 1


@pytest.mark.parametrize("action", ["PgpSearchKey", "pgpsearchkey", "PgpImportKey"])
def test_nobody_makes_the_server_ask_key_servers(real_webmail: Webmail, action: str) -> None:
    """The application asks them for anyone, without a login."""
    real_webmail.start()
    answer = real_webmail.act(action, query="someone", email="someone@elsewhere.test")
    assert (answer["Result"], answer["code"]) == (False, INVALID_INPUT)


@pytest.mark.parametrize("action", ["SaveContactsSyncData", "ContactsSync"])
def test_people_make_the_server_ask_no_addresses(real_webmail: Webmail, house: House, action: str) -> None:
    """The application synchronizes contacts with any address, even where that is turned off."""
    real_webmail.log_in(house.login("il"), house.password("il"))
    answer = real_webmail.act(action, Mode=1, User="il", Password="", Url="http://127.0.0.1/")
    assert (answer["Result"], answer["code"]) == (False, INVALID_INPUT)


@pytest.mark.any_house
def test_the_admin_panel_is_closed(real_webmail: Webmail) -> None:
    assert real_webmail.get("/?admin").status_code == 403


def test_folders_and_filters_are_reached(real_webmail: Webmail, house: House) -> None:
    real_webmail.log_in(house.login("il"), house.password("il"))
    folders = real_webmail.act("Folders")["Result"]["@Collection"]
    assert "INBOX" in {folder["fullName"] for folder in folders}
    answer = real_webmail.act("Filters")
    assert answer["Result"], answer
