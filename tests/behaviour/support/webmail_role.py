"""The webmail's role alone, run with other variables."""

from __future__ import annotations

from collections.abc import Callable

from ansible_collections.ilnmors.mail.tests.behaviour.support.site_run import Run
from testinfra.host import Host

RELEASE = "/usr/share/snappymail/current"
DATA = "/var/lib/snappymail"

Role = Callable[..., Run]


def state(app: Host) -> str:
    """Return what a run could change of the webmail: configuration, its times, the releases and what they came in."""
    files = f"/etc/nginx /etc/php /etc/snappymail {DATA}/_data_/_default_/configs"
    found: str = app.check_output(
        f"find {files} {DATA}/_data_/_default_/domains -type f -exec stat --format '%n %i %Y' {{}} + "
        f"| sort; readlink {RELEASE}; ls -A /usr/share/snappymail /usr/share/snappymail/versions; "
        "ls -A /var/cache/snappymail* ~/.ansible/tmp 2>/dev/null || true"
    )
    return found


def assert_refused(run: Run, reason: str) -> None:
    assert run.status != 0
    assert reason in run.output
    assert set(run.changed.values()) == {0}, run.output
