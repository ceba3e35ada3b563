# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a fetch may do on its host, what becomes of an account that is no longer listed, and who fetches it."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from ansible_collections.ilnmors.mail.tests.behaviour.support import clients
from ansible_collections.ilnmors.mail.tests.behaviour.support.house import House
from ansible_collections.ilnmors.mail.tests.behaviour.support.site_run import Run, Site
from testinfra.host import Host

NAME, ACCOUNT, OWNER, FOLDER = "naver", "il@naver.test", "guest", "Naver/INBOX"
UNIT = f"mbsync-fetch@{NAME}.service"

# Says what a door says first, or why it does not open.
KNOCK = """import socket, sys
try:
    door = socket.socket(socket.AF_UNIX)
    door.settimeout(20)
    door.connect(sys.argv[1])
    print(door.recv(4096).decode())
except PermissionError:
    print("not allowed")"""


@pytest.fixture(scope="module")
def accounts(mail: Host) -> list[str]:
    """Return the accounts that are fetched, two or more."""
    found = mail.run("ls /etc/mbsync-fetch/accounts").stdout.split()
    names = sorted(file.removesuffix(".json") for file in found if file.endswith(".json"))
    if len(names) < 2:
        pytest.skip("needs two accounts that are fetched")
    return names


def as_user(mail: Host, name: str, command: str) -> str:
    """Return what a command says that runs as the user who fetches an account."""
    return str(mail.run(f"runuser -u mbsync-fetch-{name} -- {command}").stdout).strip()


def knock(mail: Host, name: str, door: str) -> str:
    return as_user(mail, name, f"python3 -c '{KNOCK}' /run/mbsync-fetch-house/{door}")


def test_a_fetch_reads_its_own_files_alone(mail: Host, accounts: list[str]) -> None:
    places = "/etc/mbsync-fetch /var/lib/mbsync-fetch /var/lib/mail-oauth2 /var/vmail /etc/dovecot/users"
    for name in accounts:
        own = (f"/etc/mbsync-fetch/accounts/{name}.", f"/var/lib/mbsync-fetch/{name}/")
        readable = as_user(mail, name, f"find {places} -type f -readable").splitlines()
        assert f"/etc/mbsync-fetch/accounts/{name}.json" in readable
        assert [path for path in readable if not path.startswith(own)] == []
        written = as_user(mail, name, "find /etc/mbsync-fetch /usr/local/lib/mbsync-fetch -writable")
        assert written == ""


def test_a_door_opens_to_its_own_account_alone(mail: Host, house: House, accounts: list[str]) -> None:
    first, second = accounts[:2]
    owner = json.loads(mail.check_output(f"cat /etc/mbsync-fetch/accounts/{first}.json"))["owner"]
    assert f"Logged in as {owner}" in knock(mail, first, first)
    assert knock(mail, second, first) == "not allowed"
    assert mail.run(
        f"runuser -u nobody -- python3 -c '{KNOCK}' /run/mbsync-fetch-house/{first}"
    ).stdout.strip() == ("not allowed")
    assert owner.endswith(f"@{house.domain}")


@pytest.mark.parametrize("unit", ["mbsync-fetch@{}", "mbsync-fetch-watch@{}"])
def test_units_have_few_rights(mail: Host, accounts: list[str], unit: str) -> None:
    for name in accounts:
        mail.check_output(f"systemd-analyze security --threshold=15 {unit.format(name)}.service")


SECRETS = """import glob, json
files = glob.glob("/etc/mbsync-fetch/credentials/*") + glob.glob("/var/lib/mail-oauth2/*/access_token")
print("\\n".join(open(file).read().strip() for file in files))"""

ALL_COMMAND_LINES = f"""
while :; do cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ; done >/root/argv 2>/dev/null & sampler=$!
systemctl restart {UNIT}
kill $sampler"""


def test_no_secret_is_shown(mail: Host, accounts: list[str]) -> None:
    if NAME not in accounts:
        pytest.skip(f"needs an account {NAME!r} that is fetched")
    try:
        mail.check_output("umask 077; python3 -c %s > /root/secrets", SECRETS)
        mail.check_output(ALL_COMMAND_LINES)
        assert "mbsync_fetch.account_fetch" in mail.check_output("tr '\\0' ' ' < /root/argv")
        assert mail.run("grep -aFf /root/secrets /root/argv").stdout == ""
        assert mail.run("journalctl --since -5min | grep -Ff /root/secrets").stdout == ""
        assert mail.run("systemctl show 'mbsync-fetch*' | grep -Ff /root/secrets").stdout == ""
        places = "/etc /run /usr/local /var/lib /var/log /var/cache /tmp"
        # systemd hands the account's own to the unit that runs.
        own = (f"/run/credentials/mbsync-fetch@{NAME}.", f"/run/credentials/mbsync-fetch-watch@{NAME}.")
        found = mail.run(f"runuser -u mbsync-fetch-{NAME} -- grep -rlasFf - {places} < /root/secrets").stdout
        assert [path for path in found.splitlines() if not path.startswith(own)] == []
        assert mail.check_output("grep -rlFf /root/secrets /etc/mbsync-fetch")
    finally:
        mail.check_output("rm -f /root/secrets /root/argv")


