# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Debian's Thunderbird without a screen, used as a person uses it: through its own windows.

Each has a profile of its own, knows the house's names without a DNS server and reaches nothing else.
"""

from __future__ import annotations

import contextlib
import ctypes.util
import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Any

import pytest
from ansible_collections.ilnmors.mail.tests.behaviour.support import clients
from ansible_collections.ilnmors.mail.tests.behaviour.support.house import wait_for
from ansible_collections.ilnmors.mail.tests.behaviour.support.marionette import Marionette, Refused

SECONDS = 60
"""How long one may take from its start to its end."""

ENTER = "\ue007"

PREFERENCES: dict[str, str | int | bool] = {
    # Any free port; it is written to the profile.
    "marionette.port": 0,
    # Whatever is not the house's goes to a proxy that is not there.
    "network.proxy.type": 1,
    "network.proxy.http": "127.0.0.1",
    "network.proxy.http_port": 9,
    "network.proxy.ssl": "127.0.0.1",
    "network.proxy.ssl_port": 9,
    # What Mozilla knows of providers must not stand in for what the house says.
    "mailnews.auto_config_url": "",
    "mailnews.auto_config.addons_url": "",
    "mailnews.start_page.enabled": False,
    # Animations cost more than all the rest.
    "ui.prefersReducedMotion": 1,
    # Marionette turns this off.
    "signon.rememberSignons": True,
}

HUB = """
const hub = document.querySelector("account-hub-container").shadowRoot;
const shown = selector => [...hub.querySelectorAll(selector)].find(one => one.checkVisibility() && !one.disabled);
"""

MAIL = """
const { MailServices } = ChromeUtils.importESModule("resource:///modules/MailServices.sys.mjs");
const accounts = MailServices.accounts.accounts.filter(one => one.incomingServer.type == "imap");
const pane = document.getElementById("tabmail").currentAbout3Pane;
"""

OPEN_MESSAGE = """
const inbox = accounts[0].incomingServer.rootFolder.getFolderWithFlags(Ci.nsMsgFolderFlags.Inbox);
if (!inbox) return null;
if (pane.gFolder != inbox) pane.displayFolder(inbox);
const header = inbox.msgDatabase.getMsgHdrForMessageID(arguments[0]);
if (!header) return null;
pane.selectMessage(header);
const browser = pane.messageBrowser.contentWindow;
if (browser.gMessage?.messageId != arguments[0]) return null;
const subject = browser.document.getElementById("expandedsubjectBox").textContent;
const text = browser.getMessagePaneBrowser().contentDocument?.querySelector("[class^=moz-text]")?.textContent;
return text && { subject, text };
"""


def need() -> str:
    """Return the library that answers for names, or skip where this machine lacks what is needed."""
    for program in ("thunderbird", "certutil"):
        if not shutil.which(program):
            pytest.skip(f"needs Thunderbird on this machine, and certutil (libnss3-tools): no {program} here")
    library = ctypes.util.find_library("nss_wrapper")
    if not library:
        pytest.skip("needs libnss_wrapper on this machine (libnss-wrapper)")
    return library


def make_profile(folder: Path, names: Iterable[str], ca_file: str | None) -> None:
    """Make a profile that reaches these names alone."""
    folder.mkdir()
    clients.certificate_database(folder, ca_file)
    preferences = PREFERENCES | {"network.proxy.no_proxies_on": ", ".join(names)}
    lines = (f"user_pref({json.dumps(name)}, {json.dumps(value)});\n" for name, value in preferences.items())
    (folder / "user.js").write_text("".join(lines))


class Thunderbird:
    """A fresh Thunderbird that trusts a CA, or none but the public ones; a context manager."""

    def __init__(self, folder: Path, addresses: dict[str, str], ca_file: str | None, pictures: Path) -> None:
        library = need()
        self.pictures = pictures
        self.deadline = time.monotonic() + SECONDS
        self.profile = folder / "profile"
        make_profile(self.profile, addresses, ca_file)
        hosts = folder / "hosts"
        hosts.write_text("".join(f"{address} {name}\n" for name, address in addresses.items()))
        self.output = folder / "output"
        environment = {
            "HOME": str(folder),
            "LANG": "C.UTF-8",
            "LD_PRELOAD": library,
            "MOZ_CRASHREPORTER_DISABLE": "1",
            "NSS_WRAPPER_HOSTS": str(hosts),
            "PATH": os.environ["PATH"],
        }
        command = ["thunderbird", "--headless", "--no-remote", "--profile", str(self.profile)]
        command += ["--marionette", "--remote-allow-system-access"]
        with self.output.open("wb") as output:
            self._process = subprocess.Popen(
                command, env=environment, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
            )

    def __enter__(self) -> Thunderbird:
        port = self.profile / "MarionetteActivePort"
        try:
            self._window = Marionette(int(self._wait(lambda: port.exists() and port.read_text(), "a start")))
        except BaseException:
            self._report()
            self._stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind:
            with contextlib.suppress(OSError, Refused):
                print("Thunderbird showed", self.picture("failed"))
            self._report()
        self._stop()

    def _report(self) -> None:
        """Print what it said; without a screen GTK complains of each icon, at length."""
        lines = self.output.read_text(errors="replace").splitlines()
        print("Thunderbird said:", *(line for line in lines if line and "gtk" not in line.lower()), sep="\n")

    def _stop(self) -> None:
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def _wait(self, ask: Any, what: str) -> Any:
        left = max(self.deadline - time.monotonic(), 0)
        return wait_for(ask, f"Thunderbird: {what}, of {SECONDS} s in all", left, every=0.1)

    def _run(self, what: str, script: str, *arguments: Any) -> Any:
        """Run a script again and again until its answer is true."""
        return self._wait(lambda: self._window.run(script, *arguments), what)

    def picture(self, name: str) -> Path:
        """Keep what is shown, and return the file."""
        path = self.pictures / f"thunderbird-{name}.png"
        path.write_bytes(self._window.screenshot())
        return path

    # --- setting up

    def look_up(self, name: str, address: str) -> dict[str, Any]:
        """Say in the account hub who one is, and return the settings that it offers (an AccountConfig)."""
        self._fill_in("#realName", name)
        self._fill_in("#email", address)
        self._press("#forward")
        found = (
            HUB + "return shown('#incomingHost') && hub.querySelector('email-config-found').captureState();"
        )
        settings: dict[str, Any] = self._run("settings for the account", found)
        return settings

    def enter_password(self, password: str) -> None:
        """Take the settings and enter a password, which is tried at once."""
        self._press("#forward")
        self._fill_in("#password", password)
        self._press("#forward")

    def finish(self) -> None:
        """Wait until the account is made, and leave the account hub."""
        self._run("an account", HUB + "return shown('#emailAddedSuccessSubview') != null;")
        self._press("#forward")

    def doubts_a_certificate(self) -> bool:
        """Wait for the window that says what is wrong with a server's certificate."""
        dialog = "chrome://pippki/content/exceptionDialog.xhtml"
        ask = "return [...Services.wm.getEnumerator(null)].some(one => one.location.href == arguments[0]);"
        return bool(self._run("a doubt about the certificate", ask, dialog))

    def accounts(self) -> list[dict[str, Any]]:
        """Return the servers of the IMAP accounts; a socketType 3 is TLS (nsMsgSocketType)."""
        script = """
            return accounts.map(one => one.incomingServer)
                .map(({ hostname, port, socketType }) => ({ hostname, port, socketType }));
        """
        servers: list[dict[str, Any]] = self._window.run(MAIL + script)
        return servers

    def _fill_in(self, field: str, text: str) -> None:
        element = self._run(f"a field {field}", HUB + "return shown(arguments[0]);", field)
        self._window.run("arguments[0].select();", element)
        self._window.type(element, text)

    def _press(self, button: str) -> None:
        self._window.click(self._run(f"a button {button}", HUB + "return shown(arguments[0]);", button))

    # --- mail

    def read(self, message_id: str) -> dict[str, str]:
        """Open a message of the inbox, and return its subject and text as they are shown."""
        message: dict[str, str] = self._run("the message", MAIL + OPEN_MESSAGE, message_id.strip("<>"))
        return message

    def send(self, recipient: str, subject: str, text: str) -> None:
        """Write a message in a window of its own and send it; a copy is kept before the window closes."""
        main = self._window.windows()
        self._window.run(MAIL + "pane.document.getElementById('folderPaneWriteMessage').click();")
        new = self._wait(lambda: self._window.windows() - main, "a window to write in")
        self._window.switch_to(new.pop())
        self._run("a window that is ready", "return document.activeElement?.id == 'toAddrInput';")
        for field, value in (("toAddrInput", recipient + ENTER), ("msgSubject", subject)):
            self._window.type(self._window.run("return document.getElementById(arguments[0]);", field), value)
        self._window.run("GetCurrentEditor().insertText(arguments[0]);", text)
        self._window.click(
            self._run("leave to send", "return document.querySelector('#button-send:not([disabled])');")
        )
        self._wait(lambda: self._window.windows() == main, "a message sent")
        self._window.switch_to(main.pop())
