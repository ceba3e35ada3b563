"""The webmail's own plugins as PHP of the host runs them, without the application."""

from __future__ import annotations

import base64
import json
import re
import shlex
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.ilnmors.mail.tests.behaviour.support import hostile_mail
from testinfra.host import Host

PLUGINS = "/var/lib/snappymail/_data_/_default_/plugins"

Ask = Callable[..., list[Any]]


@pytest.fixture(scope="session")
def ask(app: Host) -> Ask:
    """Return what calls methods of the plugins' classes, or functions beside them: many at once, for it is slow."""
    code = (Path(__file__).parents[1] / "support" / "webmail_plugins.php").read_text().removeprefix("<?php\n")

    def call(class_name: str, method: str, cases: Sequence[Sequence[object]]) -> list[Any]:
        answers: list[Any] = []
        # A command has 128 KB of room.
        for start in range(0, len(cases), 100):
            asked = shlex.quote(
                json.dumps([[class_name, method, case] for case in cases[start : start + 100]])
            )
            done = app.run(f"printf %s {asked} | php -r {shlex.quote(code)} -- {PLUGINS}")
            assert done.rc == 0, done
            answers += json.loads(done.stdout)
        return answers

    return call


def packed(**values: object) -> str:
    """Return values as they are packed into an address."""
    return base64.urlsafe_b64encode(json.dumps(values).encode()).decode().rstrip("=")


# --- parameters of requests

HARMLESS: tuple[tuple[str, dict[str, object]], ...] = (
    ("DoLogin", {"Email": "il", "Password": "a b\u00e4\\n%0A", "signMe": 1}),
    (
        "DoMessageList",
        {"folder": "가족/사진 & 글", "search": "subject=휴가 100%&from=il", "sort": "REVERSE DATE"},
    ),
    ("DoMessageList", {"search": 'from:"a \\"b\\" c" C:\\new 50%0A off'}),
    ("DoMessageList", {"RawKey": packed(folder="INBOX", search="body=x", sort="", threadUid=5, limit=20)}),
    ("DoMessageMove", {"fromFolder": "INBOX", "uids": "1,2,30:*"}),
    ("DoMessageSetKeyword", {"keyword": "$label1", "uids": "1"}),
    ("DoMessageSetKeyword", {"keyword": "나중에", "uids": "1"}),
    ("DoFolderInformation", {"folder": "INBOX", "flagsUids": ["1", "2:5"]}),
    ("DoSendMessage", {"to": '"A B" <a@b.example>, c@d.example', "subject": "Re: %0D", "plain": "a\r\nb\0"}),
    ("DoSaveMessage", {"html": "<p>\r\n</p>", "linkedData": [{"a": "b\nc"}], "references": "<a@b> <c@d>"}),
    ("DoFiltersScriptSave", {"name": "rainloop.user", "body": 'require "fileinto";\r\nkeep;\r\n'}),
    ("DoIdentityUpdate", {"Email": "il@house.example", "Signature": "<p>a</p>\n<p>b</p>"}),
    ("DoContactSave", {"jCard": '["vcard",[["note",{},"text","a\\nb"]]]'}),
    (
        "RawDownload",
        {"RawKey": packed(folder="INBOX", uid=1, mimeIndex="1.2", fileName="a b.txt"), "Params": []},
    ),
    ("RawViewAsPlain", {"RawKey": packed(folder="INBOX", uid=1, mimeIndex="")}),
)

