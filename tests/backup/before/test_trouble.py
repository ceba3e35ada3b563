"""Whatever happens to a backup: nothing in the house is lost, it is told what happened, and the next run goes on.

All of it by a backup apart from the house's own, which stays as it is (see apart.py).
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator

import pytest
from ansible_collections.ilnmors.mail.tests.backup.apart import (
    BACKUP,
    DISK,
    DRILL,
    MORE,
    PLACE,
    REPOSITORY,
    Apart,
    messages_of,
)
from ansible_collections.ilnmors.mail.tests.behaviour.support import clients
from ansible_collections.ilnmors.mail.tests.behaviour.support.house import House, wait_for
from testinfra.host import Host

STORE = "/var/vmail"
SEED = 17
KILLS = 3
POSTMASTER = "il"
SERVER = "sftp:backup@imap.gmail.test:/srv/backup/apart"


@pytest.fixture(scope="module")
def apart(mail: Host) -> Iterator[Apart]:
    """Yield a backup that has not been made yet."""
    made = Apart(mail)
    # What an interrupted run of the tests has left.
    made.give_the_units_back()
    mail.check_output("mkdir -p %s && mount -t tmpfs -o size=64m tmpfs %s", DISK, DISK)
    made.prepare()
    made.take_the_units()
    try:
        yield made
    finally:
        made.give_the_units_back()


@pytest.fixture
def bare(mail: Host) -> Iterator[Apart]:
    """Yield a host that has nothing but the repository."""
    made = Apart(mail, f"{PLACE}/bare")
    made.prepare_bare()
    yield made
    mail.check_output("rm -rf %s", made.directory)


@pytest.fixture(autouse=True)
def _nothing_is_lost(mail: Host, house: House) -> Iterator[None]:
    """See that all messages are in the house that were there before, and that it takes more."""
    before = messages_of(mail, STORE)
    yield
    assert before.items() <= messages_of(mail, STORE).items()
    for user in ("guest", "rounds"):
        new = clients.message("trouble@elsewhere.test", house.login(user))
        with house.imap(user) as client:
            client.append("INBOX", "", "", new.as_bytes())
            assert clients.find(client, str(new["Message-ID"]))


def add_more(mail: Host, size: int = 100_000) -> None:
    """Add what is to be backed up: random bytes."""
    mail.check_output("head -c %s /dev/urandom >%s/$(date +%%s%%N)", str(size), MORE)


def kill_points(seconds: float) -> list[float]:
    """Return points in the time that something takes, by the seed."""
    chance = random.Random(SEED)
    return [chance.uniform(0, seconds) for __ in range(KILLS)]


def test_a_backup_that_is_killed_anywhere_goes_on(mail: Host, apart: Apart) -> None:
    assert apart.run()["state"] == "ok"
    add_more(mail)
    taken = apart.run()["facts"]["seconds"]
    for seconds in kill_points(taken):
        add_more(mail)
        apart.killed(BACKUP, seconds)
    assert apart.run()["state"] == "ok"
    assert mail.run("find %s -name '*.lock' -path '*/Maildir/*'", STORE).stdout == ""
    # Its locks keep everybody else away.
    apart.killed(DRILL, kill_points(taken)[0])
    assert apart.run(DRILL)["state"] == "ok"


def test_a_restore_that_is_killed_anywhere_goes_on(mail: Host, apart: Apart, bare: Apart) -> None:
    earlier = messages_of(mail, STORE)
    assert apart.run()["state"] == "ok"
    restore = ("restore-house", "--part", "state")
    began = time.monotonic()
    assert bare.command("restore-house", "--part", "check").rc == 0
    looked = time.monotonic() - began
    for seconds in kill_points(looked + 2):
        bare.killed_command(seconds, *restore)
    done = bare.command(*restore)
    assert done.rc == 0, done.stderr
    restored = messages_of(mail, bare.store)
    assert earlier.items() <= restored.items() <= messages_of(mail, STORE).items()
    assert (
        mail.file(f"{bare.directory}/places/certificates/ca.key").sha256sum
        == mail.file("/etc/ssl/ilnmors-mail/ca.key").sha256sum
    )

    # Now it has mail.
    bare.forget_the_restore()
    refused = bare.command(*restore)
    assert refused.rc == 64
    assert (
        "already, which may be newer; restore onto a bare host, or have the snapshot's mail put beside"
        in (refused.stderr)
    )
    assert messages_of(mail, bare.store) == restored
    assert bare.command(*restore, "--existing", "beside").rc == 0
    both = messages_of(mail, bare.store)
    assert restored.items() <= both.items()
    assert len(both) == 2 * len(restored)
    assert all("/.Restored " in path for path in both.keys() - restored.keys())


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("restore-person", "nobody"), "'nobody' is not in the snapshot; write one of "),
        (("restore-person", "guest", "--snapshot", "2001-01-01"), "apart has no snapshot '2001-01-01'"),
        (("restore-person", "guest", "--folder", "Nowhere"), "the snapshot has no folder 'Nowhere'"),
        (("restore-house", "--part", "check", "--host", "other"), "the repository has no snapshot of other"),
        (("restore-house", "--part", "state"), "/var/vmail has mail of "),
        (("list", "ffffffff"), "apart has no snapshot 'ffffffff'"),
    ],
    ids=" ".join,
)
def test_what_there_is_not_is_refused(apart: Apart, words: tuple[str, ...], said: str) -> None:
    refused = apart.command(*words)
    assert refused.rc == 64
    assert said in refused.stderr


def test_a_full_disk(mail: Host, apart: Apart) -> None:
    began = time.time()
    used = int(mail.check_output("du -sk %s", DISK).split()[0])
    mail.check_output("mount -o remount,size=%sk %s", str(used + 1024), DISK)
    add_more(mail, 8_000_000)
    snapshots = apart.command("list").stdout
    failed = apart.run()
    assert (failed["state"], "no space left on device" in failed["reason"].lower()) == ("full", True), failed
    assert "make room where it is full" in apart.journal(began)
    # What was there before can still be restored.
    assert apart.command("list").stdout == snapshots
    mail.check_output("mount -o remount,size=64m %s", DISK)
    assert apart.run()["state"] == "ok"


def test_a_repository_that_is_not_there_is_not_made_anew(mail: Host, apart: Apart) -> None:
    began = time.time()
    mail.check_output("mv %s %s.away", REPOSITORY, REPOSITORY)
    assert apart.run()["state"] == "missing"
    assert "the repository is not there any more; mount the disk" in apart.journal(began)
    assert not mail.file(REPOSITORY).exists
    mail.check_output("mv %s.away %s", REPOSITORY, REPOSITORY)
    assert apart.run()["state"] == "ok"


def test_a_server_that_goes_away_meanwhile(mail: Host, provider: Host, apart: Apart) -> None:
    apart.access(SERVER)
    try:
        assert apart.run()["state"] == "missing"
        # Another repository is begun where nothing is known of the first.
        mail.check_output("rm %s/state/status.json", PLACE)
        assert apart.run()["state"] == "ok"
        add_more(mail, 8_000_000)
        apart.prepare(upload=300, local_repository="")
        apart.access(SERVER)
        before = uploaded(provider)
        mail.check_output("systemctl stop %s; systemctl start --no-block %s", BACKUP, BACKUP)
        wait_for(lambda: uploaded(provider) > before + 100, "a part of the backup at the server")
        provider.check_output("systemctl stop ssh.service ssh.socket; pkill -KILL -u backup")
        wait_for(lambda: apart.status()["backup"]["state"] == "unreachable", "the end of the backup", 60)
        failed = apart.status()["backup"]
        assert "see whether the machine with the repository runs" in failed["remedy"]
        # Again, while nobody answers.
        assert apart.run()["state"] == "unreachable"
        provider.check_output("systemctl start ssh.service")
        apart.prepare(local_repository="")
        apart.access(SERVER)
        assert apart.run()["state"] == "ok"
    finally:
        provider.check_output("systemctl start ssh.service; rm -rf /srv/backup/apart")
        apart.prepare()
    assert apart.run()["state"] == "ok"


def uploaded(provider: Host) -> int:
    """Return how much has arrived at the server, in KiB."""
    return int(provider.check_output("du -sk /srv/backup/apart").split()[0])


def test_a_wrong_password_is_told_once(mail: Host, house: House, apart: Apart) -> None:
    began = time.time()
    stopped, works = (f"The backups of apart-password {what}" for what in ("have stopped", "work again"))
    before = told(house, stopped), told(house, works)
    mail.check_output("rm %s/state/status.json", PLACE)
    apart.prepare(host="apart-password")
    assert apart.run()["state"] == "ok"
    apart.access(password="wrong")
    for __ in range(2):
        failed = apart.run()
        assert failed["state"] == "password"
    assert "write the password that the repository was made with as mail_backup_password" in apart.journal(
        began
    )
    # It is not tried again by itself.
    assert mail.check_output("systemctl show -P ActiveState %s", BACKUP) == "failed"
    apart.access()
    assert apart.run()["state"] == "ok"
    wait_for(lambda: told(house, works) > before[1], "the message that all is well")
    assert told(house, stopped) == before[0] + 1
    apart.prepare()


def told(house: House, subject: str) -> int:
    """Return how many messages the postmaster has of a subject."""
    with house.imap(POSTMASTER) as client:
        client.select("INBOX", readonly=True)
        return len(client.uid("SEARCH", "SUBJECT", f'"{subject}"')[1][0].split())


def test_a_truncated_pack(mail: Host, apart: Apart) -> None:
    began = time.time()
    pack = mail.check_output("ls -S %s/data/*/* | head -n 1", REPOSITORY)
    mail.check_output("cp -a %s %s/whole && truncate -s -1000 %s", pack, PLACE, pack)
    failed = apart.run(DRILL)
    assert failed["state"] == "corrupt", failed
    assert "see 'restic check' and 'restic repair'" in apart.journal(began)
    mail.check_output("cp -a %s/whole %s", PLACE, pack)
    assert apart.run(DRILL)["state"] == "ok"
    assert apart.run()["state"] == "ok"
