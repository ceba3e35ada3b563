# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the timer of mail_monitoring tells of a host."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from mail_metrics.bans import ban_metrics
from mail_metrics.certificates import certificate_metrics
from mail_metrics.collect import Host, collect
from mail_metrics.config import Config
from mail_metrics.deliveries import Deliveries
from mail_metrics.exposition import Metric, exposition
from mail_metrics.files import read_state
from mail_metrics.programs import UnansweredError, ask
from mail_metrics.queue import queue_metrics, read_queue
from mail_metrics.reasons import reason_class
from mail_metrics.units import unit_metrics
from mail_metrics.ways import Way, Ways

CONFIG = Config("1.0.0", (Path("/etc/host.pem"),), ("postfix.service",))
ANSWERS = {
    "systemctl": "Id=postfix.service\nLoadState=loaded\nActiveState=active\nUnitFileState=enabled\nNRestarts=2\n",
    "openssl": "notAfter=Feb 28 22:36:37 2029 GMT\n",
    "postqueue": "",
    "fail2ban-client": "[{'ilnmors-mail': []}]\n",
}


def answers(**said: str) -> Host:
    def answer(command: Sequence[str]) -> str:
        found = {**ANSWERS, **{name.replace("_", "-"): text for name, text in said.items()}}[command[0]]
        if found == "!":
            raise UnansweredError(f"{command[0]}: does not work")
        return found

    return Host(ask=answer, read=lambda __: iter(()), has=lambda __: True)


def shown(metrics: Sequence[Metric]) -> list[str]:
    return [line for line in exposition(metrics).splitlines() if not line.startswith("#")]


def message(queue: str, arrival: int, *reasons: str, name: str = "A1") -> str:
    recipients = [{"address": "x@world.test"} | ({"delay_reason": one} if one else {}) for one in reasons]
    entry = {
        "queue_name": queue,
        "queue_id": name,
        "arrival_time": arrival,
        "message_size": 1000,
        "sender": "il@home.internal",
        "recipients": recipients,
    }
    return json.dumps(entry)


# --- the file


def test_a_value_of_a_label_is_escaped_and_an_empty_one_is_left_out() -> None:
    metric = Metric("m", "Text.", "counter")
    metric.add(1, odd='a"b\\c\nd', none="")
    metric.add(2)
    assert exposition([metric, Metric("empty", "Nothing.")]) == (
        "# HELP m Text.\n# TYPE m counter\n" + 'm{odd="a\\"b\\\\c\\nd"} 1\n' + "m 2\n"
    )


def test_one_part_that_fails_takes_no_other_with_it() -> None:
    complaints: list[str] = []
    lines = shown(collect(CONFIG, Deliveries(), answers(postqueue="!"), complaints.append))
    assert complaints == ["queue: postqueue: does not work"]
    assert 'mail_monitoring_success{part="queue"} 0' in lines
    assert 'mail_monitoring_success{part="bans"} 1' in lines
    assert 'mail_banned_addresses{jail="ilnmors-mail"} 0' in lines
    assert 'mail_monitoring_info{version="1.0.0"} 1' in lines


def test_a_host_without_postfix_says_nothing_of_it() -> None:
    host = Host(ask=answers().ask, has=lambda program: program == "fail2ban-client")
    lines = shown(collect(CONFIG, Deliveries(), host, pytest.fail))
    assert [line for line in lines if "queue" in line or "deliveries" in line] == []


def test_a_program_that_fails_is_quoted() -> None:
    with pytest.raises(UnansweredError, match=r"ls: .*none"):
        ask(["ls", "/none"])
    with pytest.raises(UnansweredError, match="no-such-program: "):
        ask(["no-such-program"])


# --- the parts


def test_units_that_are_to_run_are_told_of() -> None:
    said = "\n\n".join(
        f"Id={name}\nLoadState={load}\nActiveState={active}\nUnitFileState={enabled}" + more
        for name, load, active, enabled, more in (
            ("runs.service", "loaded", "active", "enabled", "\nNRestarts=3"),
            ("stopped.service", "loaded", "inactive", "enabled", "\nNRestarts=0"),
            ("failed@a.service", "loaded", "failed", "static", "\nNRestarts=0"),
            ("waits.timer", "loaded", "active", "enabled", ""),
            ("not-wanted.service", "loaded", "inactive", "disabled", "\nNRestarts=0"),
            ("missing.service", "not-found", "inactive", "", "\nNRestarts=0"),
        )
    )
    assert shown(list(unit_metrics(["*"], lambda __: said))) == [
        'mail_unit_active{unit="failed@a.service"} 0',
        'mail_unit_active{unit="runs.service"} 1',
        'mail_unit_active{unit="stopped.service"} 0',
        'mail_unit_active{unit="waits.timer"} 1',
        'mail_unit_restarts_total{unit="failed@a.service"} 0',
        'mail_unit_restarts_total{unit="runs.service"} 3',
        'mail_unit_restarts_total{unit="stopped.service"} 0',
    ]