HOSTILE: tuple[tuple[str, dict[str, object]], ...] = (
    ("DoLogin", {"Email": "il\0guest", "Password": "a"}),
    ("DoLogin", {"Email": "il", "Password": "a\0b"}),
    ("DoMessageList", {"folder": "INBOX", "search": "x\r\nZ9 NOOP"}),
    ("DoMessageList", {"search": "from=x%0d%0aZ9 NOOP"}),
    ("DoMessageList", {"search": "is[]=x&header[a][b]=x%0aZ9 NOOP"}),
    ("DoMessageList", {"search": 'from:"x\\r\\nZ9 NOOP"'}),
    ("DoMessageList", {"search": "from:'x\\015\\x0aZ9 NOOP'"}),
    ("DoMessageList", {"RawKey": packed(folder="INBOX", search="x\r\nZ9 NOOP")}),
    ("DoMessageList", {"RawKey": packed(folder="INBOX", search="from=x%0D%0AZ9")}),
    ("DoMessageList", {"RawKey": packed(folder="INBOX", sort="DATE) UTF-8 ALL (")}),
    ("DoMessageList", {"folder": "INBOX", "sort": "DATE\nZ9 NOOP"}),
    ("DoMessageList", {"threadAlgorithm": "REFS X"}),
    ("DoMessage", {"RawKey": base64.urlsafe_b64encode(b'["INBOX\\r\\nZ9 NOOP", 1]').decode().rstrip("=")}),
    ("DoFolderCreate", {"folder": "x\r\nZ9 NOOP", "parent": ""}),
    ("DoFolderCreate", {"folder": "x", "parent": "y\nZ9 NOOP"}),
    ("DoFolderRename", {"oldName": "x", "newName": "y\rZ9 NOOP"}),
    ("DoFolderSettings", {"folder": "x", "kolab": {"type": "/private/x\r\nZ9 NOOP", "value": "x"}}),
    ("DoFolderSetMetadata", {"folder": "x", "key": "k\nZ9 NOOP", "value": "x"}),
    ("DoFolderSetACL", {"folder": "x", "identifier": "i\r\nZ9 NOOP", "rights": "lr"}),
    ("DoFolderInformationMultiply", {"folders": ["INBOX", "x\r\nZ9 NOOP"]}),
    ("DoFolderInformation", {"folder": "INBOX", "flagsUids": ["1:2 (FLAGS)"]}),
    ("DoMessageMove", {"fromFolder": "INBOX", "toFolder": "Trash", "uids": "1:2\r\nZ9 NOOP"}),
    ("DoMessageMove", {"fromFolder": "INBOX", "toFolder": "Trash", "uids": "1:2 {5}"}),
    ("DoMessageSetSeenToAll", {"folder": "INBOX", "threadUids": "1:* FLAGS"}),
    ("DoMessageSetKeyword", {"keyword": "x) FLAGS (\\Deleted", "uids": "1"}),
    ("DoMessageSetKeyword", {"keyword": "\\Deleted", "uids": "1"}),
    ("DoMessageUploadAttachments", {"attachments": [packed(folder="x\r\nZ9", uid=1, mimeIndex="1")]}),
    ("DoAttachmentsActions", {"hashes": [packed(folder="x", uid=1, mimeIndex="1] BODY[")]}),
    ("RawDownload", {"RawKey": packed(folder="INBOX", uid=1, mimeIndex="1] FLAGS BODY[2"), "Params": []}),
    ("RawDownload", {"RawKey": packed(folder="INBOX\r\nZ9 NOOP", uid=1)}),
    ("DoSMimeVerifyMessage", {"partId": "1]\r\nZ9 NOOP"}),
    ("DoSendMessage", {"to": "a@b.example>\r\nRCPT TO:<c@d.example"}),
    ("DoSendMessage", {"to": "a@b.example", "subject": "x\r\nBcc: c@d.example"}),
    ("DoSendMessage", {"from": "a@b.example", "inReplyTo": "<a@b>\nX: y"}),
    ("DoSendMessage", {"draftInfo": ["reply", 1, "x\r\nZ9 NOOP"]}),
    ("DoSendMessage", {"attachments": {"upload": {"name": "x\r\nX-Y: z"}}}),
    ("DoSendMessage", {"attachments": {"up\nload": {"name": "x"}}}),
    ("DoSaveMessage", {"saveFolder": "Drafts\r\nZ9 NOOP", "html": "x"}),
    ("DoFiltersScriptSave", {"name": 'x"\r\nDELETESCRIPT "y', "body": "keep;"}),
    ("DoFiltersScriptActivate", {"name": 'x\nDELETESCRIPT "y"'}),
    ("DoIdentityUpdate", {"Email": "il@house.example", "Name": "x\r\nBcc: c@d.example"}),
    ("DoIdentityUpdate", {"Email": "il@house.example", "ReplyTo": "x\nBcc: c@d.example"}),
    ("DoSystemFoldersUpdate", {"sent": "Sent\r\nZ9 NOOP"}),
    ("DoContacts", {"Search": "x\0"}),
    ("DoAnythingElse", {"body": "a\nb"}),
)


def test_what_a_page_sends_has_no_problem(ask: Ask) -> None:
    found = ask("HouseParameters", "problem", HARMLESS)
    assert {case: problem for case, problem in zip(map(str, HARMLESS), found, strict=True) if problem} == {}


def test_no_parameter_breaks_out_of_a_command(ask: Ask) -> None:
    found = ask("HouseParameters", "problem", HOSTILE)
    assert [case for case, problem in zip(HOSTILE, found, strict=True) if not problem] == []


