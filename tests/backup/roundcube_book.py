"""Somebody who changes contacts and an identity in Roundcube's database again and again."""

from __future__ import annotations

from ansible_collections.ilnmors.mail.tests.behaviour.support.house import wait_for
from testinfra.host import Host

LIVE = "/var/lib/ilnmors-roundcube/roundcube.db"
COPY = "/var/lib/mail-backup/current/places/roundcube/roundcube.db"
UNIT = "roundcube-writer.service"
WRITE = r"""
import contextlib, itertools, sqlite3, sys
for number in itertools.count(1):
    with contextlib.closing(sqlite3.connect(sys.argv[1], timeout=60)) as book:
        if number == 1:
            book.execute("DELETE FROM users WHERE username = 'writer'")
            book.execute("INSERT INTO users (username, mail_host) VALUES ('writer', 'mail')")
        user, = book.execute("SELECT user_id FROM users WHERE username = 'writer'").fetchone()
        if number == 1:
            book.execute("INSERT INTO identities (user_id, name) VALUES (?, 'writer')", (user,))
        book.execute("INSERT INTO contacts (user_id, name, firstname) VALUES (?, 'writer', ?)", (user, str(number)))
        book.execute("UPDATE identities SET signature = ? WHERE user_id = ?", (number, user))
        book.commit()
"""
"""Each change adds a contact, and counts them in an identity. Of the one before it, nothing stays open."""
READ = r"""
import sqlite3, sys
book = sqlite3.connect(f"file:{sys.argv[1]}", uri=True)
book.execute("BEGIN")
sound, = book.execute("PRAGMA integrity_check").fetchone()
(counted,), = book.execute("SELECT signature FROM identities WHERE name = 'writer'").fetchall() or [(0,)]
found = [int(name) for name, in book.execute(
    "SELECT firstname FROM contacts WHERE name = 'writer' AND user_id IN "
    "(SELECT user_id FROM users WHERE username = 'writer') ORDER BY contact_id")]
assert (sound, found) == ("ok", list(range(1, int(counted) + 1))), (sound, counted, len(found))
print(counted)
"""


def start(app: Host) -> None:
    """Begin, and return after the first changes."""
    app.check_output("systemd-run --quiet --unit %s --uid roundcube python3 -c %s %s", UNIT, WRITE, LIVE)
    wait_for(lambda: changes(app) > 0, "the first changes")


def stop(app: Host) -> None:
    """End."""
    app.run("systemctl stop %s; systemctl reset-failed %s", UNIT, UNIT)


def changes(app: Host) -> int:
    """Return how many changes the database has, which has to be sound and as it was at one moment."""
    return int(app.check_output("runuser -u roundcube -- python3 -c %s %s", READ, LIVE))


def changes_of_the_copy(app: Host) -> int:
    """Return the same of what was backed up last."""
    return int(app.check_output("python3 -c %s %s", READ, f"{COPY}?immutable=1"))
