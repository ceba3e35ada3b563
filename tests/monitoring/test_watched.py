"""A house that is watched: all of it is scraped, the rules are right, and an alert arrives as mail."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.ilnmors.mail.tests.behaviour.support import clients
from ansible_collections.ilnmors.mail.tests.behaviour.support.house import House, wait_for
from ansible_collections.ilnmors.mail.tests.monitoring.conftest import Ask
from ansible_collections.ilnmors.mail.tests.monitoring.promql import expressions, offered, rules
from testinfra.host import Host

RULES = "/etc/prometheus/ilnmors-mail/rules.yml"
READER = "you"
HOURS = 5
"""How old a message is made: older than the rule allows."""

# The time of a message is written in its file in digits, twice; its inode is its name.
AGE = (
    "import sys; path, old, new = sys.argv[1:]; file = open(path, 'r+b'); text = file.read(); "
    "assert old.encode() in text; file.seek(0); file.write(text.replace(old.encode(), new.encode()))"
)


def send(house: House, recipient: str) -> None:
    with clients.submission(house.mail_hostname, house.ca_file) as client:
        client.login(READER, house.password(READER))
        client.send_message(clients.message(house.login(READER), recipient))


def figures(mail: Host) -> dict[str, float]:
    """Let the mail host write its figures now, and return them by name and labels."""
    mail.check_output("systemctl start mail-metrics.service")
    lines = mail.file("/run/mail-monitoring/metrics.prom").content_string.splitlines()
    pairs = [line.rsplit(" ", 1) for line in lines if not line.startswith("#")]
    return {name: float(value) for name, value in pairs}


def sent(mail: Host, destination: str = "house") -> float:
    found = figures(mail)
    return sum(
        value
        for name, value in found.items()
        if name.startswith(f'mail_deliveries_total{{destination="{destination}"') and 'status="sent"' in name
    )


def waiting(mail: Host) -> list[dict[str, Any]]:
    return [json.loads(line) for line in mail.check_output("postqueue -j").splitlines()]


# --- the rules


def test_promtool_passes_the_rules(watch: Host) -> None:
    assert "SUCCESS" in watch.check_output("promtool check rules %s", RULES)
    for path in sorted(Path(__file__).parent.glob("*.test.yml")):
        text = base64.b64encode(path.read_bytes()).decode()
        watch.check_output("mkdir -p /root/rules && cp %s /root/rules/", RULES)
        watch.check_output("echo %s | base64 -d >/root/rules/%s", text, path.name)
        done = watch.run("cd /root/rules && promtool test rules %s", path.name)
        assert done.rc == 0, done.stdout + done.stderr


def test_prometheus_has_every_rule_and_none_is_in_error(ask: Ask) -> None:
    def evaluated() -> list[dict[str, Any]]:
        found = [rule for group in ask("rules")["groups"] for rule in group["rules"]]
        return found if all(rule["health"] != "unknown" for rule in found) else []

    found = wait_for(evaluated, "the rules are evaluated")
    assert {rule["name"] for rule in found} == {rule["alert"] for rule in rules()}
    assert [rule for rule in found if rule["health"] != "ok"] == []


@pytest.mark.parametrize("expression", expressions())
def test_prometheus_takes_each_expression(ask: Ask, expression: str) -> None:
    ask("query", query=expression)


# --- what is scraped


def test_every_target_is_up(ask: Ask, inventory: dict[str, dict[str, Any]]) -> None:
    address = inventory["monitoring-mail"]["address"]

    def up() -> dict[str, str]:
        found = ask("query", query='up{job="mail"} == 1')["result"]
        return {one["metric"]["instance"]: one["metric"]["host"] for one in found}

    expected = {f"{address}:9100": "monitoring-mail", f"{address}:9900": "monitoring-mail"}
    wait_for(lambda: up() == expected, "all targets are up")


def test_the_node_exporter_listens_at_the_chosen_address_alone(
    mail: Host, inventory: dict[str, dict[str, Any]]
) -> None:
    lines = mail.check_output("ss --listening --tcp --numeric --no-header sport = :9100").splitlines()
    assert [line.split()[3] for line in lines] == [f"{inventory['monitoring-mail']['address']}:9100"]


def test_all_parts_can_be_read_and_name_nobody(mail: Host, house: House) -> None:
    found = figures(mail)
    parts = {name: value for name, value in found.items() if name.startswith("mail_monitoring_success")}
    assert set(parts.values()) == {1}, mail.check_output("journalctl --unit mail-metrics --no-pager")
    assert len(parts) == 5
    assert [name for name in found if house.domain in name or READER in name or ".test" in name] == []


def test_a_run_that_goes_well_says_nothing_in_the_journal(mail: Host) -> None:
    figures(mail)
    said = mail.check_output(
        "journalctl --unit mail-metrics.service --since -5min --output cat --no-pager --quiet"
    )
    assert said.strip() == ""


# --- deliveries, each once


def test_deliveries_are_counted_once_whatever_becomes_of_the_journal(mail: Host, house: House) -> None:
    before = sent(mail)
    for forget in ("true", "journalctl --rotate", "journalctl --rotate --vacuum-time=1s"):
        send(house, house.login(READER))
        wait_for(lambda: not waiting(mail), "the queue is empty")
        before += 1
        assert sent(mail) == before
        mail.check_output(forget)
        assert sent(mail) == before


def test_a_stopped_unit_is_told_of(mail: Host) -> None:
    name = 'mail_unit_active{unit="postfix-from-check.socket"}'
    assert figures(mail)[name] == 1
    mail.check_output("systemctl stop postfix-from-check.socket postfix-from-check.service")
    try:
        assert figures(mail)[name] == 0
    finally:
        mail.check_output("systemctl start postfix-from-check.socket")
    assert figures(mail)[name] == 1


# --- an alert


@pytest.fixture
def old_message(mail: Host, provider: Host, house: House) -> Iterator[None]:
    """Let a message to the world wait for five hours, since the provider does not answer."""
    provider.check_output("systemctl stop postfix")
    try:
        send(house, "someone@elsewhere.test")
        deferred = wait_for(
            lambda: [one for one in waiting(mail) if one["queue_name"] == "deferred"],
            "the message is put off",
        )
        name, came = deferred[0]["queue_id"], deferred[0]["arrival_time"]
        file = mail.check_output("find /var/spool/postfix/deferred -name %s", name)
        mail.check_output("python3 -c %s %s %s %s", AGE, file, str(came), str(came - HOURS * 3600))
        yield
    finally:
        provider.check_output("systemctl start postfix")
        mail.check_output("postqueue -f")


def mailed(house: House, word: str) -> EmailMessage | None:
    """Return the newest message in the reader's inbox with a word in its subject."""
    with house.imap(READER) as imap:
        imap.select("INBOX", readonly=True)
        found = imap.uid("SEARCH", "SUBJECT", f'"{word}"')[1][0].split()
        if not found:
            return None
        parts = imap.uid("FETCH", found[-1], "(BODY.PEEK[])")[1]
        return message_from_bytes(parts[0][1], policy=default)


