"""Nobody gets commands of their own into those that the webmail sends to the mail host.

GHSA-3w5p-7qc3-89gm, and every other way by which a parameter reaches IMAP, SMTP or ManageSieve. Each attack would make
a folder, remove a script or add a recipient; whether it did is asked of the mail host.
"""

from __future__ import annotations

import base64
import json
import shlex
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote

import pytest
from ansible_collections.ilnmors.mail.tests.behaviour.support import clients
from ansible_collections.ilnmors.mail.tests.behaviour.support.browser import OpenTab
from ansible_collections.ilnmors.mail.tests.behaviour.support.house import House, wait_for
from ansible_collections.ilnmors.mail.tests.behaviour.support.sieve_client import ManageSieve
from ansible_collections.ilnmors.mail.tests.behaviour.support.snappymail_page import SnappyMailMailbox
from ansible_collections.ilnmors.mail.tests.behaviour.support.webmail_client import Webmail
from testinfra.host import Host

INVALID_INPUT = 903


@pytest.fixture
def il(real_webmail: Webmail, house: House) -> Webmail:
    """Return the browser of somebody who is logged in."""
    answer = real_webmail.log_in(house.login("il"), house.password("il"))
    assert answer["Result"], answer
    return real_webmail


@pytest.fixture
def folders(house: House, mark: str) -> Iterator[Callable[[], list[str]]]:
    """Return what tells which folders of il have the mark in their names; they are removed in the end."""
    with house.imap("il") as imap:
        # An empty inbox is not searched.
        new = clients.message("stranger@example.org", house.login("il"))
        new.replace_header("Subject", mark)
        imap.append("INBOX", None, None, new.as_bytes())

        def made() -> list[str]:
            listed = [line.decode() for line in imap.list()[1] if isinstance(line, bytes)]
            return [line.rpartition(" ")[2].strip('"') for line in listed if mark in line]

        yield made
        for name in made():
            imap.delete(f'"{name}"')


def packed(values: object) -> str:
    """Return values as they are packed into an address."""
    return base64.urlsafe_b64encode(json.dumps(values).encode()).decode().rstrip("=")


