"""Dovecot's own metrics: at the chosen address alone, in OpenMetrics format, counting what happens."""

from __future__ import annotations

import imaplib
import re
from typing import Any

import pytest
from ansible_collections.ilnmors.mail.tests.behaviour.support import clients
from ansible_collections.ilnmors.mail.tests.behaviour.support.house import House, wait_for
from testinfra.host import Host

SAMPLE = re.compile(r'([a-z0-9_]+)((?:\{[a-z_]+="[^"]*"(?:,[a-z_]+="[^"]*")*\})?) (-?[0-9.]+)')
"""A line of the text format that is no comment: name, labels, value."""

SCRAPE = "python3 -c 'from urllib.request import urlopen; print(urlopen(\"http://{}:{}/metrics\").read().decode())'"


@pytest.fixture(scope="module")
def place(inventory: dict[str, dict[str, Any]]) -> tuple[str, int]:
    """Return address and port of the metrics; skip where they are off."""
    address, port = next(
        facts["metrics"] for facts in inventory.values() if facts["name"] in facts["groups"]["mail"]
    )
    if not address:
        pytest.skip("needs dovecot_imap_metrics_address in the inventory")
    return str(address), int(port)


def scrape(mail: Host, place: tuple[str, int]) -> dict[str, float]:
    """Return the value of each metric, by its name and labels; every line has to be of the format."""
    *lines, end = mail.check_output(SCRAPE.format(*place)).strip().splitlines()
    assert end == "# EOF"
    samples = [SAMPLE.fullmatch(line) for line in lines if not line.startswith("#")]
    assert None not in samples, lines
    return {f"{sample[1]}{sample[2]}": float(sample[3]) for sample in samples if sample}


def rises(mail: Host, place: tuple[str, int], metric: str, before: dict[str, float]) -> None:
    def risen() -> bool:
        return scrape(mail, place).get(metric, 0) > before.get(metric, 0)

    wait_for(risen, f"{metric} rises")


@pytest.mark.any_house
def test_the_metrics_listen_at_the_chosen_address_alone(mail: Host, place: tuple[str, int]) -> None:
    address, port = place
    listening = mail.check_output(f"ss --listening --tcp --numeric --no-header sport = :{port}").splitlines()
    assert [line.split()[3].strip("[]") for line in listening] == [f"{address}:{port}"]


@pytest.mark.any_house
@pytest.mark.parametrize(
    "metric",
    [
        "dovecot_imap_logins_total",
        "dovecot_imap_login_failures_total",
        "dovecot_pop3_logins_total",
        "dovecot_managesieve_logins_total",
        "dovecot_smtp_logins_total",
        "dovecot_deliveries_total",
        "dovecot_delivery_failures_total",
        "dovecot_imap_commands_count",
    ],
)
def test_the_metrics_have_the_same_names_everywhere(mail: Host, place: tuple[str, int], metric: str) -> None:
    assert metric in scrape(mail, place)


@pytest.mark.parametrize("right", [True, False], ids=["right", "wrong"])
def test_a_login_is_counted(house: House, mail: Host, place: tuple[str, int], right: bool) -> None:
    before = scrape(mail, place)
    with clients.imap(house.mail_hostname, house.ca_file) as client:
        if right:
            client.login("guest", house.password("guest"))
        else:
            with pytest.raises(imaplib.IMAP4.error):
                client.login("guest", "wrong")
    if right:
        rises(mail, place, "dovecot_imap_logins_total", before)
        rises(mail, place, 'dovecot_imap_commands_total{cmd_name="LOGOUT"}', before)
    else:
        rises(mail, place, "dovecot_imap_login_failures_total", before)


def test_logins_of_the_other_protocols_and_deliveries_are_counted(
    house: House, mail: Host, place: tuple[str, int]
) -> None:
    before = scrape(mail, place)
    pop3 = clients.pop3(house.mail_hostname, house.ca_file)
    pop3.user("guest")
    pop3.pass_(house.password("guest"))
    pop3.quit()
    with clients.submission(house.mail_hostname, house.ca_file) as client:
        client.login("guest", house.password("guest"))
        client.send_message(clients.message(house.login("guest"), house.login("guest")))
    for metric in ("pop3_logins", "smtp_logins", "deliveries"):
        rises(mail, place, f"dovecot_{metric}_total", before)
