"""Hostile messages, opened in a browser: nothing leaves it without a question, and nothing lies over the page.

Each webmail that the house has is watched while somebody reads them.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

from ansible_collections.ilnmors.mail.tests.behaviour.support import clients, hostile_mail
from ansible_collections.ilnmors.mail.tests.behaviour.support.hostile_watch import (
    Stranger,
    harm,
    put,
    settle,
    url,
)
from ansible_collections.ilnmors.mail.tests.behaviour.support.house import House
from ansible_collections.ilnmors.mail.tests.behaviour.support.mailbox import Mailbox
from ansible_collections.ilnmors.mail.tests.behaviour.support.webmails import Application, only
from playwright.sync_api import expect

REFUSED = ("an error: Executing inline event handler violates", "a violation: script-src-attr inline")
"""What the page's policy refuses while the application reads a text, before anything cleans it; no script runs."""


def look_at_the_print(reader: Mailbox, stranger: Stranger) -> None:
    """Open the message in a window of its own, where its names and its text are no page."""
    printed = reader.print()
    printed.on("request", lambda request: reader.tab.requests.append(request.url))
    settle(printed)
    assert not printed.evaluate("!!window.owned")
    strange = printed.locator("b, [onerror*=owned], [style*=fixed]")
    assert strange.evaluate_all("all => all.map(one => one.outerHTML)") == []
    printed.close()
    assert stranger.connections == 0


def test_no_message_reaches_out_of_its_place(
    reader: Mailbox, application: Application, house: House, stranger: Stranger, mark: str
) -> None:
    """Also when it is answered and opened in a window of its own; then, once pictures are allowed, they do load."""
    where = f"{url(stranger, mark)}/asked"
    asked = f'<p>Pictures</p><img src="{where}" alt=x><table background="{where}">'
    pages = {**hostile_mail.pages(url(stranger, mark)), "asked": f"{asked}<tr><td>x</table>"}
    put(
        house,
        *(
            hostile_mail.html_message(house.login("il"), f"{mark} {name}.", page).as_bytes()
            for name, page in pages.items()
        ),
    )
    reader.search(mark)
    done: dict[str, list[str]] = {}
    for name in pages:
        reader.read(f"{mark} {name}.")
        settle(reader.frame)
        reader.tab.picture(f"hostile-{application.role}-{name}")
        found = harm(reader, application, stranger)
        if name in {"style", "element", "foreign", "asked"}:
            printed = reader.print()
            settle(printed)
            printed.close()
            reader.answer()
            found += harm(reader, application, stranger)
        done[name] = found
    assert {name: found for name, found in done.items() if found} == {}

    reader.show_pictures()
    settle(reader.frame)
    assert where in reader.tab.requests
    assert stranger.connections


BREAKS = """
See https://[x"/style="position:fixed;inset:0;z-index:99999;background:url({url}/text-1)"
https://x:99999"/onmouseover="window.owned=1"/style="border-image:url({url}/text-2)1"/
https://%"/srcset="{url}/text-3
https://[">/<img/srcset="{url}/text-4"/>
mailto:a@b"onfocus="window.owned=1"autofocus/ a"style="background:url({url}/text-5)"@b.example
tel:123"style="background:url({url}/text-6)
> quoted https://["/style="background:url({url}/text-7)
~~~blockquote~~~<img/srcset="{url}/text-8">~~~/blockquote~~~
"""


def test_what_is_no_page_reaches_out_no_further(
    reader: Mailbox, application: Application, house: House, stranger: Stranger, mark: str
) -> None:
    """Text with broken addresses, and names of people and files that are HTML."""
    where = url(stranger, mark)
    text = clients.message("stranger@example.org", house.login("il"), BREAKS.replace("{url}", where))
    text.replace_header("Subject", f"{mark} text.")
    html = f"<img src={where}/name-1 onerror=window.owned=1><b style=position:fixed;inset:0>x"
    names = clients.message("stranger@example.org", house.login("il"), "Hello.\n")
    names.replace_header("Subject", f"{mark} names. {html.replace('name-1', 'name-2')}")
    for number, kind in enumerate(("text/plain", "text/html", "image/svg+xml"), 3):
        name = html.replace("name-1", f"name-{number}").replace("/", "\u2044")
        hostile_mail.attach(names, name, html.encode(), kind)
    raw = names.as_bytes().replace(b"From: stranger@example.org", f'From: "{html}"'.encode(), 1)
    put(house, text.as_bytes(), raw)
    reader.search(mark)
    for name in ("text", "names"):
        reader.read(f"{mark} {name}.")
        settle(reader.frame)
        reader.tab.picture(f"hostile-{application.role}-{name}")
        look_at_the_print(reader, stranger)
        found = harm(reader, application, stranger)
        assert [one for one in found if not one.startswith(REFUSED)] == []


@only("snappymail")
def test_what_the_browser_unpacks_reaches_out_no_further(
    reader: Mailbox, application: Application, house: House, stranger: Stranger, mark: str, tmp_path: Path
) -> None:
    """A message within its own signature (S/MIME), which no server has looked into."""
    where = url(stranger, mark)
    snippets = [
        *hostile_mail.numbered("element", hostile_mail.ELEMENTS, where),
        *(
            f"<div style='{one}'>x</div>"
            for one in hostile_mail.numbered("style", hostile_mail.STYLES.replace("'", '"'), where)
        ),
        hostile_mail.OVERLAYS,
    ]
    inner = tmp_path / "inner.eml"
    inner.write_text(
        'Content-Type: text/html; charset="utf-8"\r\n\r\n' + "<p>Signed</p>" + "\r\n".join(snippets)
    )
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subject = ["-subj", "/CN=stranger", "-addext", "subjectAltName=email:stranger@example.org"]
    make = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", *subject]
    subprocess.run(
        [*make, "-keyout", str(key), "-out", str(certificate)], check=True, capture_output=True, timeout=30
    )
    headers = ["-from", "stranger@example.org", "-to", house.login("il"), "-subject", f"{mark} signed."]
    sign = [
        "openssl",
        "smime",
        "-sign",
        "-nodetach",
        "-in",
        str(inner),
        "-signer",
        str(certificate),
        "-inkey",
        str(key),
        *headers,
    ]
    signed = subprocess.run(sign, check=True, capture_output=True, timeout=30)
    put(house, signed.stdout.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"))
    reader.search(mark)
    reader.read(f"{mark} signed.")
    expect(reader.text).to_contain_text("Signed")
    settle(reader.frame)
    reader.tab.picture("hostile-signed")
    look_at_the_print(reader, stranger)
    found = harm(reader, application, stranger)
    assert [one for one in found if not one.startswith(REFUSED)] == []