def injections(mark: str) -> list[tuple[str, dict[str, Any]]]:
    """Return actions, each with a command in one of its parameters that makes a folder of its own number."""
    made: list[tuple[str, dict[str, Any]]] = []

    def after(value: str, end: str = '"') -> str:
        return f"{value}{end}\r\nZ9 CREATE {mark}-{len(made)}\r\nZ8 NOOP {end}"

    def add(action: str, **parameters: object) -> None:
        made.append((action, parameters))

    add("MessageList", folder="INBOX", offset=0, limit=20, search=after("x"))
    add("MessageList", folder="INBOX", offset=0, limit=20, search=f"from={quote(after('x'))}")
    add("MessageList", folder="INBOX", offset=0, limit=20, search=f"header={quote(after('x y'))}")
    escaped = after("x", "").replace('"', "").replace("\r", "\\r").replace("\n", "\\n")
    add("MessageList", folder="INBOX", offset=0, limit=20, search=f'from:"{escaped}"')
    add("MessageList", folder="INBOX", offset=0, limit=20, search=after("가", ""))
    add("MessageList", folder="INBOX", offset=0, limit=20, sort=after("DATE", ""))
    add("MessageList", folder=after("INBOX"), offset=0, limit=20)
    add(
        "MessageList",
        folder="INBOX",
        useThreads=1,
        threadUid=after("1", ""),
        threadAlgorithm=after("REFS", ""),
    )
    add("MessageSetSeen", folder="INBOX", uids=after("1:2", ""), setAction=0)
    add("MessageSetSeenToAll", folder="INBOX", threadUids=after("1:2", ""), setAction=0)
    add("MessageSetKeyword", folder="INBOX", uids="1", keyword=after("x", ""), setAction=1)
    add("MessageMove", fromFolder="INBOX", toFolder=after("Trash"), uids="1")
    add("MessageCopy", fromFolder="INBOX", toFolder="Trash", uids=after("9999999:9999999", ""))
    add("MessageDelete", folder=after("INBOX"), uids="9999999")
    add("Message", folder=after("INBOX"), uid=1)
    add(
        "MessageUploadAttachments",
        attachments=[packed({"folder": "INBOX", "uid": 1, "mimeIndex": after("1", "]")})],
    )
    add("FolderCreate", folder=after("x"), parent="", subscribe=1)
    add("FolderCreate", folder="x", parent=after("INBOX"), subscribe=0)
    add("FolderRename", oldName=after("x"), newName="y")
    add("FolderRename", oldName="Archive", newName=after("x"))
    add("FolderDelete", folder=after("x"))
    add("FolderClear", folder=after("x"))
    add("FolderSubscribe", folder=after("x"), subscribe=1)
    add("FolderSettings", folder=after("x"), subscribe=1, kolab={"type": "", "value": ""})
    add("FolderSettings", folder="x", subscribe=0, kolab={"type": after("/private/x"), "value": after("x")})
    add("FolderSetMetadata", folder=after("x"), key=after("/private/x"), value=after("x"))
    add("FolderInformation", folder="INBOX", flagsUids=[after("1:2", "")])
    add("FolderInformation", folder=after("INBOX"), flagsUids=[])
    add("FolderInformationMultiply", folders=[after("INBOX")])
    add("FolderACL", folder=after("INBOX"))
    add("FolderSetACL", folder="INBOX", identifier=after("x"), rights="lr")
    add("FolderSetACL", folder="INBOX", identifier="x", rights=after("lr"))
    add("FolderDeleteACL", folder="INBOX", identifier=after("x"))
    add("SaveMessage", saveFolder=after("Drafts"), subject="x", plain="x")
    add("PgpVerifyMessage", folder="INBOX", uid=1, partId=after("1", "]"), sigPartId="2")
    add("SMimeVerifyMessage", folder="INBOX", uid=1, partId=after("1", "]"), sigPartId=after("2", "]"))
    add("SMimeDecryptMessage", folder=after("INBOX"), uid=1, partId="1")
    return made


def test_no_parameter_makes_a_folder(il: Webmail, mark: str, folders: Callable[[], list[str]]) -> None:
    refused = {}
    for number, (action, parameters) in enumerate(injections(mark)):
        answer = il.act(action, **parameters)
        refused[f"{number} {action}"] = answer.get("code")
    assert folders() == []
    assert set(refused.values()) == {INVALID_INPUT}, refused


def test_no_address_makes_a_folder(il: Webmail, mark: str, folders: Callable[[], list[str]]) -> None:
    """What is asked for by an address, in which the parameters are packed."""
    made = f"\r\nZ9 CREATE {mark}\r\nZ8 NOOP "
    listing = {"hash": "a-b", "folder": "INBOX", "limit": 20, "offset": 0, "sort": "", "useThreads": 0}
    for search in (f'x"{made}"', f"from=x{quote(chr(34) + made)}", f'from:"x{made}"'):
        assert il.get(f"/?/Json/&q[]=/0/MessageList/&q[]=/{packed({**listing, 'search': search})}").json()[
            "code"
        ]
    il.get(f"/?/Json/&q[]=/0/Message/&q[]=/{packed([f'INBOX{chr(34)}{made}', 1, 0, il.account])}")
    for index, folder in ((f"1]{made}", "INBOX"), ("1", f'INBOX"{made}"')):
        key = packed({"folder": folder, "uid": 1, "mimeIndex": index, "accountHash": il.account})
        for service in ("Download", "View", "ViewAsPlain", "ViewThumbnail"):
            assert il.get(f"/?/Raw/&q[]=/0/{service}/&q[]=/{key}").content == b""
    assert folders() == []


