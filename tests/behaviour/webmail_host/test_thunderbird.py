# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A real Thunderbird that is told a name, an address and a password, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.ilnmors.mail.tests.behaviour.support import clients
from ansible_collections.ilnmors.mail.tests.behaviour.support.house import House, wait_for
from ansible_collections.ilnmors.mail.tests.behaviour.support.thunderbird import Thunderbird
from testinfra.host import Host

TLS = 3
"""nsMsgSocketType.SSL: TLS before anything else."""


@pytest.fixture(autouse=True)
def _configuration(house: House, app: Host) -> None:  # noqa: ARG001 - nobody serves it without that host
    """Thunderbird asks the domain itself, and autoconfig. below it."""
    if not {house.domain, f"autoconfig.{house.domain}"} & set(house.autoconfig_hostnames):
        pytest.skip(f"needs autoconfig.{house.domain} in mail_autoconfig_hostnames")


def test_thunderbird_sets_itself_up_reads_and_sends(
    house: House, tmp_path: Path, pictures: Path, mark: str
) -> None:
    il, guest = house.login("il"), house.login("guest")
    new = clients.message(guest, il, "안녕하세요, 여기는 집입니다.\n")
    new.replace_header("Subject", f"집에서 온 편지 {mark}")
    with clients.submission(house.mail_hostname, house.ca_file) as smtp:
        smtp.login(guest, house.password("guest"))
        smtp.send_message(new)
    wait_for(lambda: house.received("il", new["Message-ID"]), "the message for Thunderbird")

    with Thunderbird(tmp_path, house.addresses, house.ca_file, pictures) as thunderbird:
        settings = thunderbird.look_up("Il", il)
        assert settings["subSource"] == "xml-from-isp-https", settings
        server = {"hostname": house.mail_hostname, "username": il, "socketType": TLS}
        for way, kind, port in (("incoming", "imap", 993), ("outgoing", "smtp", 465)):
            assert settings[way].items() >= (server | {"type": kind, "port": port}).items()
        thunderbird.picture("settings")
        thunderbird.enter_password(house.password("il"))
        thunderbird.finish()
        assert thunderbird.accounts() == [
            {"hostname": house.mail_hostname, "port": 993, "socketType": TLS},
        ]
        message = thunderbird.read(new["Message-ID"])
        assert "집에서 온 편지" in message["subject"]
        assert message["text"].strip() == "안녕하세요, 여기는 집입니다."
        thunderbird.picture("message")
        thunderbird.send(guest, f"Thunderbird {mark} 편지", "Written in Thunderbird. 안녕!")

    with house.imap("guest") as imap:

        def find() -> bytes:
            imap.select("INBOX", readonly=True)
            return bytes(imap.uid("SEARCH", "SUBJECT", mark)[1][0])

        received = clients.parse(clients.fetch(imap, wait_for(find, "the message from Thunderbird")))
    assert received["From"].addresses[0].addr_spec == il
    body = received.get_body()
    assert body
    assert "Written in Thunderbird. 안녕!" in body.get_content()
    with house.imap("il") as imap:
        assert clients.find(imap, received["Message-ID"], "Sent")


def test_thunderbird_doubts_a_house_whose_ca_it_does_not_know(
    house: House, tmp_path: Path, pictures: Path
) -> None:
    """It asks for nothing over plain HTTP either, and shows no password to a server it cannot verify."""
    if Path(house.ca_file).read_text(encoding="ascii", errors="replace").count("BEGIN CERTIFICATE") != 1:
        pytest.skip("needs a house with a CA of its own")
    with Thunderbird(tmp_path, house.addresses, None, pictures) as thunderbird:
        settings = thunderbird.look_up("Il", house.login("il"))
        assert settings["source"] == "guess", settings
        thunderbird.enter_password("not to be seen")
        assert thunderbird.doubts_a_certificate()
        assert thunderbird.accounts() == []
