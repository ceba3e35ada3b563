#!/usr/bin/python3
# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A stand-in for a provider's OAuth 2.0 token endpoint, for the lab alone: token-endpoint ADDRESS LIFETIME.

POST https://ADDRESS/token exchanges a refresh token for an access token (RFC 6749 section 6) and a new refresh token,
     and what a person consented to for the first of both.
POST https://ADDRESS/device asks for a code that a person types in (RFC 8628 section 3.1).
GET  https://ADDRESS/authorize asks in a browser (RFC 6749 section 4.1.1): whoever opens it consents to it.
POST http://127.0.0.1:8025/consent is the person: user_code, and for one who does not consent, refused.
GET  http://127.0.0.1:8025/ tells Dovecot whose access token it is, and whether it is valid.

A token says who it is for and, signed, since or until when: none is kept. What a test wants otherwise stands in
/run/token-endpoint.json: lifetime (seconds), down (true: it answers 503), revoked (true: no refresh token is valid that
is older than this), patience (seconds that a code lives), username (who consents, instead of the account's owner).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import ssl
import sys
import threading
import time
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

CLIENT = "outlook-lab-client"
USER = "il@outlook.test"
CONSENT = "outlook-lab-refresh-token"
"""What a person has after authorizing the account in a browser."""
FAULTS = Path("/run/token-endpoint.json")
KEY = b"Tokens of the lab outlive a restart."
PADDING = "x" * 1500
"""Makes a token as long as real ones are."""

waiting: dict[str, dict[str, object]] = {}
"""Consents that are asked for, by their device code or the code of the browser."""


def faults() -> dict[str, Any]:
    """Return what a test wants."""
    return json.loads(FAULTS.read_text()) if FAULTS.exists() else {}


def revoked(given: str) -> bool:
    """Whether a refresh token is older than the moment at which all were taken back."""
    issued = 0.0 if given == CONSENT else float(carried("refresh", given).partition("/")[0] or 0)
    return bool(faults().get("revoked")) and issued < FAULTS.stat().st_mtime


def sign(kind: str, text: str) -> str:
    """Return a token of a kind that carries a text."""
    return f"{text}.{hmac.new(KEY, f'{kind}.{text}'.encode(), hashlib.sha256).hexdigest()}"


def carried(kind: str, token: str) -> str:
    """Return the text of a token, or nothing if it is forged."""
    text = token.rpartition(".")[0]
    return text if hmac.compare_digest(sign(kind, text).encode(), token.encode()) else ""


class Handler(BaseHTTPRequestHandler):
    """What both servers share."""

    def form(self) -> dict[str, str]:
        """Read what was sent."""
        length = int(self.headers.get("Content-Length", 0))
        return dict(urllib.parse.parse_qsl(self.rfile.read(length).decode()))

    def answer(self, code: int, body: dict[str, object]) -> None:
        """Send a JSON object."""
        data = json.dumps(body).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


class Tokens(Handler):
    """What the house and a person's browser ask."""

    def do_POST(self) -> None:
        """Give a code or a token."""
        form = self.form()
        if faults().get("down"):
            self.answer(503, {"error": "temporarily_unavailable"})
        elif form.get("client_id") != CLIENT:
            self.answer(401, {"error": "invalid_client"})
        elif self.path == "/device":
            self.give_code()
        elif form.get("grant_type", "").endswith(":device_code"):
            self.give_for_consent(form.get("device_code", ""))
        elif form.get("grant_type") == "authorization_code":
            self.give_for_code(form)
        else:
            given = form.get("refresh_token", "")
            self.give(revoked(given) or not (given == CONSENT or carried("refresh", given)))

    def do_GET(self) -> None:
        """Take the consent of whoever opens the page, and send the browser back."""
        query = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(self.path).query))
        code = secrets.token_urlsafe()
        waiting[code] = {"challenge": query["code_challenge"], "redirect_uri": query["redirect_uri"]}
        self.send_response(302)
        back = urllib.parse.urlencode({"code": code, "state": query["state"]})
        self.send_header("Location", f"{query['redirect_uri']}?{back}")
        self.end_headers()

    def give_code(self) -> None:
        """Give a code that a person is to type in."""
        device_code, user_code = secrets.token_urlsafe(), secrets.token_hex(4).upper()
        patience = float(faults().get("patience", 900))
        waiting[device_code] = {"user_code": user_code, "expires": time.time() + patience, "said": ""}
        self.answer(
            200,
            {
                "device_code": device_code,
                "user_code": user_code,
                "verification_uri": "https://login.outlook.test/consent",
                "expires_in": patience,
                "interval": 1,
            },
        )

    def give_for_consent(self, device_code: str) -> None:
        """Give tokens if the person has consented (RFC 8628 section 3.5)."""
        asked = waiting.get(device_code, {"expires": 0.0})
        if float(str(asked["expires"])) < time.time():
            self.answer(400, {"error": "expired_token"})
        elif not asked["said"]:
            self.answer(400, {"error": "authorization_pending"})
        elif asked["said"] == "refused":
            self.answer(400, {"error": "access_denied"})
        else:
            del waiting[device_code]
            self.give(False)

    def give_for_code(self, form: dict[str, str]) -> None:
        """Give tokens for what the browser brought, to who asked for it (RFC 7636 section 4.6)."""
        asked = waiting.pop(form.get("code", ""), {})
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        proof = base64.urlsafe_b64encode(digest).decode().rstrip("=")
        self.give(asked.get("challenge") != proof or asked.get("redirect_uri") != form.get("redirect_uri"))

    def give(self, refused: bool) -> None:
        """Give tokens, or refuse."""
        if refused:
            self.answer(
                400, {"error": "invalid_grant", "error_description": "The grant is expired or revoked."}
            )
            return
        lifetime = faults().get("lifetime", float(sys.argv[2]))
        now = time.time()
        username = faults().get("username", USER)
        self.answer(
            200,
            {
                "token_type": "Bearer",
                "access_token": sign("access", f"{now + lifetime:.0f}.{username}.{PADDING}"),
                "expires_in": lifetime,
                "refresh_token": sign("refresh", f"{now}/{secrets.token_urlsafe()}"),
            },
        )


class Introspection(Handler):
    """What Dovecot asks, and what a test does for a person."""

    def do_POST(self) -> None:
        """Consent to what has the code, or refuse."""
        form = self.form()
        for asked in waiting.values():
            if asked.get("user_code") == form.get("user_code"):
                asked["said"] = "refused" if form.get("refused") else "consented"
                self.answer(200, {})
                return
        self.answer(404, {})

    def do_GET(self) -> None:
        """Say whose token it is, and whether it is valid."""
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        until, __, rest = carried("access", token).partition(".")
        valid = bool(until) and float(until) > time.time()
        username = rest.removesuffix(f".{PADDING}") or USER
        self.answer(200, {"username": username, "active": "yes" if valid else "no"})


def main() -> None:
    """Serve both until the unit is stopped."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain("/etc/ssl/provider/provider.pem", "/etc/ssl/provider/provider.key")
    tokens = ThreadingHTTPServer((sys.argv[1], 443), Tokens)
    tokens.socket = context.wrap_socket(tokens.socket, server_side=True)
    threading.Thread(target=tokens.serve_forever, daemon=True).start()
    ThreadingHTTPServer(("127.0.0.1", 8025), Introspection).serve_forever()


if __name__ == "__main__":
    main()
