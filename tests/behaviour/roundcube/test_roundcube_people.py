# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What people do in Roundcube: who they write as, what they find, and their filters."""

from __future__ import annotations

import re
import secrets

import pytest
from ansible_collections.ilnmors.mail.tests.behaviour.support.house import House, wait_for
from ansible_collections.ilnmors.mail.tests.behaviour.support.roundcube_client import (
    Roundcube,
    environment,
    run_program,
)
from ansible_collections.ilnmors.mail.tests.behaviour.support.sieve_client import ManageSieve
from testinfra.host import Host


def addresses(page: str) -> list[str]:
    """Return the addresses that a compose page offers, without names."""
    found = Roundcube.identities(page).values()
    return [text.rpartition("<")[2].rstrip(">") for text in found]


@pytest.fixture
def expected(app: Host, house: House, roundcube_name: str) -> list[str]:
    """Return the addresses that il may send as, by the list that the role writes."""
    assert roundcube_name
    command = "python3 -c 'import json,sys; print(*json.load(sys.stdin)[sys.argv[1]][\"addresses\"])'"
    said = app.check_output(f"{command} il@{house.domain} </etc/ilnmors-roundcube/people.json")
    return list(said.split())


def test_identities_are_ready(il: Roundcube, expected: list[str]) -> None:
    assert len(expected) > 1
    assert sorted(addresses(il.page("mail", "compose").text)) == sorted(expected)


def test_the_own_address_comes_first(il: Roundcube, house: House) -> None:
    page = il.page("mail", "compose").text
    assert addresses(page)[0] == f"il@{house.domain}"


def test_an_identity_with_anothers_address_is_not_stored(
    il: Roundcube, house: House, expected: list[str]
) -> None:
    il.page("settings", "add-identity")
    answer = il.post(
        "settings", "save-identity", _name="Guest", _email=f"guest@{house.domain}", _framed=1
    ).text
    assert "You may not send as this address. Your addresses are: " in answer
    assert sorted(addresses(il.page("mail", "compose").text)) == sorted(expected)


def test_an_identity_does_not_become_anothers(il: Roundcube, house: House, expected: list[str]) -> None:
    (number, *__) = Roundcube.identities(il.page("mail", "compose").text)
    form = il.page("settings", "edit-identity", _iid=number, _framed=1).text
    offered = re.search(r'<select[^>]*name="_email".*?</select>', form, re.DOTALL)
    assert offered
    assert sorted(re.findall(r'value="([^"]+)"', offered[0])) == sorted(expected)
    answer = il.post(
        "settings", "save-identity", _iid=number, _name="x", _email=f"guest@{house.domain}", _framed=1
    ).text
    assert "You may not send as this address" in answer
    assert sorted(addresses(il.page("mail", "compose").text)) == sorted(expected)


def test_nothing_is_sent_as_somebody_else(il: Roundcube, house: House, mark: str) -> None:
    answer = il.send(f"il@{house.domain}", mark, "A text.", sender=f"guest@{house.domain}")
    assert "You may not send as this address" in answer.text
    assert il.find(mark, "Sent") == []


def test_who_was_taken_away_comes_back_at_the_next_login(
    il: Roundcube, house: House, expected: list[str]
) -> None:
    number = next(
        number
        for number, text in Roundcube.identities(il.page("mail", "compose").text).items()
        if f"postmaster@{house.domain}" in text
    )
    il.page("settings", "identities")
    il.ask("settings", "delete-identity", _iid=number)
    assert f"postmaster@{house.domain}" not in addresses(il.page("mail", "compose").text)
    again = il.another()
    again.log_in("il", house.password("il"))
    assert sorted(addresses(again.page("mail", "compose").text)) == sorted(expected)


def test_whose_address_is_no_longer_theirs_goes_at_the_next_login(
    il: Roundcube, house: House, app: Host, expected: list[str]
) -> None:
    run_program(
        app,
        f"""
        $rcmail->get_dbh()->query(
            "INSERT INTO identities (user_id, changed, email, name)"
            . " SELECT user_id, created, 'guest@{house.domain}', 'Guest' FROM users"
            . " WHERE username = 'il@{house.domain}'"
        );
        """,
    )
    assert f"guest@{house.domain}" in addresses(il.page("mail", "compose").text)
    again = il.another()
    again.log_in("il", house.password("il"))
    assert sorted(addresses(again.page("mail", "compose").text)) == sorted(expected)


def test_a_message_goes_and_is_found_by_its_text(il: Roundcube, house: House, mark: str) -> None:
    word = f"kept{secrets.token_hex(6)}"
    assert "Message sent successfully" in il.send(f"il@{house.domain}", mark, f"It says {word}.").text
    wait_for(lambda: il.find(word), "the search finds a word of the text")
    assert len(il.find(word, "Sent")) == 1


SCRIPT = "roundcube-test"


def test_a_filter_works_from_when_it_is_saved(
    roundcube: Roundcube, house: House, guests_filters: ManageSieve, mark: str
) -> None:
    assert roundcube.log_in("guest", house.password("guest")).status_code == 302
    page = roundcube.page("settings", "plugin.managesieve")
    assert environment(page.text)["raw_sieve_editor"]
    roundcube.post("settings", "plugin.managesieve-save", _newset=1, _name=SCRIPT, _from="none", _framed=1)
    answer = roundcube.post(
        "settings",
        "plugin.managesieve-saveraw",
        _set=SCRIPT,
        _seteditraw=1,
        _framed=1,
        rawsetcontent=f'require "fileinto";\nif header :contains "subject" "{mark}" {{ fileinto "Archive"; }}\n',
    )
    assert "Filter set updated successfully" in answer.text
    roundcube.ask("settings", "plugin.managesieve-action", _act="setact", _set=SCRIPT)
    assert guests_filters.active() == SCRIPT
    il = roundcube.another()
    il.log_in("il", house.password("il"))
    il.send(f"guest@{house.domain}", mark, "A text.")
    wait_for(lambda: roundcube.find(mark, "Archive"), "the message is where the filter puts it")


def test_remote_content_needs_the_pages_own_button(il: Roundcube, house: House, mark: str) -> None:
    with house.imap("il") as imap:
        message = (
            f"From: a@elsewhere.test\r\nSubject: {mark}\r\nMIME-Version: 1.0\r\n"
            "Content-Type: text/html\r\n\r\n<p>x</p><img src='https://elsewhere.test/pixel.png'>\r\n"
        )
        imap.append("INBOX", None, None, message.encode())
    uid = wait_for(lambda: il.find(mark), "the message is there")[0]

    def shown(**parameters: str | int) -> tuple[bool, bool]:
        """Return whether the page has the picture, and whether its policy would let it load."""
        page = il.page("mail", "preview", _uid=uid, _mbox="INBOX", _framed=1, **parameters)
        return "elsewhere.test/pixel.png" in page.text, "https:" in page.headers["Content-Security-Policy"]

    assert shown() == (False, False)
    # As a link in a message would have it.
    assert shown(_safe=1) == (False, False)
    assert shown(_safe=1, _token="x") == (False, False)
    assert shown(_safe=1, _token=il.token) == (True, True)
    # The answer was for this message alone.
    assert "https:" not in il.page("mail").headers["Content-Security-Policy"]
    assert il.get("/?_task=utils&_action=modcss&_u=tmp-x&_c=y").status_code == 404