def test_a_link_makes_no_folder(
    open_tab: OpenTab, real_webmail: Webmail, house: House, mark: str, folders: Callable[[], list[str]]
) -> None:
    """As anybody may send it to somebody who is logged in."""
    mailbox = SnappyMailMailbox(open_tab(base_url=real_webmail.base))
    mailbox.page.goto(real_webmail.base)
    mailbox.offer(house.login("il"), house.password("il"))
    mailbox.is_open()
    for made in (
        f"x%250D%250AZ9%2520CREATE%2520{mark}%250D%250AZ8%2520NOOP",
        f"x%2522%250D%250AZ9%2520CREATE%2520{mark}-1%250D%250AZ8%2520NOOP",
        f"from=x%2522%25250D%25250AZ9%252520CREATE%252520{mark}-2%25250D%25250AZ8%252520NOOP",
    ):
        with mailbox.page.expect_response("**/?/Json/**"):
            mailbox.page.goto(f"/#/mailbox/INBOX/{made}")
        mailbox.page.wait_for_load_state("networkidle")
    mailbox.tab.picture("link-refused")
    assert folders() == []
    mailbox.page.goto("/#/mailbox/INBOX")
    mailbox.is_open()


def test_no_filters_name_removes_another(il: Webmail, house: House, mark: str) -> None:
    with ManageSieve(house.mail_hostname, house.ca_file) as sieve:
        sieve.log_in(house.login("il"), house.password("il"))
        sieve.command("PUTSCRIPT", mark, "keep;\n")
        before = set(sieve.scripts())
        try:
            for name in (f'x"\r\nDELETESCRIPT "{mark}', f'{mark}"\r\nDELETESCRIPT "{mark}'):
                for action, body in (
                    ("FiltersScriptSave", {"body": "keep;\r\n"}),
                    ("FiltersScriptActivate", {}),
                    ("FiltersScriptDelete", {}),
                ):
                    assert il.act(action, name=name, **body)["code"] == INVALID_INPUT
            # A script is a text, whatever is in it.
            hostile = f'keep;\r\n# {{1+}}\r\nDELETESCRIPT "{mark}"\r\n'
            assert not il.act("FiltersScriptSave", name=mark, body=hostile)["Result"]
            assert set(sieve.scripts()) == before
        finally:
            sieve.command("DELETESCRIPT", mark)


@pytest.mark.parametrize("field", ["to", "cc", "bcc", "from", "replyTo"])
def test_no_address_of_a_message_adds_a_recipient(il: Webmail, house: House, mark: str, field: str) -> None:
    message = {"from": house.login("il"), "to": house.login("il"), "subject": mark, "plain": "x"}
    guest = house.login("guest")
    for value in (
        f"{house.login('il')}>\r\nRCPT TO:<{guest}",
        f'"a\r\nRCPT TO:<{guest}>\r\n" <{house.login("il")}>',
        f"{house.login('il')}\nBcc: {guest}",
        f"{house.login('il')}\r\n\r\n{guest}",
    ):
        assert il.act("SendMessage", **{**message, field: value})["code"] == INVALID_INPUT


@pytest.mark.parametrize(
    "field", ["subject", "inReplyTo", "references", "boundary", "messageFolder", "saveFolder"]
)
def test_no_header_of_a_message_brings_another(il: Webmail, house: House, mark: str, field: str) -> None:
    message = {"from": house.login("il"), "to": house.login("il"), "subject": mark, "plain": "x"}
    value = f"{mark}\r\nX-Injected: {mark}"
    assert il.act("SendMessage", **{**message, field: value})["code"] == INVALID_INPUT
    upload = {
        "name": value,
        "inline": False,
        "cId": value,
        "location": value,
        "type": "text/plain\r\nX-Injected: 1",
    }
    assert il.act("SendMessage", **message, attachments={"x": upload})["code"] == INVALID_INPUT


