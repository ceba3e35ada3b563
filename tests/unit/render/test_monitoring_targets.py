# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What Prometheus is told to scrape."""

from __future__ import annotations

from ansible_collections.ilnmors.mail.plugins.module_utils._render.monitoring_targets import (
    monitoring_targets,
)


def test_each_host_is_scraped_and_dovecot_where_there_is_one() -> None:
    hosts = {"webmail": "192.168.1.3", "mail": "fd00::2"}
    assert monitoring_targets(hosts, ["mail", "other"], 9100, 9900) == [
        {"targets": ["[fd00::2]:9100", "[fd00::2]:9900"], "labels": {"host": "mail"}},
        {"targets": ["192.168.1.3:9100"], "labels": {"host": "webmail"}},
    ]
