# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""When certificates end."""

from __future__ import annotations

import ssl
from collections.abc import Iterator, Sequence
from pathlib import Path

from .exposition import Metric
from .programs import Ask, UnansweredError


def certificate_metrics(paths: Sequence[Path], ask: Ask) -> Iterator[Metric]:
    """Yield when the first certificate of each file ends, which is the host's own (openssl-x509(1))."""
    ends = Metric("mail_certificate_end_timestamp_seconds", "When the certificate of a file ends.")
    for path in paths:
        said = ask(["openssl", "x509", "-in", str(path), "-noout", "-enddate"])
        ends.add(_read_end(said), file=str(path))
    yield ends


def _read_end(said: str) -> float:
    try:
        return float(ssl.cert_time_to_seconds(said.strip().removeprefix("notAfter=")))
    except ValueError as error:
        raise UnansweredError(f"openssl says {said.strip()!r}, which is no time") from error
