"""ManageSieve: what people do with their scripts, on a real connection."""

from __future__ import annotations

import secrets

import pytest
from ansible_collections.ilnmors.mail.tests.behaviour.support.house import House
from ansible_collections.ilnmors.mail.tests.behaviour.support.sieve_client import ManageSieve, Refused
from ansible_collections.ilnmors.mail.tests.behaviour.support.sieve_scripts import EXTENSIONS, connect, script


def test_extensions_are_those_people_use(house: House) -> None:
    with connect(house, "guest") as client:
        assert set(client.capabilities["SIEVE"].split()) == EXTENSIONS
        offered = {line[0]: line[-1] for line in client.command("CAPABILITY").lines}
    assert offered["MAXREDIRECTS"] == "4"
    assert offered["NOTIFY"] == "mailto"


def test_a_script_is_kept_renamed_and_removed(house: House) -> None:
    name, other = (f"behaviour-test-{secrets.token_hex(4)}" for __ in range(2))
    text = '# Ümlaute "quoted"\r\nif not exists "Subject" { keep; }\r\n'
    with connect(house, "guest") as client:
        before = client.scripts()
        client.command("PUTSCRIPT", name, text)
        try:
            assert client.command("GETSCRIPT", name).lines == [[text]]
            client.command("RENAMESCRIPT", name, other)
            assert client.scripts() == {**before, other: False}
        finally:
            client.command("DELETESCRIPT", other)
        assert client.scripts() == before
        with pytest.raises(Refused, match="NONEXISTENT"):
            client.command("GETSCRIPT", name)


def test_the_active_script_is_not_removed(house: House) -> None:
    with script(house, "guest", "keep;"), connect(house, "guest") as client:
        active = client.active()
        assert active.startswith("behaviour-test-")
        with pytest.raises(Refused, match="ACTIVE"):
            client.command("DELETESCRIPT", active)
        assert client.active() == active


@pytest.mark.parametrize("verb", ["PUTSCRIPT", "CHECKSCRIPT"])
def test_a_script_that_does_not_compile_is_refused_with_its_line(house: House, verb: str) -> None:
    names = ["behaviour-test-refused"] if verb == "PUTSCRIPT" else []
    with connect(house, "guest") as client:
        before = client.scripts()
        with pytest.raises(Refused, match="line 2: error: unknown command 'frobnicate'"):
            client.command(verb, *names, 'keep;\r\nfrobnicate "mail";\r\n')
        assert client.scripts() == before
        client.command("CHECKSCRIPT", "keep;\r\n")


def test_a_script_without_bounds_is_refused(house: House) -> None:
    with connect(house, "guest") as client, pytest.raises(Refused, match="QUOTA/MAXSIZE"):
        client.command("CHECKSCRIPT", "#" * (1 << 20) + "\r\nkeep;\r\n")


def test_noop_and_logout_are_answered(house: House) -> None:
    with connect(house, "guest") as client:
        assert "TAG" in client.command("NOOP", "still there").text
        client.command("LOGOUT")


@pytest.mark.parametrize("name", ["guest", "gitea"])
def test_who_may_not_log_in(house: House, name: str) -> None:
    """A wrong password, and a machine that only sends with its right one."""
    password = house.password(name) if name == "gitea" else "wrong"
    with ManageSieve(house.mail_hostname, house.ca_file) as client, pytest.raises(Refused):
        client.log_in(name, password)
