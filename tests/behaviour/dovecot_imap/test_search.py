"""What SEARCH finds, and that an index answers it."""

from __future__ import annotations

import imaplib
import io
import secrets
import zipfile
import zlib
from collections.abc import Callable, Iterator
from email.message import EmailMessage
from typing import Any

import pytest
from ansible_collections.ilnmors.mail.tests.behaviour.support import clients
from ansible_collections.ilnmors.mail.tests.behaviour.support.house import House, wait_for
from testinfra.host import Host

SENDERS = {"Rechnung": "Jürgen Müller <jm@mueller.test>", "한국어 제목": "김철수 <kim@naver.test>"}
TEXTS = {
    "Invoice of March": "You owe 42.50 for the needlework. Write to foo.bar@shop.test by e-mail.\n",
    "Order": "The network printer is in the garden, order 2026-1234-5678.\n",
    "Rechnung": "Schöne Grüße aus Köln, über den Fußgängerüberweg hinüber.\n",
    "한국어 제목": "안녕하세요. 저는 한국어로 메일을 씁니다. 국어사전을 샀습니다.\n",
    "Q": "a b c I x\n",
    "日本語の件名": "東京都に住んでいます。日本語のテキスト。\n",
}
ENCODINGS = {"한국어 제목": "base64", "Rechnung": "quoted-printable"}
HTML = "<html><body><p class='layout'>Cheap <b>haystack</b> &amp; straw</p></body></html>"


def letter(subject: str, text: str) -> EmailMessage:
    new = clients.message(SENDERS.get(subject, "friend@elsewhere.test"), "reader@elsewhere.test")
    new.replace_header("Subject", subject)
    new.set_content(text, cte=ENCODINGS.get(subject))
    return new


@pytest.fixture
def client(house: House) -> Iterator[Any]:
    """Return the mail program of a person, logged in."""
    with house.imap(house.reader) as client:
        yield client


@pytest.fixture(scope="module")
def letters(house: House) -> Iterator[str]:
    """Return a mailbox of these tests with a few letters in it."""
    name = f"test-{secrets.token_hex(6)}"
    web = letter("Newsletter", "")
    web.set_content(HTML, subtype="html")
    with house.imap(house.reader) as client:
        client.create(name)
        for new in [*(letter(subject, text) for subject, text in TEXTS.items()), web]:
            assert client.append(name, "", None, new.as_bytes())[0] == "OK"
        yield name
        client.delete(name)


@pytest.fixture
def elsewhere(client: Any) -> Iterator[str]:
    """Return another mailbox, empty."""
    name = f"test-{secrets.token_hex(6)}"
    client.create(name)
    yield name
    clients.leave(client)
    client.delete(name)


def found(client: Any, *criteria: str) -> list[int]:
    """Search the selected mailbox; the last word is sent as it is, in UTF-8."""
    *words, client.literal = (*criteria[:-1], criteria[-1].encode())
    status, (numbers,) = client.search("UTF-8", *words)
    assert status == "OK"
    return [int(number) for number in numbers.split()]


MARCH, ORDER, RECHNUNG, KOREAN, SHORT, JAPANESE, WEB = range(1, 8)


