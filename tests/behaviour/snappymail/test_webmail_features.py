"""What people do in the webmail, as its page does it: by the same requests, without the page.

All of it wants the real application. Each test marks what it makes, and removes it in the end.
"""

from __future__ import annotations

import json
import secrets
from email.header import Header
from email.message import EmailMessage
from email.utils import formataddr
from typing import Any

import pytest
from ansible_collections.ilnmors.mail.tests.behaviour.support import clients
from ansible_collections.ilnmors.mail.tests.behaviour.support.house import FOLDERS, House, wait_for
from ansible_collections.ilnmors.mail.tests.behaviour.support.senders import login
from ansible_collections.ilnmors.mail.tests.behaviour.support.webmail_client import Webmail
from testinfra.host import Host

PLUGIN = "/var/lib/snappymail/_data_/_default_/plugins/house-identities"
ACCOUNT_NOT_ALLOWED = 110
CANT_SEND_MESSAGE = 302


@pytest.fixture
def il(real_webmail: Webmail, house: House) -> Webmail:
    """Return the browser of somebody who is logged in."""
    return logged_in(real_webmail, house, "il")


@pytest.fixture
def guest(real_webmail: Webmail, house: House) -> Webmail:
    """Return the browser of somebody else."""
    return logged_in(real_webmail.another(), house, "guest")


def logged_in(webmail: Webmail, house: House, name: str) -> Webmail:
    answer = webmail.log_in(house.login(name), house.password(name))
    assert answer["Result"], answer
    return webmail


def put(house: House, name: str, folder: str, message: EmailMessage) -> None:
    """Put a message into a folder, as if it had come long ago."""
    with house.imap(name) as imap:
        assert imap.append(folder, None, None, message.as_bytes())[0] == "OK"


def stored(house: House, name: str, folder: str, mark: str) -> list[EmailMessage]:
    """Return the messages of a folder whose subject has the mark."""
    with house.imap(name) as imap:
        imap.select(folder, readonly=True)
        found = imap.uid("SEARCH", "SUBJECT", mark)[1][0].split()
        return [clients.parse(clients.fetch(imap, uid)) for uid in found]


def arrived(house: House, name: str, mark: str, seconds: float = 30) -> EmailMessage:
    """Return the one message that arrives in an inbox with the mark."""
    (message,) = wait_for(lambda: stored(house, name, "INBOX", mark), f"mail with {mark}", seconds)
    return message


def send(webmail: Webmail, **parameters: object) -> None:
    answer = webmail.act("SendMessage", **parameters)
    assert answer["Result"], answer


def attach(webmail: Webmail, name: str, content: bytes) -> dict[str, dict[str, Any]]:
    """Upload a file, and return what a message says of it."""
    answer = webmail.upload(name, content)["Result"]["Attachment"]
    about = {"name": name, "inline": False, "cId": "", "location": "", "type": answer["mimeType"]}
    return {answer["tempName"]: about}


def attachments(message: EmailMessage) -> dict[str | None, object]:
    return {part.get_filename(): part.get_content() for part in message.iter_attachments()}


# --- reading


def test_a_message_is_found_and_read(il: Webmail, house: House, mark: str) -> None:
    photo = secrets.token_bytes(30_000)
    new = clients.message("someone@example.org", house.login("il"), f"산에서 보낸 편지 {mark}body\n")
    new.replace_header("From", formataddr((str(Header("김철수", "utf-8")), "someone@example.org")))
    new.replace_header("Subject", f"휴가 사진 {mark}")
    new.add_alternative(
        f'<p>산에서 보낸 편지</p><img src="https://tracker.example.org/{mark}.gif">', subtype="html"
    )
    new.add_attachment(photo, maintype="application", subtype="octet-stream", filename="사진 1.bin")
    put(house, "il", "INBOX", new)
    answer = clients.message("someone@example.org", house.login("il"))
    answer.replace_header("Subject", f"Re: 휴가 사진 {mark}")
    answer["In-Reply-To"] = answer["References"] = new["Message-ID"]
    put(house, "il", "INBOX", answer)

    (both, found) = il.find("INBOX", mark), il.find("INBOX", f"subject=휴가 사진 {mark}")
    assert {one["messageId"] for one in both} == {new["Message-ID"], answer["Message-ID"]}
    assert len(found) == 2
    (listed,) = il.find("INBOX", f"body={mark}body")
    assert listed["subject"] == f"휴가 사진 {mark}"
    assert listed["from"][0]["name"] == "김철수"
    assert "\\seen" not in listed["flags"]
    assert listed["uid"] in {one["uid"] for one in il.find("INBOX", "from=김철수")}
    assert listed["uid"] in {one["uid"] for one in il.find("INBOX", "body=산에서")}
    (thread,) = [
        one
        for one in il.find("INBOX", "", useThreads=1, threadAlgorithm="REFS", sort="REVERSE DATE")
        if mark in one["subject"]
    ]
    assert len(thread["threads"]) == 2

    message = il.read("INBOX", listed["uid"])
    assert "산에서 보낸 편지" in message["plain"]
    # Pages ask before they load what is outside; il's browser was never told to.
    assert f"https://tracker.example.org/{mark}.gif" in message["html"]
    assert il.start()["ViewImages"] == "ask"
    (file,) = message["attachments"]["@Collection"]
    assert file["fileName"] == "사진 1.bin"
    assert il.raw("Download", il.key(file)) == photo


