# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A server of HTTPS that is sent forms, as the endpoints of OAuth 2.0 are."""

from __future__ import annotations

import json
import ssl
import threading
import urllib.parse
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from ansible_collections.ilnmors.mail.tests.unit.fakes.authority import ADDRESS

# Takes a path and the fields of a form; returns a status, and bytes or what is sent as JSON.
Answer = Callable[[str, dict[str, str]], tuple[int, Any]]


@contextmanager
def serve_forms(context: ssl.SSLContext, answer: Answer) -> Iterator[int]:
    """Serve on a port of ADDRESS, and yield it."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            form = self.rfile.read(int(self.headers["Content-Length"])).decode()
            code, said = answer(self.path, dict(urllib.parse.parse_qsl(form)))
            body = said if isinstance(said, bytes) else json.dumps(said).encode()
            self.send_response(code)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *__: object) -> None:
            """Keep the output of the tests clean."""

    with ThreadingHTTPServer((ADDRESS, 0), Handler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
