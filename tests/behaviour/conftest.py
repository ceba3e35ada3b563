"""What the behaviour tests know of the house they run against: the lab, or any inventory.

Run them with `pytest tests/behaviour --ansible-inventory INVENTORY`.
"""

from __future__ import annotations

import secrets
import socket
import ssl
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import testinfra
from ansible_collections.ilnmors.mail.tests.behaviour.support import any_house, letters
from ansible_collections.ilnmors.mail.tests.behaviour.support.house import FOLDERS, House, wait_for
from ansible_collections.ilnmors.mail.tests.behaviour.support.letters import Post
from ansible_collections.ilnmors.mail.tests.behaviour.support.sieve_client import ManageSieve
from ansible_collections.ilnmors.mail.tests.behaviour.support.site_run import ROLES, SITE, Run, Site, run_site
from ansible_collections.ilnmors.mail.tests.behaviour.support.webmail_client import Webmail
from ansible_collections.ilnmors.mail.tests.behaviour.support.webmail_role import Role
from testinfra.host import Host

FACTS = {
    "name": "inventory_hostname",
    "lab": "lab_network is defined",
    "connected": "ansible_host | default(inventory_hostname)",
    "groups": "groups",
    "domain": "mail_domain",
    "mail_hostname": "mail_hostname | default('mail.' ~ mail_domain)",
    "webmail_hostname": "mail_webmail_hostname | default('webmail.' ~ mail_domain)",
    "webmails": (
        "dict(['snappymail', 'roundcube'] | zip([snappymail_hostname | default(''), roundcube_hostname | default('')]))"
        " | dict2items | selectattr('key', 'in', [mail_webmail | default('snappymail')] | flatten) | items2dict"
    ),
    "autoconfig_hostnames": (
        "mail_autoconfig_hostnames | default(['autoconfig.' ~ mail_domain, 'autodiscover.' ~ mail_domain])"
    ),
    "people": "mail_users | default([], true) | map(attribute='name') | list",
    "machines": "mail_services | default([], true) | map(attribute='name') | list",
    # The lab says who is in its directory; an account of the house has the name to itself.
    "accounts": "lab_people | default([]) + mail_users | default([], true) + mail_services | default([], true)",
    "metrics": (
        "[dovecot_imap_metrics_address | default(mail_monitoring_address | default('')), "
        "dovecot_imap_metrics_port | default(mail_monitoring_dovecot_port | default(9900))]"
    ),
    "node_exporter_port": "mail_monitoring_port | default(9100) if mail_monitoring_address | default('') else 0",
    "fetch_metrics": (
        "mbsync_fetch_metrics_directory | default("
        "mail_monitoring_directory | default('/var/lib/prometheus/node-exporter') "
        "if mail_monitoring_address | default('') else '')"
    ),
    "ca": (
        "mail_tls_ca | default('/etc/ssl/certs/ca-certificates.crt' if mail_tls_certificate | default('', true) "
        "else '/etc/ssl/ilnmors-mail/ca.pem', true)"
    ),
    "days": "{'Trash': dovecot_imap_trash_days | default(0), 'Junk': dovecot_imap_junk_days | default(0)}",
    "bans": "{'mail': postfix_relay_ban | default(true), 'webmail': webmail_host_ban | default(true)}",
    "fts": "dovecot_imap_fts | default(true)",
    "fts_attachments": "dovecot_imap_fts_attachments | default(false)",
    # Only the lab knows addresses; the names of a real house are in its DNS.
    "address": "lab_address | default('')",
    "providers": "lab_providers | default([])",
    # What the docker client of this machine calls the host; empty where it is none of its containers.
    "container": (
        "(ansible_host | default(inventory_hostname)) if 'docker' in ansible_connection | default('') else ''"
    ),
}

pytest_plugins = [
    "ansible_collections.ilnmors.mail.tests.behaviour.support.browser",
    "ansible_collections.ilnmors.mail.tests.behaviour.support.webmails",
]

HOSTS = pytest.StashKey[dict[str, Host]]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[HOSTS] = {}
    config.addinivalue_line("markers", "any_house: runs against any house, and leaves it as it was")
    config.addinivalue_line(
        "markers", "lab_only(reason): in a module that is for any house, runs in a lab alone"
    )


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--provider-ca", default=".lab/provider-ca.pem", help="CA file of the lab's providers")
    parser.addoption(
        "--as-user",
        action="append",
        default=[],
        metavar="NAME",
        help="a person whose mailbox the tests may use; once more for another (default: the first two in mail_users)",
    )
    parser.addoption(
        "--any-house", action="store_true", help="take a lab for any house: run only what leaves it as it was"
    )


@pytest.fixture(scope="session")
def inventory(request: pytest.FixtureRequest) -> dict[str, dict[str, Any]]:
    """Return what Ansible knows of each host, with variables filled in."""
    return any_house.read(request.config, FACTS)