def test_messages_are_marked_moved_and_deleted(il: Webmail, house: House, mark: str) -> None:
    new = clients.message("someone@example.org", house.login("il"))
    new.replace_header("Subject", mark)
    put(house, "il", "INBOX", new)

    def uid(folder: str) -> int:
        (found,) = il.find(folder, mark)
        return int(found["uid"])

    def flags() -> set[str]:
        return set(il.find("INBOX", mark)[0]["flags"])

    here = {"folder": "INBOX", "uids": str(uid("INBOX"))}
    for action, flag in (("MessageSetSeen", "\\seen"), ("MessageSetFlagged", "\\flagged")):
        assert il.act(action, **here, setAction=1)["Result"]
        assert flag in flags()
        assert il.act(action, **here, setAction=0)["Result"]
        assert flag not in flags()
    for source, target in (("INBOX", "Archive"), ("Archive", "Junk"), ("Junk", "Trash")):
        answer = il.act("MessageMove", fromFolder=source, toFolder=target, uids=str(uid(source)))
        assert answer["Result"], answer
        assert not il.find(source, mark)
        assert len(stored(house, "il", target, mark)) == 1
    assert il.act("MessageDelete", folder="Trash", uids=str(uid("Trash")))["Result"]
    assert not stored(house, "il", "Trash", mark)


def test_a_mailbox_of_thousands_is_listed(il: Webmail, house: House, mark: str) -> None:
    with house.imap("il") as imap:
        assert imap.create(mark)[0] == "OK"
        try:
            new = clients.message("someone@example.org", house.login("il"))
            for number in range(4):
                new.replace_header("Subject", f"{mark} {number}")
                imap.append(mark, None, None, new.as_bytes())
            imap.select(mark)
            for __ in range(9):
                assert imap.copy("1:*", mark)[0] == "OK"
                imap.noop()
            answer = il.act("MessageList", folder=mark, offset=1990, limit=50, search="")["Result"]
            assert (answer["totalEmails"], len(answer["@Collection"])) == (2048, 50)
        finally:
            imap.select("INBOX", readonly=True)
            imap.delete(mark)


# --- writing


def test_a_draft_is_kept_opened_and_sent(il: Webmail, house: House, mark: str) -> None:
    content = secrets.token_bytes(300_000)
    draft: dict[str, object] = {
        "from": formataddr(("일", house.login("il"))),
        "to": house.login("guest"),
        "subject": f"초안 {mark}",
        "html": "<p>아직 <b>아니다</b></p>",
        "attachments": attach(il, "초안 1.bin", content),
    }
    saved = il.act("SaveMessage", **draft, saveFolder="Drafts")["Result"]
    assert len(stored(house, "il", "Drafts", mark)) == 1

    opened = il.read("Drafts", saved["uid"])
    assert (opened["subject"], opened["to"][0]["email"]) == (draft["subject"], draft["to"])
    assert "아니다" in opened["html"]
    keys = [il.key(file) for file in opened["attachments"]["@Collection"]]
    (copied,) = il.act("MessageUploadAttachments", attachments=keys)["Result"]
    file = {"name": "초안 1.bin", "inline": False, "cId": "", "location": "", "type": copied["mimeType"]}
    draft |= {"html": "<p>이제 <b>됐다</b></p>", "attachments": {copied["tempName"]: file}}
    send(il, **draft, messageFolder="Drafts", messageUid=saved["uid"], saveFolder="Sent")

    message = arrived(house, "guest", mark)
    assert message["Subject"] == draft["subject"]
    assert message["From"].addresses[0].display_name == "일"
    html, plain = message.get_body(("html",)), message.get_body(("plain",))
    assert html is not None
    assert plain is not None
    assert "됐다" in html.get_content()
    assert "됐다" in plain.get_content()
    assert attachments(message) == {"초안 1.bin": content}
    assert not stored(house, "il", "Drafts", mark)
    (copy,) = stored(house, "il", "Sent", mark)
    assert copy["Message-ID"] == message["Message-ID"]