@pytest.mark.usefixtures("old_message")
def test_an_alert_arrives_in_a_mailbox_of_the_house(mail: Host, house: House, ask: Ask) -> None:
    name = 'mail_queue_deferred_recipients{destination="world",provider="gmail",reason="connection"}'
    assert figures(mail)[name] == 1
    firing = 'ALERTS{alertname="MailQueueOld",alertstate="firing"}'
    wait_for(lambda: ask("query", query=firing)["result"], "the alert fires")
    message = wait_for(lambda: mailed(house, "MailQueueOld"), "the alert arrives as mail", seconds=60)
    assert message["From"] == f"prometheus@{house.domain}"
    assert "FIRING" in message["Subject"]
    body = message.get_body(("plain", "html"))
    assert body is not None
    text = re.sub(r"\s+", " ", body.get_content())
    assert f"Mail has waited for {HOURS}h" in text
    assert "on monitoring-mail" in text
    assert "verify --tags queue" in text
    said = mail.check_output("journalctl --unit 'postfix*' --no-pager --since -10min")
    assert re.search(r"postfix/submission/smtpd.*sasl_username=prometheus", said)


def test_an_alert_that_has_passed_is_told_of(mail: Host, house: House) -> None:
    wait_for(lambda: not waiting(mail), "the message has left", seconds=60)
    figures(mail)
    wait_for(lambda: mailed(house, "RESOLVED"), "that it has passed arrives as mail", seconds=60)


# --- all that rules and dashboard name


def test_every_metric_that_is_named_is_offered(mail: Host, ask: Ask) -> None:
    """Those of a backup after a first one; those of waiting mail were there in the tests above."""
    mail.check_output("systemctl start mail-backup.service")

    def missing() -> list[str]:
        return [
            name
            for name in sorted(offered())
            if not ask("query", query=f"count(last_over_time({name}[30m]))")["result"]
        ]

    wait_for(lambda: missing() == [], f"every metric has been seen: {missing()}", seconds=60)
