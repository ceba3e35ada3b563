# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A client of Marionette, the remote control of Mozilla's programs.

https://firefox-source-docs.mozilla.org/testing/marionette/Protocol.html
"""

from __future__ import annotations

import base64
import json
import socket
from typing import Any

TIMEOUT = 60
"""Seconds, for one command."""

ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
"""The key of a reference to an element (W3C WebDriver, 12.4)."""


class Refused(Exception):
    """What the program answered instead of a result."""


class Marionette:
    """One connection to a program of this machine, whose own windows (not web pages) are looked at."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), TIMEOUT)
        self._stream = self._socket.makefile("rwb")
        self._commands = 0
        self._read()
        self.ask("WebDriver:NewSession")
        self.ask("Marionette:SetContext", value="chrome")

    def ask(self, command: str, **parameters: Any) -> Any:
        """Send a command and return its result."""
        self._commands += 1
        packet = json.dumps([0, self._commands, command, parameters]).encode()
        self._stream.write(b"%d:%s" % (len(packet), packet))
        self._stream.flush()
        __, __, error, result = self._read()
        if error:
            raise Refused(f"{command}: {error['error']}: {error['message']}")
        return result

    def run(self, script: str, *arguments: Any) -> Any:
        """Run the body of a function in the current window, and return what it returns."""
        return self.ask("WebDriver:ExecuteScript", script=script, args=arguments)["value"]

    def click(self, element: dict[str, str]) -> None:
        """Click where an element is seen."""
        self.ask("WebDriver:ElementClick", id=element[ELEMENT])

    def type(self, element: dict[str, str], text: str) -> None:
        """Press the keys of a text; U+E007 is Enter."""
        self.ask("WebDriver:ElementSendKeys", id=element[ELEMENT], text=text)

    def windows(self) -> set[str]:
        return set(self.ask("WebDriver:GetWindowHandles"))

    def switch_to(self, window: str) -> None:
        self.ask("WebDriver:SwitchToWindow", handle=window)

    def screenshot(self) -> bytes:
        """Return what the current window shows, as PNG."""
        answer = self.ask("WebDriver:TakeScreenshot", full=False, hash=False)
        return base64.b64decode(answer["value"])

    def _read(self) -> Any:
        length = b""
        while (byte := self._stream.read(1)) != b":":
            if not byte:
                raise ConnectionError("the program is gone")
            length += byte
        return json.loads(self._stream.read(int(length)))