def test_a_reply_belongs_to_its_message(guest: Webmail, house: House, mark: str) -> None:
    new = clients.message(house.login("il"), house.login("guest"))
    new.replace_header("Subject", mark)
    new["References"] = "<root@example.org>"
    put(house, "guest", "INBOX", new)
    (listed,) = guest.find("INBOX", mark)
    read = guest.read("INBOX", listed["uid"])
    send(
        guest,
        **{"from": house.login("guest"), "to": read["from"][0]["email"], "subject": f"Re: {read['subject']}"},
        plain="Yes.\n",
        inReplyTo=read["messageId"],
        references=f"{read['references']} {read['messageId']}",
        draftInfo=["reply", listed["uid"], "INBOX"],
        saveFolder="Sent",
    )
    message = arrived(house, "il", mark)
    assert message["In-Reply-To"] == new["Message-ID"]
    assert message["References"].split() == ["<root@example.org>", new["Message-ID"]]
    assert "\\answered" in guest.find("INBOX", mark)[0]["flags"]


def test_the_largest_attachment_arrives(il: Webmail, house: House, mark: str) -> None:
    """The server's limit is of what base64 makes of it."""
    most = il.start()["attachmentLimit"]
    content = secrets.token_bytes(most)
    send(
        il,
        **{"from": house.login("il"), "to": house.login("il"), "subject": mark, "plain": "Large.\n"},
        attachments=attach(il, "large.bin", content),
    )
    assert attachments(arrived(house, "il", mark, 60)) == {"large.bin": content}
    assert il.upload("larger.bin", content + b"x")["Result"].get("Attachment") is None


def test_a_refusal_of_the_mail_host_is_told(il: Webmail, house: House, mark: str) -> None:
    for sender, recipient, reason in (
        ("guest", house.login("il"), "not owned by user"),
        ("il", house.login(f"nobody-{mark}"), "User unknown"),
    ):
        answer = il.act("SendMessage", **{"from": house.login(sender), "to": recipient, "subject": mark})
        assert (answer["Result"], answer["code"]) == (False, CANT_SEND_MESSAGE)
        assert reason in answer["messageAdditional"]


# --- folders


def test_folders_are_those_of_the_mail_host(il: Webmail, house: House) -> None:
    found = il.act("Folders")["Result"]
    folders = {folder["fullName"]: folder["role"] for folder in found["@Collection"]}
    assert {folders[name] for name in FOLDERS} == {name.lower() for name in FOLDERS}
    with house.imap("il") as imap:
        count = len([line for line in imap.list()[1] if line])
        quota = imap.getquotaroot("INBOX")[1][1][0].decode()
    # Those of providers, too.
    assert len(folders) == count
    used, most = quota.partition("STORAGE ")[2].rstrip(")").split()[:2]
    assert found["quotaLimit"] == int(most) * 1024
    assert abs(found["quotaUsage"] - int(used) * 1024) < 2**20