@pytest.mark.any_house
@pytest.mark.parametrize(
    ("criteria", "messages"),
    [
        (("BODY", "needlework"), [MARCH]),
        (("BODY", "eedlewor"), [MARCH]),
        (("BODY", "NEEDLEWORK"), [MARCH]),
        (("BODY", "for the needlework"), [MARCH]),
        (("BODY", "nothing has this"), []),
        (("BODY", "42.50"), [MARCH]),
        (("BODY", "o.bar@shop"), [MARCH]),
        (("TEXT", "1234-56"), [ORDER]),
        (("TEXT", "Invoice"), [MARCH]),
        (("BODY", "Invoice"), []),
        (("SUBJECT", "nvoice"), [MARCH]),
        (("SUBJECT", "invoice of march"), [MARCH]),
        (("SUBJECT", "needlework"), []),
        (("FROM", "mueller"), [RECHNUNG]),
        (("FROM", "Müller"), [RECHNUNG]),
        (("FROM", "jürgen"), [RECHNUNG]),
        (("FROM", "invoice"), []),
        (("BODY", "SCHÖNE GRÜSSE"), []),
        (("BODY", "schöne grüße"), [RECHNUNG]),
        (("BODY", "gängerüber"), [RECHNUNG]),
        (("SUBJECT", "한국어"), [KOREAN]),
        (("FROM", "김철수"), [KOREAN]),
        (("BODY", "국어사전"), [KOREAN]),
        (("BODY", "어사"), [KOREAN]),
        (("BODY", "저는 한국어로"), [KOREAN]),
        (("BODY", "東京"), [JAPANESE]),
        (("TEXT", "日本語の"), [JAPANESE]),
        (("BODY", "x"), [SHORT]),
        (("BODY", "aus"), [RECHNUNG]),
        (("BODY", "haysta"), [WEB]),
        (("BODY", "straw"), [WEB]),
        (("BODY", "needlework", "TEXT", "invoice"), [MARCH]),
        (("BODY", "needlework", "BODY", "garden"), []),
        (("OR", "BODY", "needlework", "BODY", "garden"), [MARCH, ORDER]),
        (("NOT", "BODY", "needlework", "TEXT", "friend"), [ORDER, SHORT, JAPANESE, WEB]),
        (("SINCE", "01-Jan-2020", "LARGER", "100", "BODY", "garden"), [ORDER]),
        (("BEFORE", "01-Jan-2020", "BODY", "garden"), []),
        (("SMALLER", "100", "BODY", "garden"), []),
        (("HEADER", "Message-ID", "@elsewhere.test"), [MARCH, ORDER, SHORT, JAPANESE, WEB]),
    ],
    ids=str,
)
def test_what_a_search_finds(
    client: Any, letters: str, criteria: tuple[str, ...], messages: list[int]
) -> None:
    client.select(letters, readonly=True)
    assert found(client, *criteria) == messages


def test_new_mail_is_found_at_once(house: House, client: Any) -> None:
    word = secrets.token_hex(8)
    new = clients.message(house.login("il"), house.login("guest"), f"This one says {word}.\n")
    with clients.submission(house.mail_hostname, house.ca_file) as sender:
        sender.login("il", house.password("il"))
        sender.send_message(new)
    uid = wait_for(lambda: clients.find(client, new["Message-ID"]), "the delivery")
    client.select("INBOX")
    assert client.uid("SEARCH", "BODY", word)[1] == [uid]
    client.uid("STORE", uid.decode(), "+FLAGS", r"(\Deleted)")
    client.uid("EXPUNGE", uid.decode())
    assert client.uid("SEARCH", "BODY", word)[1] == [b""]


@pytest.mark.any_house
def test_a_moved_message_is_found_where_it_went(client: Any, letters: str, elsewhere: str) -> None:
    word = secrets.token_hex(8)
    client.append(letters, "", None, letter("Moving", f"This one says {word}.\n").as_bytes())
    client.select(letters)
    (number,) = found(client, "BODY", word)
    client._simple_command("MOVE", str(number), elsewhere)
    assert found(client, "BODY", word) == []
    client.select(elsewhere)
    assert found(client, "BODY", word) == [1]


@pytest.fixture
def indexed(inventory: dict[str, dict[str, Any]], mail: Host) -> dict[str, Any]:
    """Return what is known of the house; skip where texts have no index."""
    facts = inventory[next(iter(inventory.values()))["groups"]["mail"][0]]
    if not facts["fts"] or int(mail.system_info.release.split(".")[0]) < 13:
        pytest.skip("needs dovecot_imap_fts, and Debian 13 or newer")
    return facts


@pytest.mark.any_house
@pytest.mark.usefixtures("indexed")
def test_an_index_answers(house: House, mail: Host, client: Any, letters: str) -> None:
    """Dovecot's debug log names each message that is opened: all of them to fetch their texts, none to search them."""

    def opened(command: str) -> int:
        said = mail.run(f"doveadm -D {command}", user, letters)
        assert said.rc == 0
        return str(said.stderr).count("Opened mail because")

    user = house.login(house.reader)
    client.select(letters, readonly=True)
    assert found(client, "BODY", "needlework") == [MARCH]
    assert opened("fetch -u %s body mailbox %s ALL") == len(TEXTS) + 1
    assert opened("search -u %s mailbox %s BODY needlework") == 0
    assert opened("search -u %s mailbox %s BODY elsewhere") == 0


@pytest.mark.any_house
@pytest.mark.usefixtures("indexed")
def test_the_layout_of_a_page_is_no_text(client: Any, letters: str) -> None:
    client.select(letters, readonly=True)
    assert found(client, "BODY", "layout") == []


