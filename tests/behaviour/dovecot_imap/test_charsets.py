"""Text is found whatever its charset is called: by SEARCH, and by the tests of Sieve."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from email.utils import formatdate
from functools import partial
from typing import Any

import pytest
from ansible_collections.ilnmors.mail.tests.behaviour.support import clients
from ansible_collections.ilnmors.mail.tests.behaviour.support.house import House, wait_for
from ansible_collections.ilnmors.mail.tests.behaviour.support.sieve_scripts import MARK, script

SENDER = "friend@elsewhere.test"


@dataclass(frozen=True)
class Text:
    """Three words in a charset: the name by which a message calls it, and Python's name for what was meant."""

    name: str
    codec: str
    subject: str
    person: str
    body: str

    def __str__(self) -> str:
        return self.name

    def message(self, recipient: str, mark: str) -> bytes:
        """Return a message as many mail programs write it: encoded words, and a body of 8 bits."""

        def word(text: str) -> bytes:
            return f"=?{self.name}?B?{base64.b64encode(text.encode(self.codec)).decode()}?=".encode()

        lines = [
            b"From: " + word(self.person) + f" <{SENDER}>".encode(),
            f"To: {recipient}".encode(),
            b"Subject: " + word(self.subject),
            f"Date: {formatdate()}".encode(),
            f"Message-ID: <{secrets.token_hex(8)}@elsewhere.test>".encode(),
            f"{MARK}: {mark}".encode(),
            b"MIME-Version: 1.0",
            f'Content-Type: text/plain; charset="{self.name}"'.encode(),
            b"Content-Transfer-Encoding: 8bit",
            b"",
            self.body.encode(self.codec),
            b"",
        ]
        return b"\r\n".join(lines)


KOREAN = ("계약서 검토", "김철수", "내일까지 부탁드립니다")
JAPANESE = ("契約書の確認", "田中太郎", "明日までにお願いします")
TEXTS = [
    # As Outlook in Korean calls it, and others.
    Text("ks_c_5601-1987", "cp949", *KOREAN),
    Text("windows-949", "cp949", *KOREAN),
    Text("x-windows-949", "cp949", *KOREAN),
    Text("MS949", "cp949", *KOREAN),
    Text("korean", "cp949", *KOREAN),
    # Syllables that EUC-KR itself does not have, under its name.
    Text("euc-kr", "cp949", "똠방각하 보고", "설믜", "펲시콜라"),
    Text("x-sjis", "cp932", *JAPANESE),
    Text("x-euc-jp", "euc_jp", *JAPANESE),
    Text("shift_jis", "cp932", "髙島屋のご案内", "﨑山", "№12の件"),
    Text("x-gbk", "gbk", "合同审核", "王小明", "请在明天之前完成"),
    Text("gb2312", "gb18030", "朱镕基文集", "李喆", "请查收"),
    Text("x-x-big5", "big5", "合約審核", "王小明", "請在明天之前完成"),
    Text("x-cp1252", "cp1252", "Grüße", "Jürgen", "Fußgängerüberweg"),
    Text("win-1251", "cp1251", "договор", "Иван", "завтра"),
    Text("koi8_r", "koi8_r", "договор", "Иван", "завтра"),
    Text("iso-8859-8-i", "iso8859_8", "חוזה", "דוד", "מחר"),
    Text("x-tis-620", "cp874", "สัญญา", "สมชาย", "พรุ่งนี้"),
    Text("x-mac-roman", "mac_roman", "Grüße", "Jürgen", "Fußgängerüberweg"),
    Text("unicode-1-1-utf-8", "utf-8", *KOREAN),
    Text("unicode-1-1-utf-7", "utf-7", *KOREAN),
]


@pytest.fixture(scope="module")
def letters(house: House) -> Iterator[Any]:
    """Return a client that has opened a mailbox with each of the texts, in their order."""
    mailbox = f"test-{secrets.token_hex(6)}"
    with house.imap(house.reader) as client:
        client.create(mailbox)
        for text in TEXTS:
            assert client.append(mailbox, "", None, text.message("reader@x.test", "no"))[0] == "OK"
        client.select(mailbox, readonly=True)
        yield client
        clients.leave(client)
        client.delete(mailbox)


@pytest.mark.any_house
@pytest.mark.parametrize("text", TEXTS, ids=str)
def test_a_search_finds_it(letters: Any, text: Text) -> None:
    wanted = {("SUBJECT", text.subject), ("FROM", text.person), ("BODY", text.body), ("TEXT", text.body)}
    number = str(TEXTS.index(text) + 1).encode()
    for key, words in wanted:
        letters.literal = words.encode()
        status, (found,) = letters.search("UTF-8", key)
        assert status == "OK"
        assert number in found.split(), f"{key} {words}"


def literal(texts: set[str]) -> str:
    """Write a list of strings for Sieve."""
    return ", ".join(f'"{text}"' for text in sorted(texts))


@pytest.fixture
def folders(house: House) -> Iterator[tuple[str, str]]:
    """Return the names of two mailboxes of guest."""
    names = (f"test-{secrets.token_hex(6)}", f"test-{secrets.token_hex(6)}")
    with house.imap("guest") as client:
        for name in names:
            client.create(name)
    yield names
    with house.imap("guest") as client:
        for name in names:
            client.delete(name)


def test_a_script_finds_it(house: House, folders: tuple[str, str]) -> None:
    """By its subject, and by its body; each delivery in one mailbox, and a copy in the other."""
    by_subject, by_body = folders
    rules = (
        f'if header :contains "subject" [{literal({text.subject for text in TEXTS})}] '
        f'{{ fileinto :copy "{by_subject}"; }}\n'
        f"if body :text :contains [{literal({text.body for text in TEXTS})}] "
        f'{{ fileinto :copy "{by_body}"; }}\ndiscard;'
    )
    mark = secrets.token_hex(4)
    with script(house, "guest", rules):
        with clients.submission(house.mail_hostname, house.ca_file) as client:
            client.login("il", house.password("il"))
            for text in TEXTS:
                message = text.message(house.login("guest"), f"{text.name}-{mark}")
                own = message.replace(SENDER.encode(), house.login("il").encode())
                client.sendmail(house.login("il"), house.login("guest"), own)

        def all_are_in(mailbox: str, names: set[str]) -> bool:
            with house.imap("guest") as client:
                client.select(mailbox, readonly=True)
                answer = client.fetch("1:*", f"(BODY.PEEK[HEADER.FIELDS ({MARK})])")[1]
            marks = (part[1].decode() for part in answer if isinstance(part, tuple))
            return {one.partition(":")[2].strip().removesuffix(f"-{mark}") for one in marks} == names

        names = {text.name for text in TEXTS}
        for mailbox in folders:
            wait_for(partial(all_are_in, mailbox, names), f"all texts are filed in {mailbox}")
