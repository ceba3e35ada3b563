#!/usr/bin/python3
# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A stand-in for a provider's OAuth 2.0 token endpoint, for the lab alone: token-endpoint ADDRESS LIFETIME.

POST https://ADDRESS/token exchanges a refresh token for an access token (RFC 6749 section 6) and a new refresh token.
GET http://127.0.0.1:8025/ tells Dovecot whose access token it is, and whether it is valid.

A token says who it is for and, signed, until when: nothing is kept. What a test wants otherwise stands in
/run/token-endpoint.json: lifetime (seconds), down (true: it answers 503), revoked (true: no refresh token is valid).
"""

from __future__ import annotations

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

CLIENT = "outlook-lab-client"
USER = "il@outlook.test"
CONSENT = "outlook-lab-refresh-token"
"""What a person has after authorizing the account in a browser."""
FAULTS = Path("/run/token-endpoint.json")
KEY = b"Tokens of the lab outlive a restart."
PADDING = "x" * 1500
"""Makes a token as long as real ones are."""


def sign(kind: str, text: str) -> str:
    """Return a token of a kind that carries a text."""
    return f"{text}.{hmac.new(KEY, f'{kind}.{text}'.encode(), hashlib.sha256).hexdigest()}"


def carried(kind: str, token: str) -> str:
    """Return the text of a token, or nothing if it is forged."""
    text = token.rpartition(".")[0]
    return text if hmac.compare_digest(sign(kind, text).encode(), token.encode()) else ""


class Handler(BaseHTTPRequestHandler):
    """What both servers share."""

    def answer(self, code: int, body: dict[str, object]) -> None:
        """Send a JSON object."""
        data = json.dumps(body).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


class Tokens(Handler):
    """The token endpoint."""

    def do_POST(self) -> None:
        """Exchange a refresh token."""
        faults = json.loads(FAULTS.read_text()) if FAULTS.exists() else {}
        length = int(self.headers.get("Content-Length", 0))
        form = dict(urllib.parse.parse_qsl(self.rfile.read(length).decode()))
        given = form.get("refresh_token", "")
        if faults.get("down"):
            self.answer(503, {"error": "temporarily_unavailable"})
        elif form.get("client_id") != CLIENT:
            self.answer(401, {"error": "invalid_client"})
        elif faults.get("revoked") or not (given == CONSENT or carried("refresh", given)):
            self.answer(
                400, {"error": "invalid_grant", "error_description": "The grant is expired or revoked."}
            )
        else:
            lifetime = faults.get("lifetime", float(sys.argv[2]))
            until = time.time() + lifetime
            self.answer(
                200,
                {
                    "token_type": "Bearer",
                    "access_token": sign("access", f"{until:.0f}.{PADDING}"),
                    "expires_in": lifetime,
                    "refresh_token": sign("refresh", secrets.token_urlsafe()),
                },
            )


class Introspection(Handler):
    """What Dovecot asks."""

    def do_GET(self) -> None:
        """Say whose token it is, and whether it is valid."""
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        until = carried("access", token).partition(".")[0]
        valid = bool(until) and float(until) > time.time()
        self.answer(200, {"username": USER, "active": "yes" if valid else "no"})


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