@pytest.mark.usefixtures("indexed")
def test_a_lost_index_is_made_again(house: House, mail: Host, client: Any, letters: str) -> None:
    client.select(letters, readonly=True)
    assert found(client, "BODY", "needlework") == [MARCH]
    path = mail.check_output("doveadm mailbox path -u %s -t index %s", house.login(house.reader), letters)
    mail.check_output("rm -r %s", f"{path}/fts-flatcurve")
    with house.imap(house.reader) as other:
        other.select(letters, readonly=True)
        assert found(other, "BODY", "needlework") == [MARCH]
    assert mail.file(f"{path}/fts-flatcurve").exists


def pdf(text: str) -> bytes:
    """Return a PDF of one page."""
    drawing = f"BT /F1 12 Tf 72 720 Td ({text}) Tj ET"
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        "<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R"
        " /Resources << /Font << /F1 << /Type /Font /Subtype /Type1 /BaseFont /Helvetica >> >> >> >>",
        f"<< /Length {len(drawing)} >>\nstream\n{drawing}\nendstream",
    ]
    body = "".join(f"{number} 0 obj\n{content}\nendobj\n" for number, content in enumerate(objects, 1))
    return f"%PDF-1.4\n{body}trailer << /Root 1 0 R /Size 5 >>\n%%EOF\n".encode()


def docx(text: str) -> bytes:
    """Return a document of Microsoft Word whose text changes its format inside a word."""
    half = len(text) // 2
    runs = "".join(f"<w:r><w:t>{part}</w:t></w:r>" for part in (text[:half], text[half:]))
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("word/document.xml", f"<w:document><w:body><w:p>{runs}</w:p></w:body></w:document>")
    return file.getvalue()


WORD = "vnd.openxmlformats-officedocument.wordprocessingml.document"


@pytest.mark.any_house
@pytest.mark.parametrize(
    ("subtype", "name", "content"),
    [
        ("pdf", "bill.pdf", pdf),
        (WORD, "bill.docx", docx),
        ("octet-stream", "bill.docx", docx),
    ],
)
def test_attachments_are_searched(
    indexed: dict[str, Any],
    client: Any,
    elsewhere: str,
    subtype: str,
    name: str,
    content: Callable[[str], bytes],
) -> None:
    if not indexed["fts_attachments"]:
        pytest.skip("needs dovecot_imap_fts_attachments")
    bill = letter("A bill", "See the attachment.\n")
    bill.add_attachment(
        content("Payable in buttercups"), maintype="application", subtype=subtype, filename=name
    )
    # A file that is not what it says does not keep its message out of the index.
    bill.add_attachment(b"nonsense", maintype="application", subtype=subtype, filename=name)
    client.append(elsewhere, "", None, bill.as_bytes())
    client.select(elsewhere)
    assert found(client, "BODY", "buttercups") == [1]
    assert found(client, "BODY", "See the attachment") == [1]
    assert found(client, "BODY", "dandelions") == []


class Deflated:
    """A client's connection after COMPRESS DEFLATE (RFC 4978)."""

    def __init__(self, client: Any) -> None:
        self.client, self.plain = client, b""
        self.packer, self.unpacker = zlib.compressobj(wbits=-15), zlib.decompressobj(wbits=-15)
        client.send, client.read, client.readline = self.send, self.read, self.readline

    def send(self, data: bytes) -> None:
        packed = self.packer.compress(data) + self.packer.flush(zlib.Z_SYNC_FLUSH)
        self.client.sock.sendall(packed)

    def more(self) -> None:
        packed = self.client.sock.recv(4096)
        assert packed, "the connection was closed"
        self.plain += self.unpacker.decompress(packed)

    def read(self, size: int) -> bytes:
        while len(self.plain) < size:
            self.more()
        data, self.plain = self.plain[:size], self.plain[size:]
        return data

    def readline(self) -> bytes:
        while b"\n" not in self.plain:
            self.more()
        return self.read(self.plain.index(b"\n") + 1)


@pytest.mark.any_house
def test_a_compressed_connection(client: Any, letters: str) -> None:
    assert "COMPRESS=DEFLATE" in client.capability()[1][0].decode().split()
    imaplib.Commands.setdefault("COMPRESS", ("AUTH",))
    assert client._simple_command("COMPRESS", "DEFLATE")[0] == "OK"
    Deflated(client)
    client.select(letters, readonly=True)
    assert found(client, "BODY", "needlework") == [MARCH]
    assert b"needlework" in client.fetch(str(MARCH), "(BODY.PEEK[])")[1][0][1]
