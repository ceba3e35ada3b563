"""The lab's providers do to mail what real ones do, or no test that sends through them would say much."""

from __future__ import annotations

import smtplib

import pytest
from ansible_collections.ilnmors.mail.tests.behaviour.support import clients
from ansible_collections.ilnmors.mail.tests.behaviour.support.house import wait_for
from ansible_collections.ilnmors.mail.tests.behaviour.support.providers import read_by_the_world

pytestmark = pytest.mark.usefixtures("provider")

HOUSE = "Il of the house <il@ilnmors.internal>"
WORLD = "someone@elsewhere.test"


def connect(provider_ca: str, name: str, port: int = 587) -> smtplib.SMTP:
    """Log in to a provider."""
    client = clients.submission(f"smtp.{name}.test", provider_ca, port)
    client.login(f"il@{name}.test", f"{name}-lab-password")
    return client


@pytest.mark.parametrize("name", ["gmail", "naver"])
def test_they_demand_tls_and_a_login(provider_ca: str, name: str) -> None:
    with smtplib.SMTP(f"smtp.{name}.test", 587, timeout=clients.TIMEOUT) as client:
        client.ehlo()
        assert "auth" not in client.esmtp_features
        assert client.mail(f"il@{name}.test")[0] == 530
    for port in (587, 465):
        with clients.submission(f"smtp.{name}.test", provider_ca, port) as client:
            client.ehlo()
            client.mail(f"il@{name}.test")
            assert client.rcpt(WORLD)[0] in (553, 554)


@pytest.mark.parametrize(
    ("sender", "header", "code", "reply"),
    [
        ("il@ilnmors.internal", "il@naver.test", 553, "Sender address rejected: not owned by user"),
        ("il@naver.test", HOUSE, 550, "The sender address is unauthorized"),
        ("il@naver.test", '"il@naver.test" <il@ilnmors.internal>', 550, "The sender address is unauthorized"),
    ],
    ids=["envelope", "header", "only-its-name-fits"],
)
def test_naver_refuses_a_foreign_sender(
    provider_ca: str, sender: str, header: str, code: int, reply: str
) -> None:
    with connect(provider_ca, "naver") as client:
        answers = [client.mail(sender), client.rcpt(WORLD)]
        if answers[-1][0] == 250:
            answers.append(client.data(clients.message(header, WORLD).as_bytes()))
    assert answers[-1][0] == code
    assert reply in answers[-1][1].decode()


@pytest.mark.parametrize(
    ("name", "given", "seen"),
    [
        ("gmail", HOUSE, "Il of the house <il@gmail.test>"),
        ("gmail", "il@ilnmors.internal", "il@gmail.test"),
        ("naver", "Il of the house <il@naver.test>", "Il of the house <il@naver.test>"),
    ],
    ids=["gmail-replaces-an-address", "gmail-replaces-a-bare-address", "naver-takes-its-own"],
)
def test_what_the_world_sees(provider_ca: str, name: str, given: str, seen: str) -> None:
    new = clients.message(given, WORLD)
    new["Reply-To"] = "elsewhere@ilnmors.internal"
    with connect(provider_ca, name) as client:
        client.sendmail("il@ilnmors.internal" if name == "gmail" else "il@naver.test", WORLD, new.as_bytes())
    found = clients.parse(
        wait_for(lambda: read_by_the_world(provider_ca, name, new["Message-ID"]), "the world gets it")
    )
    assert found["From"] == seen
    assert found["Return-Path"] == f"<il@{name}.test>"
    assert found["Reply-To"] == new["Reply-To"]


def test_gmail_takes_25_megabytes_of_attachments(provider_ca: str) -> None:
    with connect(provider_ca, "gmail") as client:
        client.ehlo()
        assert client.esmtp_features["size"] == "35882577"
        assert client.mail("il@gmail.test", ["SIZE=35882577"])[0] == 250
        client.rset()
        assert client.mail("il@gmail.test", ["SIZE=35882578"])[0] == 552


def test_a_flood_is_too_much(provider_ca: str) -> None:
    with connect(provider_ca, "naver") as client:
        for __ in range(26):
            answer = client.mail("il@naver.test")
            client.rset()
    assert answer[0] == 450
    assert "too much mail" in answer[1].decode()