def test_folders_are_made_renamed_and_removed(il: Webmail, house: House, mark: str) -> None:
    def folders() -> dict[str, bool]:
        found = il.act("Folders")["Result"]["@Collection"]
        return {one["fullName"]: "\\subscribed" in one["attributes"] for one in found}

    parent, child, renamed = f"가족 {mark}", f"가족 {mark}/사진 & 글", f"가족 {mark}/여행"
    try:
        assert il.act("FolderCreate", folder=parent, parent="", subscribe=1)["Result"]
        assert il.act("FolderCreate", folder="사진 & 글", parent=parent, subscribe=1)["Result"]
        assert folders()[child]
        assert il.act("FolderSubscribe", folder=child, subscribe=0)["Result"]
        assert not folders()[child]
        # The page names the folder's kind for Kolab, too.
        kind = {"type": "", "value": ""}
        assert il.act("FolderRename", oldName=child, newName=renamed, subscribe=1, kolab=kind)["Result"]
        assert folders()[renamed]
        assert child not in folders()
        new = clients.message("someone@example.org", house.login("il"))
        new.replace_header("Subject", mark)
        put(house, "il", "INBOX", new)
        (listed,) = il.find("INBOX", mark)
        assert il.act("MessageMove", fromFolder="INBOX", toFolder=renamed, uids=str(listed["uid"]))["Result"]
        (moved,) = il.find(renamed, "")
        assert moved["subject"] == mark
        assert il.act("MessageMove", fromFolder=renamed, toFolder="Trash", uids=str(moved["uid"]))["Result"]
    finally:
        for name in (renamed, child, parent):
            il.act("FolderDelete", folder=name)
    assert not [name for name in folders() if mark in name]


# --- contacts, settings


def test_contacts_are_kept_suggested_and_exchanged(il: Webmail, guest: Webmail, mark: str) -> None:
    card = [
        "vcard",
        [
            ["version", {}, "text", "4.0"],
            ["fn", {}, "text", f"김 {mark}"],
            ["n", {}, "text", ["김", mark, "", "", ""]],
            ["email", {}, "text", f"{mark}@example.org"],
        ],
    ]

    def contacts(webmail: Webmail) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = webmail.act("Contacts", Search=mark, Limit=50)["Result"]["List"]
        return found

    try:
        assert il.act("ContactSave", uid="", jCard=json.dumps(card))["Result"]["Result"]
        assert len(contacts(il)) == 1
        assert il.act("Suggestions", Query=mark)["Result"][0][0] == f"{mark}@example.org"
        cards = il.raw("ContactsVcf").decode().split("BEGIN:VCARD")
        (exported,) = [one for one in cards if mark in one]
        assert f"EMAIL:{mark}@example.org" in exported
        brother = f"BEGIN:VCARD{exported}".replace("UID:", "UID:2").replace(f"{mark}@", f"{mark}.2@")
        assert il.upload("contacts.vcf", brother.encode(), "UploadContacts")["Result"] == 1
        assert len(contacts(il)) == 2
        assert contacts(guest) == []
    finally:
        il.act("ContactsDelete", uids=",".join(one["id"] for one in contacts(il)))
    assert contacts(il) == []


def test_settings_and_signatures_last(il: Webmail, guest: Webmail, house: House, mark: str) -> None:
    own = {"Id": "", "Email": house.login("il")}
    before = identities(il)[house.login("il")]
    shown, others = il.start()["MessagesPerPage"], identities(guest)
    try:
        assert il.act("SettingsUpdate", MessagesPerPage=shown + 7)["Result"]
        changed = {"Name": before["name"], "Signature": f"<p>{mark}</p>", "ReplyTo": f"{mark}@example.org"}
        assert il.act("IdentityUpdate", **own, **changed)["Result"]
        il.act("Logout")
        il.log_in(house.login("il"), house.password("il"))
        assert il.start()["MessagesPerPage"] == shown + 7
        after = identities(il)[house.login("il")]
        assert (after["signature"], after["replyTo"]) == (changed["Signature"], changed["ReplyTo"])
        assert identities(guest) == others
    finally:
        il.act("SettingsUpdate", MessagesPerPage=shown)
        former = {"Name": before["name"], "Signature": before["signature"], "ReplyTo": before["replyTo"]}
        il.act("IdentityUpdate", **own, **former)
    assert identities(il)[house.login("il")] == before


def test_people_are_remembered_until_they_log_out(real_webmail: Webmail, house: House) -> None:
    real_webmail.log_in(house.login("il"), house.password("il"), remember=True)
    kept = [cookie for cookie in real_webmail.session.cookies if cookie.expires]

    def reopened() -> Webmail:
        browser = real_webmail.another()
        for cookie in kept:
            browser.session.cookies.set_cookie(cookie)
        return browser

    later = reopened()
    assert later.start()["Auth"]
    kept = [cookie for cookie in later.session.cookies if cookie.expires]
    assert later.act("Logout")["Result"]
    assert not reopened().start()["Auth"]