# --- connections to the mail host

GUARDED = {
    "one command": ("imap", ["TAG1 NOOP\r\n"], [True]),
    "two commands": ("imap", ["TAG1 NOOP\r\nTAG2 NOOP\r\n"], [False]),
    "a command after a quoted line break": ("imap", ['TAG1 SELECT "x\r\nZ9 NOOP"\r\n'], [False]),
    "a quoted quote": ("imap", ['TAG1 SELECT "x\\"\\\\"\r\n'], [True]),
    "a line feed alone": ("imap", ["TAG1 SELECT x\nZ9 NOOP\r\n"], [False]),
    "a zero byte": ("imap", ["TAG1 SELECT x\0\r\n"], [False]),
    "an unfinished line": ("imap", ["TAG1 SELECT x"], [False]),
    "a literal in a command": ("imap", ["TAG1 SEARCH TEXT {6}\r\na\r\nb\r\n UNDELETED\r\n"], [True]),
    "two literals in a command": ("imap", ["TAG1 SEARCH {1+}\r\na {1+}\r\nb\r\n"], [True]),
    "a command after a literal": ("imap", ["TAG1 SEARCH TEXT {1}\r\na\r\nZ9 NOOP\r\n"], [False]),
    "a literal within quotes": ("imap", ['TAG1 SEARCH TEXT "{99}"\r\nZ9 NOOP\r\n'], [False]),
    "a message after its announcement": (
        "imap",
        ["TAG1 APPEND Sent (\\Seen) {12}\r\n", "a\r\nb\r\n", "c\r\nd\r\n", "\r\n", "TAG2 NOOP\r\n"],
        [True] * 5,
    ),
    "a command after a message": ("imap", ["TAG1 APPEND x {3}\r\n", "a\r\n", "\r\nZ9 NOOP\r\n"], [True, True, False]),
    "a login": ("sieve", ['AUTHENTICATE "PLAIN" {4+}\r\n', "abcd\r\n"], [True, True]),
    "a script": ("sieve", ['PUTSCRIPT "x" {7+}\r\n', "keep;\r\n\r\n", "LOGOUT\r\n"], [True, True, True]),
    "a command in a script's name": ("sieve", ['PUTSCRIPT "x"\r\nDELETESCRIPT "y" {1+}\r\n'], [False]),
    "a line of SMTP": ("smtp", ["MAIL FROM:<a@b.example>\r\n"], [True]),
    "a second line of SMTP": ("smtp", ["MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\n"], [False]),
    "a recipient with a line feed": ("smtp", ["RCPT TO:<a@b>\nDATA\r\n"], [False]),
    "lines of a message": ("smtp", ["DATA\r\n", "X: y\r\n", "\r\n", "a\rb\0\r\n", ".\r\n", "QUIT\r\n"], [True] * 6),
    "two lines of a message": ("smtp", ["DATA\r\n", "a\r\n.\r\n"], [True, False]),
}  # fmt: skip


def test_one_command_goes_through_at_a_time(ask: Ask) -> None:
    found = ask("", "written", [[protocol, *writes] for protocol, writes, __ in GUARDED.values()])
    wanted = {name: expected for name, (*__, expected) in GUARDED.items()}
    assert dict(zip(GUARDED, found, strict=True)) == wanted


# --- HTML of messages

TAG = re.compile(r'<(/?)([a-z][a-z0-9]*)((?: [a-z]+="[^"<>]*")*)>')
ELEMENTS = """
a abbr acronym address article aside b bdi bdo big blockquote body br caption center cite code col colgroup dd del
details dfn dir div dl dt em figcaption figure font footer h1 h2 h3 h4 h5 h6 header hgroup hr i img ins kbd li main mark
nav nobr ol p pre q rp rt ruby s samp section small span strike strong sub summary sup table tbody td tfoot th thead
time tr tt u ul var wbr
"""
KNOWN = frozenset(ELEMENTS.split())
STRANGER = "https://stranger.example/mark"


def loads(tag: re.Match[str]) -> list[str]:
    """Return what an element loads, or does, beside asking for a picture in one of the two known ways."""
    found = [] if tag[2] in KNOWN else [tag[0]]
    for name, value in re.findall(r' ([a-z]+)="([^"]*)"', tag[3]):
        text = value.replace("&quot;", '"')
        if name == "style":
            text = re.sub(r'background-image:url\("[^"()\\]*"\)', "", text)
            bad: object = re.search(
                r"(url|image[a-z-]*|src|var|env)\s*\(|(position|z-index|content|transform|animation)\s*:|[\\{}@]",
                text,
            )
        elif name == "href":
            bad = tag[2] != "a" or not re.match(r"(https?|mailto|tel):", text)
        elif name == "src":
            bad = tag[2] != "img"
        else:
            bad = name.startswith("on") or name in {
                "id",
                "class",
                "name",
                "background",
                "srcset",
                "ping",
                "target",
            }
        found += [f"{name}={value}"] if bad else []
    return found