def connect(request: pytest.FixtureRequest, inventory: dict[str, dict[str, Any]], group: str) -> Host:
    """Return the first host of a group; skip where there is none."""
    hosts = next(iter(inventory.values()))["groups"].get(group)
    if not hosts:
        pytest.skip(f"needs a host in the group {group!r}")
    path = request.config.getoption("--ansible-inventory")
    options = f"&ansible_inventory={path}" if path else ""
    # A lab's way is short; whatever else an inventory says of a connection, only Ansible understands.
    way = "False" if any_house.is_lab(request.config, inventory) else "True"
    host = testinfra.get_host(f"ansible://{hosts[0]}?force_ansible={way}{options}")
    request.config.stash[HOSTS][hosts[0]] = host
    return host


@pytest.fixture(scope="session")
def mail(request: pytest.FixtureRequest, inventory: dict[str, dict[str, Any]]) -> Host:
    """Return the mail host."""
    return connect(request, inventory, "mail")


@pytest.fixture(scope="session")
def app(request: pytest.FixtureRequest, inventory: dict[str, dict[str, Any]]) -> Host:
    """Return the webmail host."""
    return connect(request, inventory, "webmail")


@pytest.fixture(scope="session")
def provider(request: pytest.FixtureRequest, inventory: dict[str, dict[str, Any]]) -> Host:
    """Return the lab's stand-in for public providers."""
    return connect(request, inventory, "provider")


@pytest.fixture(scope="session")
def stand_ins(inventory: dict[str, dict[str, Any]]) -> dict[str, str]:
    """Return the address of each of the lab's providers, by its name."""
    return {one["name"]: one["address"] for facts in inventory.values() for one in facts["providers"]}


@pytest.fixture(scope="session")
def directory(request: pytest.FixtureRequest, inventory: dict[str, dict[str, Any]]) -> Host:
    """Return the LDAP server."""
    return connect(request, inventory, "directory")


@pytest.fixture(scope="session")
def house(
    request: pytest.FixtureRequest,
    inventory: dict[str, dict[str, Any]],
    mail: Host,
    tmp_path_factory: pytest.TempPathFactory,
) -> House:
    """Return the house, its CA certificate fetched from the mail host."""
    facts = next(iter(inventory.values()))
    ca_file = tmp_path_factory.mktemp("house") / "ca.pem"
    ca_file.write_bytes(mail.file(facts["ca"]).content)
    addresses = any_house.addresses(request.config, inventory)
    passwords = {account["name"]: account.get("password", "") for account in facts["accounts"]}
    known = [name for name in facts["people"] if passwords[name]]

    return House(
        domain=facts["domain"],
        mail_hostname=facts["mail_hostname"],
        webmail_hostname=facts["webmail_hostname"],
        webmails={role: own or facts["webmail_hostname"] for role, own in facts["webmails"].items()},
        mail_address=addresses["mail"],
        webmail_address=addresses["webmail"],
        autoconfig_hostnames=tuple(facts["autoconfig_hostnames"]),
        ca_file=str(ca_file),
        people=tuple(facts["people"]),
        users=tuple(request.config.getoption("--as-user") or known[:2]),
        machines=tuple(facts["machines"]),
        passwords=passwords,
    )


@pytest.fixture
def webmail_bans(inventory: dict[str, dict[str, Any]]) -> None:
    """Skip where the webmail bans nobody."""
    if not next(iter(inventory.values()))["bans"]["webmail"]:
        pytest.skip("needs a webmail that bans addresses which guess passwords (webmail_host_ban)")


@pytest.fixture(scope="session")
def authority(house: House, inventory: dict[str, dict[str, Any]]) -> bytes:
    """Return the certificate of the house's own authority, as DER."""
    if next(iter(inventory.values()))["ca"] != "/etc/ssl/ilnmors-mail/ca.pem":
        pytest.skip("needs a house whose certificates the collection issues")
    return ssl.PEM_cert_to_DER_cert(Path(house.ca_file).read_text())


@pytest.fixture(scope="session")
def days(inventory: dict[str, dict[str, Any]]) -> dict[str, int]:
    """Return after how many days messages go, by folder; 0 is never."""
    found: dict[str, int] = next(iter(inventory.values()))["days"]
    return found


@pytest.fixture(scope="session", autouse=True)
def _names(house: House, inventory: dict[str, dict[str, Any]]) -> Iterator[None]:
    """Let the house's names, and the lab's providers', resolve in this process without a DNS server."""
    known = house.addresses
    for facts in inventory.values():
        for stand_in in facts["providers"]:
            known |= dict.fromkeys(stand_in["names"], stand_in["address"])
    real = socket.getaddrinfo

    def getaddrinfo(host: Any, *rest: Any, **options: Any) -> Any:
        return real(known.get(host, host), *rest, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket, "getaddrinfo", getaddrinfo)
        yield