def test_the_end_of_a_certificate_is_a_time() -> None:
    found = list(certificate_metrics([Path("/a.pem")], lambda __: "notAfter=Jan  5 09:34:43 2018 GMT\n"))
    assert shown(found) == ['mail_certificate_end_timestamp_seconds{file="/a.pem"} 1515144883.0']
    with pytest.raises(UnansweredError, match="is no time"):
        list(certificate_metrics([Path("/a.pem")], lambda __: "?"))


def test_banned_addresses_are_counted_and_not_named() -> None:
    said = "[{'ilnmors-mail': ['192.0.2.1', '2001:db8::1']}, {'sshd': []}]\n"
    assert shown(list(ban_metrics(lambda __: said))) == [
        'mail_banned_addresses{jail="ilnmors-mail"} 2',
        'mail_banned_addresses{jail="sshd"} 0',
    ]
    with pytest.raises(UnansweredError):
        list(ban_metrics(lambda __: "Sorry but the jail does not exist"))


def test_the_queue_is_told_of_by_queue_way_and_reason() -> None:
    limit = (
        "host smtp.gmail.test[192.0.2.1] said: 421 4.7.28 too many messages (in reply to MAIL FROM command)"
    )
    full = "host mail.home.internal[private/dovecot-lmtp] said: 452 4.2.2 <il> Quota exceeded"
    ways = Ways({"smtp.gmail.test": "gmail"}, {"B2": Way("world", "naver")})
    lines = [
        message("deferred", 2000, limit, full),
        message("deferred", 1000, "connect to elsewhere.test[192.0.2.9]:25: refused", name="B2"),
        message("active", 3000, ""),
    ]
    messages = read_queue(lambda __: "\n".join(lines))
    assert shown(list(queue_metrics(messages, ways))) == [
        'mail_queue_messages{queue="incoming"} 0',
        'mail_queue_messages{queue="active"} 1',
        'mail_queue_messages{queue="deferred"} 2',
        'mail_queue_messages{queue="hold"} 0',
        'mail_queue_bytes{queue="incoming"} 0',
        'mail_queue_bytes{queue="active"} 1000',
        'mail_queue_bytes{queue="deferred"} 2000',
        'mail_queue_bytes{queue="hold"} 0',
        'mail_queue_oldest_timestamp_seconds{queue="active"} 3000.0',
        'mail_queue_oldest_timestamp_seconds{queue="deferred"} 1000.0',
        'mail_queue_deferred_recipients{destination="house",reason="full"} 1',
        'mail_queue_deferred_recipients{destination="world",provider="gmail",reason="limit"} 1',
        'mail_queue_deferred_recipients{destination="world",provider="naver",reason="connection"} 1',
    ]
    with pytest.raises(UnansweredError, match="cannot be read"):
        read_queue(lambda __: "[]")


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (
            "SASL authentication failed; server smtp.gmail.com[192.0.2.1] said: 535-5.7.8 Username and Password",
            "login",
        ),
        ("host smtp.naver.com[192.0.2.1] said: 530 5.7.1 Authentication required", "login"),
        ("host smtp.gmail.com[192.0.2.1] said: 550-5.4.5 Daily user sending limit exceeded", "limit"),
        ("host smtp.gmail.com[192.0.2.1] said: 550 5.4.5 Daily user sending quota exceeded", "limit"),
        ("host x[192.0.2.1] refused to talk to me: 454 4.7.0 Too many login attempts", "limit"),
        ("host x[192.0.2.1] said: 452-4.2.2 The recipient's inbox is out of storage space", "full"),
        (
            "host mail[private/dovecot-lmtp] said: 452 4.2.2 <il@home.internal> Quota exceeded (mailbox is full)",
            "full",
        ),
        ("Server certificate not verified", "tls"),
        ("Cannot start TLS: handshake failure", "tls"),
        ("TLS is required, but was not offered by host x[192.0.2.1]", "tls"),
        ("Host or domain name not found. Name service error for name=x.test type=A: Host not found", "name"),
        ("connect to smtp.gmail.com[192.0.2.1]:587: Connection refused", "connection"),
        ("delivery temporarily suspended: connect to x[192.0.2.1]:587: Connection timed out", "connection"),
        ("lost connection with x[192.0.2.1] while receiving the initial server greeting", "connection"),
        ("conversation with x[192.0.2.1] timed out while sending MAIL FROM", "connection"),
        ("host x[192.0.2.1] said: 451 4.3.0 Temporary system problem", "refused"),
        ("host x[192.0.2.1] refused to talk to me: 421 4.3.2 Service not available", "refused"),
        ("mail transport unavailable", "other"),
    ],
)
def test_what_is_said_of_a_delivery_has_a_class(said: str, reason: str) -> None:
    assert reason_class(said) == reason


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"cursor": 1, "counts": [[1]], "hosts": {}, "messages": {}}']
)
def test_a_damaged_state_begins_anew(tmp_path: Path, text: str) -> None:
    path = tmp_path / "state.json"
    path.write_text(text)
    assert read_state(path) == Deliveries()