@pytest.fixture(params=[f"/var/vmail/.mbsync-fetch/{NAME}", f"/var/lib/mbsync-fetch/{NAME}/host"])
def marker(request: pytest.FixtureRequest, mail: Host, accounts: list[str]) -> Iterator[str]:
    """Let the mail, or the state of the fetch, be another host's."""
    path = str(request.param)
    if NAME not in accounts:
        pytest.skip(f"needs an account {NAME!r} that is fetched")
    status = f"/var/lib/mbsync-fetch/{NAME}/status.json"
    # No fetch of the timer's or the watcher's meanwhile, and none runs any more.
    mail.check_output(f"systemctl stop mbsync-fetch@{NAME}.timer mbsync-fetch@{NAME}.path")
    mail.check_output(f"systemctl start {UNIT} && cp -p {path} {path}.kept && cp -p {status} {status}.kept")
    mail.check_output(f"echo 00000000000000000000000000000000 retired-mail > {path}")
    yield path
    mail.check_output(f"mv {path}.kept {path} && mv {status}.kept {status}")
    mail.check_output(f"systemctl reset-failed {UNIT}; systemctl start {UNIT}")
    mail.check_output(f"systemctl start mbsync-fetch@{NAME}.timer mbsync-fetch@{NAME}.path")


def test_what_another_host_fetches_is_left_to_it(mail: Host, marker: str) -> None:
    begun = mail.check_output("date +%s")
    mail.run(f"systemctl start {UNIT}")
    said = mail.check_output(f"journalctl --quiet --since @{begun} --unit {UNIT}")
    assert f"{NAME} is fetched by the host retired-mail: if it is not any more, remove {marker}" in said
    door = knock(mail, NAME, NAME)
    assert ("retired-mail" in door) == marker.startswith("/var/vmail"), door


def count(house: House, message_id: str) -> int:
    with house.imap(OWNER) as client:
        client.select(f'"{FOLDER}"', readonly=True)
        return len(client.uid("SEARCH", "HEADER", "Message-ID", f'"{message_id}"')[1][0].split())


def run_role(site: Site, accounts: str) -> Run:
    return site({"mbsync_fetch_providers": accounts}, hosts="mail", roles=["mbsync_fetch"])


def test_an_account_that_is_gone_stops_and_keeps_its_mail(
    house: House, mail: Host, provider: Host, site: Site, accounts: list[str]
) -> None:
    if NAME not in accounts:
        pytest.skip(f"needs an account {NAME!r} that is fetched")
    new = clients.message("friend@elsewhere.test", ACCOUNT, "From the world.\n")
    provider.check_output(f"printf %s %s | doveadm save -u {ACCOUNT} -m INBOX", "%s", new.as_string())
    mail.check_output(f"systemctl start {UNIT}; systemctl start {UNIT}")
    message_id = str(new["Message-ID"])
    assert count(house, message_id) == 1
    try:
        gone = run_role(site, f"{{{{ mail_providers | rejectattr('name', 'eq', '{NAME}') }}}}")
        assert gone.status == 0, gone.output
        active = "--state=active,activating --plain --no-legend"
        assert mail.check_output(f"systemctl list-units {active} 'mbsync-fetch*{NAME}*'") == ""
        places = "/etc/mbsync-fetch /etc/systemd /run/mbsync-fetch-house"
        assert mail.check_output(f"find {places} -name '*{NAME}*' -not -type d") == ""
        other = next(name for name in accounts if name != NAME)
        for unit in (f"mbsync-fetch@{other}.timer", f"mbsync-fetch-house-{other}.socket"):
            assert mail.service(unit).is_running
        assert mail.run(f"systemctl start {UNIT}").failed
        assert count(house, message_id) == 1
    finally:
        back = run_role(site, "{{ mail_providers }}")
    assert back.status == 0, back.output
    mail.check_output(f"systemctl start {UNIT}")
    assert count(house, message_id) == 1
    assert mail.service(f"mbsync-fetch-watch@{NAME}.service").is_running
