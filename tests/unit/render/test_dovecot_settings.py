# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Settings are written as Dovecot reads them, and what fits no line is refused."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.ilnmors.mail.plugins.module_utils._render.dovecot_settings import (
    dovecot_settings,
    setting_problems,
)


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({}, ""),
        ({"mail_debug": True, "auth_debug": False}, "mail_debug = yes\nauth_debug = no\n"),
        ({"imap_idle_notify_interval": "2 mins"}, "imap_idle_notify_interval = 2 mins\n"),
        ({"mail_fsync": ""}, "mail_fsync = \n"),
        (
            {
                "service imap": {"process_limit": 4000, "unix_listener imap-master": {"mode": "0600"}},
                "mail_debug": True,
            },
            "service imap {\n  process_limit = 4000\n  unix_listener imap-master {\n    mode = 0600\n  }\n}\n"
            "mail_debug = yes\n",
        ),
    ],
)
def test_settings_are_lines_and_blocks(settings: dict[str, Any], text: str) -> None:
    assert dovecot_settings(settings) == text
    assert list(setting_problems("extra", settings)) == []


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ("mail_debug = yes", "extra: is not a dictionary; write each setting as 'name: value'"),
        (
            {"protocols": ["imap", "pop3"]},
            "extra.protocols: is no single value; write it as one string, as in dovecot.conf",
        ),
        ({"ssl": None}, "extra.ssl: is no single value; write it as one string, as in dovecot.conf"),
        (
            {"service imap": {"user": "vmail\nmode = 0666"}},
            "extra.service imap.user: has several lines; write the value on one line",
        ),
    ],
)
def test_what_fits_no_line_is_refused(settings: object, problem: str) -> None:
    assert list(setting_problems("extra", settings)) == [problem]
