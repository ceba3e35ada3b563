"""Releases of the webmail: another one on the same data, and back; and none that cannot be used.

The other release is that of TACHYON_ARCHIVE over the real application, and over the stand-in another stand-in, in
the fork's layout.
"""

from __future__ import annotations

import hashlib
import io
import os
import secrets
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.ilnmors.mail.tests.behaviour.support.house import House
from ansible_collections.ilnmors.mail.tests.behaviour.support.webmail_client import Webmail
from ansible_collections.ilnmors.mail.tests.behaviour.support.webmail_role import (
    DATA,
    RELEASE,
    Role,
    assert_refused,
    state,
)
from testinfra.host import Host

BUILD = Path(__file__).parents[3] / "molecule/resources/build-webmail-standin.py"
PERSON = "guest"


@pytest.fixture(autouse=True)
def _restored(role: Role, webmail: Webmail, version: str) -> Iterator[None]:
    """Deploy what the inventory says again where a test has left another release."""
    yield
    if webmail.start()["System"]["version"] != version:
        run = role()
        assert run.status == 0, run.output


@pytest.fixture
def other(version: str, tmp_path: Path) -> Path:
    """Return the archive of another release than the one that is deployed."""
    if not version.endswith("standin"):
        if "TACHYON_ARCHIVE" not in os.environ:
            pytest.skip("needs a release archive of Tachyon; TACHYON_ARCHIVE=/path/to/archive names one")
        return Path(os.environ["TACHYON_ARCHIVE"])
    archive = tmp_path / "other.tar.gz"
    subprocess.run([BUILD, archive, "tachyon/v/0.2-standin"], check=True, capture_output=True)
    return archive


def by_file(archive: Path) -> dict[str, object]:
    """Return the two variables that choose an archive."""
    sha256 = hashlib.sha256(archive.read_bytes()).hexdigest()
    return {"snappymail_archive_file": str(archive), "snappymail_archive_sha256": sha256}


# --- another release


def test_another_release_takes_over_at_once_on_the_same_data(
    role: Role, webmail: Webmail, house: House, app: Host, version: str, other: Path
) -> None:
    """What people have made stays, there and on the way back."""
    real = not version.endswith("standin")
    address, mark = house.login(PERSON), secrets.token_hex(8)
    webmail.log_in(address, house.password(PERSON))
    if real:
        write_things(webmail, address, mark)
    key = app.file(f"{DATA}/SALT.php").sha256sum
    back: dict[str, object] = {}
    for variables in (by_file(other), back):
        run = role(**variables)
        assert run.status == 0, run.output
        assert app.file(f"{DATA}/SALT.php").sha256sum == key
        browser = Webmail(house.webmail_hostname, house.ca_file)
        assert (browser.start()["System"]["version"] == version) == (variables is back)
        assert browser.log_in(address, house.password(PERSON))["Result"]
        if real:
            assert_things(browser, address, mark)
    if real:
        remove_things(browser, address, mark)


def write_things(webmail: Webmail, address: str, mark: str) -> None:
    """Make a contact, a signature and a setting."""
    card = [
        "vcard",
        [["version", {}, "text", "4.0"], ["fn", {}, "text", mark], ["email", {}, "text", f"{mark}@x.test"]],
    ]
    changes: dict[str, dict[str, object]] = {
        "ContactSave": {"uid": "", "jCard": card},
        "IdentityUpdate": {"Id": "", "Email": address, "Name": "Guest", "Signature": mark},
        "SettingsUpdate": {"MessagesPerPage": 37},
    }
    for action, parameters in changes.items():
        answer = webmail.act(action, **parameters)
        assert answer["Result"], answer


def assert_things(webmail: Webmail, address: str, mark: str) -> None:
    contacts = webmail.act("Contacts", Search=mark)["Result"]
    assert contacts["Count"] == 1
    identities = webmail.act("AccountsAndIdentities")["Result"]["Identities"]
    assert mark in [one["signature"] for one in identities if one["email"] == address]
    assert webmail.start()["MessagesPerPage"] == 37


def remove_things(webmail: Webmail, address: str, mark: str) -> None:
    contacts = webmail.act("Contacts", Search=mark)["Result"]["List"]
    webmail.act("ContactsDelete", uids=",".join(str(one["id"]) for one in contacts))
    webmail.act("IdentityUpdate", Id="", Email=address, Name="", Signature="")
    webmail.act("SettingsUpdate", MessagesPerPage=20)


# --- a release that cannot be used


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    """Return an archive that has the right layout and does not start."""
    archive = tmp_path / "broken.tar.gz"
    home = "snappymail/v/9.9.9"
    with tarfile.open(archive, "w:gz") as tar:
        for name in (
            "index.php",
            *(f"{home}/{part}" for part in ("include.php", "app/x", "static/x", "themes/x")),
        ):
            content = (
                b"<?php fwrite(STDERR, 'an extension is missing'); exit(46);" if name == "index.php" else b""
            )
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return archive


def test_a_release_that_does_not_start_leaves_the_running_one(
    role: Role, webmail: Webmail, app: Host, version: str, broken: Path
) -> None:
    before = state(app)
    run = role(**by_file(broken))
    assert run.status != 0
    assert "does not start (exit 46) and says: an extension is missing" in run.output
    assert state(app) == before
    assert webmail.start()["System"]["version"] == version


@pytest.mark.parametrize(
    ("trusted", "reason"),
    [
        (True, "the archive's sha256 is {sha256}, but {wanted} was asked for."),
        (False, "the archive cannot be downloaded: "),
    ],
    ids=["another checksum", "a server that nobody vouches for"],
)
def test_a_download_that_cannot_be_used_changes_nothing(
    role: Role, webmail: Webmail, app: Host, version: str, trusted: bool, reason: str
) -> None:
    """The webmail's own style sheet stands for the archive."""
    path = app.check_output(f"cd {RELEASE} && find */v/*/static -name '*.css' | head -n 1")
    sha256 = hashlib.sha256(app.file(f"{RELEASE}/{path}").content).hexdigest()
    before = state(app)
    run = role(
        snappymail_archive_url=f"{webmail.base}/{path}",
        snappymail_archive_sha256="0" * 64,
        snappymail_archive_file="",
        snappymail_attachment_size=7,
        some_environment={"SSL_CERT_FILE": "/etc/ssl/ilnmors-mail/ca.pem"} if trusted else {},
    )
    assert_refused(run, reason.format(sha256=sha256, wanted="0" * 64))
    assert trusted or "certificate" in run.output
    assert state(app) == before
    assert webmail.start()["System"]["version"] == version