def test_what_is_stored_carries_no_line_breaks(il: Webmail, house: House, mark: str) -> None:
    """It would reach the mail host later: identities by receipts, folders by what is sent."""
    before = il.act("AccountsAndIdentities")["Result"]["Identities"]
    for field in ("Email", "Name", "ReplyTo", "Bcc", "Label", "sentFolder"):
        own = {"Id": "", "Email": house.login("il"), "Name": ""}
        answer = il.act(
            "IdentityUpdate", **{**own, field: f"{own.get(field, '')}\r\nBcc: {house.login('guest')}"}
        )
        assert answer["code"] == INVALID_INPUT
    assert il.act("AccountsAndIdentities")["Result"]["Identities"] == before
    for field in ("sent", "drafts", "junk", "trash", "archive"):
        assert il.act("SystemFoldersUpdate", **{field: f'x"\r\nZ9 CREATE "{mark}'})["code"] == INVALID_INPUT


def test_what_others_write_can_be_answered(il: Webmail, house: House, mark: str) -> None:
    """Headers in several lines, and line breaks that are encoded in them, are no reason to refuse an answer."""
    raw = (
        f"From: =?utf-8?q?A=0D=0AB?= <a@example.org>\r\nTo: {house.login('il')}\r\n"
        f"Subject: {mark}\r\n =?utf-8?q?a=0D=0Ab?=\r\nMessage-ID: <{mark}@example.org>\r\n"
        f"References: <1.{mark}@example.org>\r\n\t<2.{mark}@example.org>\r\n\r\nHello.\r\n"
    )
    with house.imap("il") as imap:
        imap.append("INBOX", None, None, raw.encode())
    (listed,) = il.find("INBOX", mark)
    read = il.read("INBOX", listed["uid"])
    answer = il.act(
        "SendMessage",
        **{"from": house.login("il"), "to": house.login("il"), "plain": "Yes.\r\nNo.\r\n"},
        # An input field drops line breaks.
        subject=f"Re: {read['subject']}".replace("\r", "").replace("\n", ""),
        inReplyTo=read["messageId"],
        references=f"{read['references']} {read['messageId']}",
    )
    assert answer["Result"], answer
    with house.imap("il") as imap:

        def find() -> bytes:
            imap.select("INBOX", readonly=True)
            return bytes(imap.uid("SEARCH", "HEADER", "In-Reply-To", f"<{mark}@example.org>")[1][0])

        message = clients.parse(clients.fetch(imap, wait_for(find, "the answer")))
    assert message["References"].split() == [f"<{one}{mark}@example.org>" for one in ("1.", "2.", "")]


@pytest.fixture
def without_a_look(app: Host) -> Iterator[None]:
    """Let parameters through as they are, as if there were one that nobody thought of. Only in the lab."""
    folder = "/var/lib/snappymail/_data_/_default_/plugins/house-requests"
    blind = "<?php class HouseParameters { static function problem() { return null; } }"
    app.check_output(f"cp --preserve {folder}/parameters.php {folder}/parameters.away")
    try:
        app.check_output(f"printf %s {shlex.quote(blind)} > {folder}/parameters.php")
        app.check_output("systemctl reload 'php*-fpm'")
        yield
    finally:
        app.check_output(f"mv {folder}/parameters.away {folder}/parameters.php")
        app.check_output("systemctl reload 'php*-fpm'")


@pytest.mark.usefixtures("provider", "without_a_look")
def test_a_second_command_is_not_sent_whatever_made_it(
    il: Webmail, mark: str, folders: Callable[[], list[str]]
) -> None:
    """What the look at parameters overlooks stops at the connection."""
    for action, parameters in injections(mark):
        if action in {"FolderCreate", "FolderSubscribe", "MessageSetSeen"} or parameters.get(
            "search", ""
        ).startswith("x"):
            assert not il.act(action, **parameters)["Result"]
    assert folders() == []
    filters = il.act("Filters")["Result"]["Scripts"]
    assert not il.act("FiltersScriptSave", name=f'{mark}"\r\nNOOP "', body="keep;")["Result"]
    assert il.act("Filters")["Result"]["Scripts"] == filters
