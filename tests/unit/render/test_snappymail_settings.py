# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The webmail application's settings file."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.ilnmors.mail.plugins.filter.webmail_settings_file import webmail_settings_file


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (True, "On"),
        (False, "Off"),
        (25, "25"),
        (1.5, "1.5"),
        ("", '""'),
        ("/etc/ssl/ca.pem", '"/etc/ssl/ca.pem"'),
        ('a "quoted" one', '"a \\"quoted\\" one"'),
        ("back\\slash", '"back\\\\slash"'),
        ("$2y$10$hash", '"$2y$10$hash"'),
    ],
)
def test_settings_are_written_as_php_reads_them(value: bool | int | float | str, written: str) -> None:
    text = webmail_settings_file({"login": {"key": value}})
    assert text.splitlines()[1:] == ["", "[login]", f"key = {written}"]


@pytest.mark.parametrize("value", ["${HOME}", "two\nlines", "a\0zero"])
def test_settings_that_php_would_change_are_refused(value: str) -> None:
    with pytest.raises(AnsibleFilterError) as refusal:
        webmail_settings_file({"login": {"default_domain": value}})
    assert str(refusal.value) == (
        "snappymail_extra_settings.login.default_domain: holds '${' or a control character, "
        "which the application's settings file cannot express; leave it out"
    )
