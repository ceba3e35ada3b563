# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What Postfix's tables cannot hold is refused with the options, and nothing else is."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.ilnmors.mail.plugins.module_utils._files.lookup_tables import (
    PostfixMapError,
    read_tables,
)
from ansible_collections.ilnmors.mail.plugins.module_utils._render.postfix import relay_transports
from ansible_collections.ilnmors.mail.tests.unit.site.description import SITE, literal, read, variables

SMARTHOST: dict[str, Any] = {
    "name": "club",
    "profile": "custom",
    "address": "il@example.org",
    "password": "secret-club",
    "owner": "il",
    "smtp_host": "smtp.example.org",
    "fetch": False,
}
# What a line of a table cannot hold.
UNFIT = ["abc def ", " abc", "\tabc", "abc\n", "   ", "a\x85b", "a\u2028b", "a\u2029b", "a\ud800b", "a\x00b"]


def problems(**change: str) -> list[str]:
    """Return the problems of a house whose one account at a provider is changed."""
    site = {**SITE, "mail_providers": [{**SMARTHOST, **change}], "mail_default_provider": ""}
    return read("postfix_relay", variables("postfix_relay", literal("postfix_relay"), site)).problems


@pytest.mark.parametrize("key", ["username", "password"])
@pytest.mark.parametrize("value", UNFIT)
def test_what_a_table_cannot_hold_is_refused(key: str, value: str) -> None:
    (problem,) = problems(**{key: value})
    assert problem.startswith(f"mail_providers[0] (club).{key}: ")
    assert key == "username" or value not in problem


@pytest.mark.parametrize(
    "value", ["abc def", "päss wörd", "a:b", "#a", '"a', "a" * 300, "비밀 번호", "a,b=c{d}"]
)
def test_what_is_not_refused_fits_into_a_table(value: str) -> None:
    assert problems(password=value) == []
    account = {**SMARTHOST, "password": value}
    read_tables(transport["passwords"] for transport in relay_transports([account], "/etc/postfix/maps"))


def test_a_table_refuses_no_more_than_that() -> None:
    def fits(value: str) -> bool:
        try:
            read_tables([{"path": "/etc/postfix/maps/x", "entries": {"key": value}, "secret": True}])
        except PostfixMapError:
            return False
        return True

    every = [*map(chr, range(0x3000)), "\ud800", "\udfff"]
    refused = [text for text in every if not fits(f"a:b{text}b") or not fits(f"a:b{text}")]
    assert [text for text in refused if not problems(password=f"b{text}")] == []
