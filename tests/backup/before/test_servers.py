"""A repository on a server of restic's REST: what it says of whoever is let in, and that no secret is seen anywhere."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.ilnmors.mail.tests.backup.apart import BACKUP, DRILL, PLACE, Apart
from ansible_collections.ilnmors.mail.tests.behaviour.support.house import wait_for
from testinfra.host import Host

HOST = "smtp.unknownca.test"
"""Its certificate is of an authority that nobody trusts."""
PORTS = {"https": 8443, "http": 8080}
FILES = "/srv/rest"
PASSWORD = "rest/s3cret"
WATCHED_RUN = f"""
systemctl stop {BACKUP}; systemctl start --no-block {BACKUP}
until systemctl is-active --quiet {BACKUP} || systemctl is-failed --quiet {BACKUP}; do
  cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' ' '
  case "$(systemctl show -P ActiveState {BACKUP})" in inactive|failed) break;; esac
done
systemctl show {BACKUP} {DRILL}
"""


@pytest.fixture(scope="module")
def server(provider: Host) -> Iterator[Host]:
    """Yield a server with TLS and one without, of the same repositories."""
    units = [f"rest-{scheme}" for scheme in PORTS]
    stop = f"systemctl stop {' '.join(units)}; systemctl reset-failed {' '.join(units)}; rm -rf {FILES}"
    provider.run(stop)
    for scheme, port in PORTS.items():
        tls = "--cert /etc/ssl/provider/unknownca.pem --key /etc/ssl/provider/provider.key"
        provider.check_output(
            f"RCLONE_USER=house RCLONE_PASS={PASSWORD} systemd-run --quiet --unit rest-{scheme} -E RCLONE_USER "
            f"-E RCLONE_PASS rclone serve restic --addr :{port} {tls if scheme == 'https' else ''} {FILES}"
        )
        wait_for(lambda port=port: provider.socket(f"tcp://:::{port}").is_listening, "the server")  # type: ignore[misc]
    yield provider
    provider.run(stop)


@pytest.fixture
def apart(mail: Host, server: Host) -> Iterator[Apart]:
    """Yield a backup that has not been made yet."""
    assert server
    made = Apart(mail)
    made.give_the_units_back()
    made.prepare(local_repository="")
    made.take_the_units()
    try:
        yield made
    finally:
        made.give_the_units_back()


def address(scheme: str, password: str = PASSWORD) -> str:
    return f"rest:{scheme}://house:{password.replace('/', '%2F')}@{HOST}:{PORTS[scheme]}/mail/"


def test_a_rest_server_is_trusted_logged_in_to_and_used(mail: Host, provider_ca: str, apart: Apart) -> None:
    ca = Path(provider_ca).with_name("unknown-ca.pem").read_text()
    began = time.time()
    seen = ""
    for access, state, said in (
        ({"repository": address("https")}, "untrusted", "x509: certificate signed by unknown authority"),
        ({"repository": address("https", "wr/ong"), "ca": ca}, "login", "401 Unauthorized"),
    ):
        apart.access(**access)
        seen += mail.check_output("sh -c %s", WATCHED_RUN)
        failed = apart.status()["backup"]
        assert (failed["state"], said in failed["reason"]) == (state, True), failed
    for scheme in ("https", "http"):
        apart.access(address(scheme), ca=ca if scheme == "https" else "")
        seen += mail.check_output("sh -c %s", WATCHED_RUN)
        assert apart.status()["backup"]["state"] == "ok"
        assert " apart\n" in apart.command("list").stdout
    proven = apart.run(DRILL)
    assert proven["state"] == "ok", proven
    assert proven["facts"]["opened"] == proven["facts"]["messages"] > 0
    seen += apart.journal(began) + str(mail.file(f"{PLACE}/state/status.json").content_string)
    assert "restic" in seen
    for secret in (PASSWORD, PASSWORD.replace("/", "%2F"), "wr/ong", "wr%2Fong", "apart-password"):
        assert secret not in seen
