# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What people had in SnappyMail 2.38.2 comes along into Roundcube, as files that it has written hold it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.ilnmors.mail.tests.behaviour.support.house import House
from ansible_collections.ilnmors.mail.tests.behaviour.support.roundcube_client import run_program
from testinfra.host import Host

PROGRAM = (Path(__file__).parents[3] / "roles/roundcube/files/from_snappymail.php").read_text()
SCHEMA = """
CREATE TABLE rainloop_users (id_user integer NOT NULL PRIMARY KEY, rl_email text NOT NULL DEFAULT '');
CREATE TABLE rainloop_ab_contacts (id_contact integer NOT NULL PRIMARY KEY, id_contact_str text NOT NULL DEFAULT '',
  id_user integer NOT NULL, display text NOT NULL DEFAULT '', changed integer NOT NULL DEFAULT 0,
  deleted integer NOT NULL DEFAULT 0, etag text NOT NULL DEFAULT '');
CREATE TABLE rainloop_ab_properties (id_prop integer NOT NULL PRIMARY KEY, id_contact integer NOT NULL,
  id_user integer NOT NULL, prop_type integer NOT NULL, prop_type_str text NOT NULL DEFAULT '',
  prop_value text NOT NULL DEFAULT '', prop_value_custom text NOT NULL DEFAULT '',
  prop_frec integer NOT NULL DEFAULT 0);
"""
CARDS = [
    [
        ["fn", {}, "text", "김철수"],
        ["n", {}, "text", ["김", "철수", "", "", ""]],
        ["email", {"type": "home"}, "text", "chul@example.test"],
        ["email", {"type": "work", "pref": "1"}, "text", "chul.work@example.test"],
        ["org", {}, "text", ["Acme, Inc", "R&D"]],
        ["note", {}, "text", "two\nlines; here"],
        ["x-crypto", {"allowed": "PGP/INLINE,S/MIME"}, "x-crypto", ""],
    ],
    [["fn", {}, "text", "Gone"], ["email", {}, "text", "gone@example.test"]],
]
"""The second one was removed."""


@pytest.fixture
def folder(app: Host, house: House, roundcube_name: str) -> Iterator[str]:
    """Return a private data folder of SnappyMail's where near has been, who is no longer in Roundcube."""
    assert roundcube_name
    made: str = app.check_output("mktemp -d")
    home = f"{made}/storage/{house.domain}/near"
    identities = {
        "---": {
            "Id": "",
            "Email": f"near@{house.domain}",
            "Name": "Near",
            "ReplyTo": "",
            "Bcc": "",
            "Signature": ":HTML:<p>Regards, <b>Near</b></p><script>alert(1)</script>",
        }
    }
    sql = SCHEMA + f"INSERT INTO rainloop_users VALUES (1, 'near@{house.domain}');"
    for number, card in enumerate(CARDS, 1):
        text = json.dumps(["vcard", [["version", {}, "text", "4.0"], *card]]).replace("'", "''")
        sql += f"INSERT INTO rainloop_ab_contacts VALUES ({number}, 'x', 1, 'x', 1, {number - 1}, '');"
        sql += f"INSERT INTO rainloop_ab_properties VALUES ({number}, {number}, 1, 251, '', '{text}', '', 0);"
    app.check_output(f"mkdir -p {home} && printf %%s %s > {home}/identities", json.dumps(identities))
    store = "import sqlite3, sys; book = sqlite3.connect(sys.argv[1]); book.executescript(sys.argv[2])"
    app.check_output(f"python3 -c '{store}' {home}/AddressBook.sqlite %s", sql)
    forget(app, house)
    yield made
    forget(app, house)
    app.check_output(f"rm -r {made}")


def forget(app: Host, house: House) -> None:
    """Take near out of Roundcube."""
    login = f"near@{house.domain}"
    run_program(
        app,
        "$db = $rcmail->get_dbh();"
        f"$db->query('DELETE FROM ' . $db->table_name('users', true) . ' WHERE username = ?', '{login}');",
    )


@pytest.fixture
def move(app: Host, house: House, folder: str) -> Callable[[], str]:
    """Return what takes people along, and returns what it says."""

    def run() -> str:
        environment = "ROUNDCUBE_CONFIG_DIR=/etc/ilnmors-roundcube"
        arguments = f"{folder} roundcube {house.mail_hostname}"
        command = f"printf %%s %s | env {environment} php /dev/stdin {arguments}"
        said: str = app.check_output(command, PROGRAM)
        return said

    return run


def found(app: Host, house: House) -> dict[str, Any]:
    """Return what near has in Roundcube."""
    program = f"""
        $db = $rcmail->get_dbh();
        $read = static function (string $what) use ($db): array {{
            $result = $db->query("SELECT $what AND user_id = (SELECT user_id FROM users WHERE username = ?)",
                'near@{house.domain}');
            for ($rows = []; $row = $db->fetch_assoc($result);) $rows[] = $row;
            return $rows;
        }};
        echo json_encode([
            'identities' => $read('email, name, signature, html_signature FROM identities WHERE del = 0'),
            'contacts' => $read('name, email, firstname, surname, vcard FROM contacts WHERE del = 0'),
        ]);
    """
    answer: dict[str, Any] = json.loads(run_program(app, program))
    return answer


def test_identities_signatures_and_contacts_come_along(
    move: Callable[[], str], app: Host, house: House
) -> None:
    assert move() == f"near@{house.domain}: 1 identities, 1 contacts"
    near = found(app, house)
    assert near["identities"] == [
        {
            "email": f"near@{house.domain}",
            "name": "Near",
            "signature": "<p>Regards, <b>Near</b></p>",
            "html_signature": near["identities"][0]["html_signature"],
        }
    ]
    assert int(near["identities"][0]["html_signature"]) == 1
    (contact,) = near["contacts"]
    assert (contact["name"], contact["surname"], contact["firstname"]) == ("김철수", "김", "철수")
    assert set(contact["email"].split(",")) == {"chul@example.test", "chul.work@example.test"}
    assert "ORG:Acme" in contact["vcard"]
    assert r"NOTE:two\nlines\; here" in contact["vcard"]


def test_nothing_comes_twice_and_nothing_is_overwritten(
    move: Callable[[], str], app: Host, house: House
) -> None:
    move()
    # What the person did since stays: a signature of their own, and a contact removed.
    run_program(
        app,
        "$db = $rcmail->get_dbh();"
        "$db->query(\"UPDATE identities SET signature = 'New' WHERE signature LIKE '%Near%'\");"
        "$db->query(\"UPDATE contacts SET del = 1 WHERE email LIKE 'chul%'\");",
    )
    assert move() == ""
    near = found(app, house)
    assert [one["signature"] for one in near["identities"]] == ["New"]
    assert near["contacts"] == []
