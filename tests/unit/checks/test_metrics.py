# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the house says of the figures that it offers."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from ansible_collections.ilnmors.mail.plugins.module_utils._checks.checks import Check, run_checks
from ansible_collections.ilnmors.mail.plugins.module_utils._checks.metrics import metrics_jobs

NOW = 1_796_000_000.0
GOOD = (
    "# HELP mail_monitoring_success Text\n"
    'mail_monitoring_success{part="queue"} 1\n'
    'mail_monitoring_success{part="bans"} 1\n'
    'node_textfile_mtime_seconds{file="/x/mail_monitoring.prom"} 1.79599997e+09\n'
)


def check(port: str, said: str | OSError) -> Check:
    def ask(address: str, number: int) -> str:
        assert (address, number) == ("192.0.2.1", 9)
        if isinstance(said, OSError):
            raise said
        return said

    return run_checks(metrics_jobs("192.0.2.1", {port: 9}, lambda: NOW, ask))[0]


@pytest.mark.parametrize(
    ("port", "said", "ok", "detail"),
    [
        ("node exporter", GOOD, True, "192.0.2.1:9 has bans, queue"),
        (
            "node exporter",
            "node_load1 0\n",
            False,
            "nothing of the mail service; see 'systemctl status mail-metrics",
        ),
        (
            "node exporter",
            GOOD.replace("1.79599997e+09", "1.795999e+09"),
            False,
            "last written 17 minutes ago",
        ),
        (
            "node exporter",
            GOOD.replace('"queue"} 1', '"queue"} 0'),
            False,
            "queue could not be read; see 'journalctl",
        ),
        (
            "node exporter",
            OSError("refused"),
            False,
            "does not answer: refused; see 'systemctl status prometheus-node",
        ),
        ("Dovecot", "dovecot_imap_logins_total 0\n", True, "192.0.2.1:9 answers"),
        ("Dovecot", "node_load1 0\n", False, "answers, but not as Dovecot does; see who has the port"),
        (
            "Dovecot",
            OSError("refused"),
            False,
            "see 'systemctl status dovecot' there, and run the site playbook",
        ),
    ],
)
def test_figures_are_judged(port: str, said: str | OSError, ok: bool, detail: str) -> None:
    found = check(port, said)
    assert found.ok is ok
    assert detail in found.detail


def test_what_is_not_offered_is_not_asked_for() -> None:
    assert metrics_jobs("192.0.2.1", {"node exporter": 0, "Dovecot": 0}, lambda: NOW) == []


class Page(BaseHTTPRequestHandler):
    status = 200

    def do_GET(self) -> None:
        self.send_response(self.status)
        self.end_headers()
        self.wfile.write(b"dovecot_imap_logins_total 0\n")

    def log_message(self, *__: object) -> None:
        """Say nothing."""


@pytest.fixture(params=[200, 503])
def server(request: pytest.FixtureRequest) -> Iterator[HTTPServer]:
    handler = type("Handler", (Page,), {"status": request.param})
    with HTTPServer(("127.0.0.1", 0), handler) as found:
        thread = threading.Thread(target=found.serve_forever)
        thread.start()
        yield found
        found.shutdown()
        thread.join()


def test_a_server_is_asked_as_prometheus_asks(server: HTTPServer) -> None:
    found = run_checks(metrics_jobs("127.0.0.1", {"Dovecot": server.server_port}, lambda: NOW))[0]
    assert found.ok is ("503" not in found.detail)
    assert "503 Service Unavailable" in found.detail or found.detail.endswith("answers")