def test_the_page_speaks_the_browsers_language(real_webmail: Webmail) -> None:
    real_webmail.session.headers["Accept-Language"] = "ko-KR,ko;q=0.9,en;q=0.8"
    data = real_webmail.start()
    assert (data["language"], data["clientLanguage"]) == ("ko", "ko")
    words = real_webmail.get(f"/?/Lang/0/App/ko/{data['System']['version']}/").content.decode()
    assert "이 주소로는 보낼 수 없습니다." in words


# --- who people write as


def identities(webmail: Webmail) -> dict[str, dict[str, Any]]:
    """Return the identities that the page offers, by their addresses."""
    found = webmail.act("AccountsAndIdentities")["Result"]["Identities"]
    assert len({one["email"] for one in found}) == len(found)
    return {one["email"]: one for one in found}


@pytest.mark.parametrize("name", ["il", "guest"])
def test_the_identities_are_those_that_may_be_sent_as(real_webmail: Webmail, house: House, name: str) -> None:
    offered = identities(logged_in(real_webmail, house, name))
    assert next(iter(offered)) == house.login(name)
    talk = login(house, name)
    for address in offered:
        steps = (f"MAIL FROM:<{address}>", f"RCPT TO:<{house.login(name)}>", "QUIT")
        replies = talk([f"{step}\r\n".encode() for step in steps])
        assert replies[1].startswith("250"), (address, replies)


def test_no_other_identity_is_stored(il: Webmail, house: House) -> None:
    before = identities(il)
    new = secrets.token_hex(8)
    for key in ("", new, *(one["id"] for one in before.values())):
        answer = il.act("IdentityUpdate", Id=key, Email=house.login("guest"), Name="Somebody")
        assert (answer["Result"], answer["code"]) == (False, ACCOUNT_NOT_ALLOWED)
        assert f"You may not send as {house.login('guest')}." in answer["messageAdditional"]
    assert identities(il) == before
    try:
        answer = il.act("IdentityUpdate", Id=new, Email=house.login("il").upper(), Name="일", Label="Work")
        assert answer["Result"], answer
        found = il.act("AccountsAndIdentities")["Result"]["Identities"]
        assert [one["name"] for one in found if one["id"] == new] == ["일"]
    finally:
        il.act("IdentityDelete", idToDelete=new)
    assert identities(il) == before


@pytest.mark.usefixtures("provider")
def test_people_get_in_without_the_list_of_identities(real_webmail: Webmail, app: Host, house: House) -> None:
    """Only in the lab: others would see it."""
    app.check_output(f"mv {PLUGIN}/people.json {PLUGIN}/people.away")
    try:
        assert house.login("il") in identities(logged_in(real_webmail, house, "il"))
    finally:
        app.check_output(f"mv {PLUGIN}/people.away {PLUGIN}/people.json")


def test_the_plugin_is_well_formed_and_not_the_applications(app: Host) -> None:
    assert "No syntax errors" in app.check_output(f"php --syntax-check {PLUGIN}/index.php")
    for path in (PLUGIN, f"{PLUGIN}/index.php", f"{PLUGIN}/people.json"):
        assert app.run_test(f"runuser -u snappymail -- test -r {path}").rc == 0
        assert app.run_test(f"runuser -u snappymail -- test -w {path}").rc == 1


# --- what is not to be had


def test_there_are_no_other_accounts_and_passwords_stay(il: Webmail, house: House) -> None:
    data = il.start()
    assert not data["Capa"]["AdditionalAccounts"]
    assert "change-password" not in data["Plugins"]
    account = {"email": house.login("guest"), "password": house.password("guest"), "new": 1}
    assert not il.act("AccountSetup", **account)["Result"]
    passwords = {"PrevPassword": house.password("il"), "NewPassword": "another password"}
    for action in ("ChangePassword", "PluginChangePassword", "AccountChangePassword"):
        assert not il.act(action, **passwords)["Result"]
    with house.imap("il") as imap:
        assert imap.noop()[0] == "OK"