def test_a_message_keeps_text_pictures_and_links_alone(ask: Ask) -> None:
    everything = [
        *(f"<div style='{one}'>x</div>" for one in hostile_mail.numbered("s", hostile_mail.STYLES, STRANGER)),
        *(f'<p style="{one}">x</p>' for one in hostile_mail.numbered("s", hostile_mail.STYLES, STRANGER)),
        *(page for name, page in hostile_mail.pages(STRANGER).items() if name.startswith("unfinished")),
    ]
    for lines in (hostile_mail.ELEMENTS, hostile_mail.FORMS, hostile_mail.FOREIGN, hostile_mail.MUTATIONS):
        everything += hostile_mail.numbered("x", lines, STRANGER)
    for source, clean in zip(
        everything, ask("HouseHtml", "clean", [[one] for one in everything]), strict=True
    ):
        tags = list(TAG.finditer(clean))
        assert [bad for tag in tags for bad in loads(tag)] == [], source[:300]
        assert re.search("[<>]", TAG.sub("", clean)) is None, (source[:300], clean[:300])
        # Once cleaned, there is nothing left to clean.
    cleaned = ask("HouseHtml", "clean", [[one] for one in everything])
    assert ask("HouseHtml", "clean", [[one] for one in cleaned]) == cleaned


KEPT = {
    "<p>Hello &amp; <b>welcome</b>, 1 &lt; 2</p>": "<p>Hello &amp; <b>welcome</b>, 1 &lt; 2</p>",
    "<P ALIGN=center>x<br/>y": '<p align="center">x<br>y</p>',
    "a < b > c": "a &lt; b &gt; c",
    "<html><head><title>x</title><style>p{}</style></head><body bgcolor=#fff>y</body></html>": (
        '<body bgcolor="#fff">y</body>'
    ),
    '<img src="https://a.example/b.png?c=1&amp;d=2" width=5 alt="a&quot;b">': (
        '<img width="5" alt="a&quot;b" src="https://a.example/b.png?c=1&amp;d=2">'
    ),
    '<img src="cid:part1@a.example">': '<img src="cid:part1@a.example">',
    '<td background="//a.example/b c.png">x</td>': (
        '<td style="background-image:url(&quot;//a.example/b%20c.png&quot;)">x</td>'
    ),
    '<div style="background:#fff url(\'https://a.example/b.png\') no-repeat;color:RED!important">x</div>': (
        '<div style="background:#fff   no-repeat;background-image:url(&quot;https://a.example/b.png&quot;);color:RED">x</div>'
    ),
    "<div style='font:12px/1.5 \"Segoe UI\", 맑은고딕;mso-x:y;margin:0 -5px;width:calc(100% - 2px)'>x</div>": (
        '<div style="font:12px/1.5 &quot;Segoe UI&quot;, 맑은고딕;margin:0 -5px;width:calc(100% - 2px)">x</div>'
    ),
    '<a href="mailto:a@b.example?subject=x">x</a><a href="#top">y</a>': (
        '<a href="mailto:a@b.example?subject=x">x</a><a>y</a>'
    ),
    "<xmp><b>x</b></xmp>": "<pre>&lt;b&gt;x&lt;/b&gt;</pre>",
    "<form><button>x</button></form>": "x",
    "<!--[if mso]><p>Outlook</p><![endif]--><![if !mso]><p>others</p><![endif]>": "<p>others</p>",
    "</p></div>x": "x",
}  # fmt: skip


def test_an_ordinary_message_stays_as_it_is(ask: Ask) -> None:
    found = dict(zip(KEPT, ask("HouseHtml", "clean", [[one] for one in KEPT]), strict=True))

    assert {source: in_order(html) for source, html in found.items()} == {
        source: in_order(html) for source, html in KEPT.items()
    }


def in_order(html: str) -> str:
    """Return HTML with the attributes of each element sorted."""
    attribute = re.compile(r' [a-z]+="[^"]*"')
    return TAG.sub(lambda tag: f"<{tag[1]}{tag[2]}{''.join(sorted(attribute.findall(tag[3])))}>", html)