@pytest.fixture(scope="session")
def site(
    request: pytest.FixtureRequest,
    inventory: dict[str, dict[str, Any]],
    tmp_path_factory: pytest.TempPathFactory,
) -> Site:
    """Return what runs the site playbook with other variables; the lab alone is good enough for that."""
    if not next(iter(inventory.values()))["groups"].get("provider"):
        pytest.skip("runs the site playbook with other variables: only against the lab")
    path = request.config.getoption("--ansible-inventory")

    def run(
        variables: dict[str, Any],
        *options: str,
        hosts: str = "",
        roles: Sequence[str] = (),
        killed_after: str = "",
    ) -> Run:
        playbook = ROLES if roles else SITE
        extra = {"some_hosts": hosts, "some_roles": roles} if roles else {}
        folder = tmp_path_factory.mktemp("site")
        return run_site(
            path, variables | extra, folder, *options, playbook=playbook, killed_after=killed_after
        )

    return run


@pytest.fixture(scope="session")
def role(site: Site) -> Role:
    """Return what runs the webmail's role with other variables, or the one before it too where it reads one."""

    def run(*options: str, **variables: object) -> Run:
        shared = ["webmail_host"] if any(name.startswith("webmail_host_") for name in variables) else []
        return site(variables, *options, hosts="webmail", roles=[*shared, "snappymail"])

    return run


@pytest.fixture(scope="session")
def provider_ca(request: pytest.FixtureRequest) -> str:
    """Return the CA file of the lab's providers."""
    path = Path(request.config.getoption("--provider-ca"))
    if not path.exists():
        pytest.skip(f"needs the CA certificate of the lab's providers in {path}")
    return str(path)


@pytest.fixture
def mark(house: House) -> Iterator[str]:
    """Return a word for subjects; what has it is removed from the mailboxes of il and guest in the end."""
    word = f"webmail{secrets.token_hex(6)}"
    yield word
    for name in ("il", "guest"):
        with house.imap(name) as imap:
            for folder in FOLDERS:
                imap.select(folder)
                found = imap.uid("SEARCH", "SUBJECT", word)[1][0].decode().replace(" ", ",")
                if found:
                    imap.uid("STORE", found, "+FLAGS", r"(\Deleted)")
                    imap.uid("EXPUNGE", found)


@pytest.fixture
def post(house: House, mail: Host) -> Iterator[Post]:
    """Return what lets somebody of the house write to the reader; the messages are gone in the end."""
    # Asked for scripts, Dovecot makes a place for them.
    home = mail.check_output("doveadm user -f home %s", house.login(house.reader))
    if mail.run("test -L %s", f"{home}/.dovecot.sieve").rc == 0:
        pytest.skip(f"needs a person whose mail no filter forwards or answers: {house.reader} has one")
    sent = []

    def send(text: str = "Hello.\n", *, sender: str = "", to: str = "") -> str:
        sent.append(letters.post(house, sender or house.writer, house.reader, text=text, to=to))
        wait_for(lambda: house.received(house.reader, sent[-1]), f"the message {sent[-1]} arrives")
        return sent[-1]

    yield send
    remove = "doveadm expunge -u %s mailbox INBOX HEADER Message-ID %s"
    for message_id in sent:
        mail.check_output(remove, house.login(house.reader), message_id)


@pytest.fixture
def filters(house: House) -> Iterator[ManageSieve]:
    """Return ManageSieve of guest, who has no filters before and after the test."""
    with ManageSieve(house.mail_hostname, house.ca_file) as client:
        client.log_in(house.login("guest"), house.password("guest"))
        if client.scripts():
            pytest.skip("needs a person, guest, without Sieve scripts of their own")
        yield client
        client.command("SETACTIVE", "")
        for name in client.scripts():
            client.command("DELETESCRIPT", name)


@pytest.fixture
def webmail(house: House) -> Webmail:
    """Return a browser that has not been at SnappyMail yet."""
    return Webmail(house.at("snappymail").webmail_hostname, house.ca_file)


@pytest.fixture
def version(webmail: Webmail) -> str:
    return str(webmail.start()["System"]["version"])


@pytest.fixture
def real_webmail(webmail: Webmail) -> Webmail:
    """Return the same, where the deployed application is the real one."""
    if webmail.is_standin():
        pytest.skip(
            "the webmail's stand-in is deployed; SNAPPYMAIL_ARCHIVE=/path/to/archive deploys the real one"
        )
    return webmail


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not config.option.collectonly:
        any_house.choose(config, items, any_house.read(config, FACTS))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    any_house.report(config, terminalreporter)


JOURNAL = "journalctl --no-pager --quiet --lines 60 --since @{since} " + " ".join(
    f"--unit '{unit}'"
    for unit in (
        "postfix*",
        "dovecot",
        "mail-oauth2*",
        "mbsync-fetch*",
        "mail-backup*",
        "nginx",
        "php*",
        "prometheus-alertmanager",
        "cron",
    )
)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Print what the units of the house said while a test failed."""
    report = yield
    if report.failed:
        for name, host in item.config.stash[HOSTS].items():
            said = host.run(JOURNAL.format(since=int(call.start))).stdout
            report.sections.append((f"journal of {name}", said))
    return report
