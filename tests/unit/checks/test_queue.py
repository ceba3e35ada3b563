# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What waits in Postfix's queue, in words."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.ilnmors.mail.plugins.module_utils._checks.checks import Check
from ansible_collections.ilnmors.mail.plugins.module_utils._checks.queue import (
    QueueError,
    age,
    ask_postfix,
    queue_checks,
    read_queue,
    read_time,
)
from ansible_collections.ilnmors.mail.plugins.modules import mail_queue_info as mail_queue_module

NOW = 1_800_000_000
FRIEND = {"orig_address": "", "address": "friend@elsewhere.test", "delay_reason": "Connection refused"}
DOWN = "postqueue: warning: Mail system is down -- accessing queue directly (Connect to the Postfix showq service)"


def entry(minutes: int = 0, *recipients: dict[str, str], **given: Any) -> dict[str, Any]:
    """Return one object as Postfix 3.10 prints it."""
    return {
        "queue_name": "deferred",
        "queue_id": f"4g{minutes:04}",
        "arrival_time": NOW - minutes * 60,
        "message_size": 512,
        "forced_expire": False,
        "sender": "il@ilnmors.internal.sender.invalid",
        "recipients": list(recipients or (FRIEND,)),
    } | given


def checks(*entries: dict[str, Any], warning: int = 4 * 3600, most: int = 50) -> list[Check]:
    lines = "".join(f"{json.dumps(found)}\n" for found in entries)
    return queue_checks(read_queue(lines), NOW, warning, most)


def detail(found: dict[str, Any]) -> str:
    return checks(found)[1].detail


def test_an_empty_queue() -> None:
    assert checks() == [Check("queue", True, 0.0, "empty")]


def test_a_message_is_told_of_with_its_reason() -> None:
    assert checks(entry(12)) == [
        Check("queue", True, 0.0, "1 message waits"),
        Check(
            "queue 4g0012",
            None,
            0.0,
            "waits for 12 minutes, from il@ilnmors.internal, to friend@elsewhere.test: Connection refused",
        ),
    ]


def test_postfix_3_7_prints_no_original_address() -> None:
    old = {"address": "friend@elsewhere.test", "delay_reason": "Connection refused"}
    assert checks(entry(12, old)) == checks(entry(12))


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (
            entry(1, *({**FRIEND, "address": f"{letter}@x.test"} for letter in "abcde")),
            "to a@x.test, b@x.test, c@x.test and 2 more: Connection refused",
        ),
        (
            entry(1, FRIEND, {"address": "b@x.test", "delay_reason": "450 later"}),
            "to friend@elsewhere.test: Connection refused; to b@x.test: 450 later",
        ),
        (
            entry(1, {"address": "b@x.test", "delay_reason": "host said: 450\n\tlater"}),
            "to b@x.test: host said: 450 later",
        ),
        (
            entry(1, {"address": "b@x.test"}, queue_name="active"),
            "to b@x.test: it is being delivered now",
        ),
        (
            entry(1, {"address": "b@x.test"}, queue_name="incoming"),
            "to b@x.test: it has just come",
        ),
        (
            entry(1, {"address": "b@x.test"}, queue_name="hold"),
            "to b@x.test: it is held until someone releases it (postsuper -H)",
        ),
        (entry(1, {"address": "b@x.test"}), "to b@x.test: nothing is known"),
        (
            entry(1, {"address": "il@ilnmors.internal.sender.invalid", "delay_reason": "full"}),
            "to il@ilnmors.internal: full",
        ),
    ],
    ids=["many", "two-reasons", "one-line", "active", "incoming", "hold", "no-reason", "mark"],
)
def test_recipients_and_reasons(found: dict[str, Any], expected: str) -> None:
    assert detail(found) == f"waits for 1 minute, from il@ilnmors.internal, {expected}"


def test_a_bounce_has_no_sender() -> None:
    assert "1 minute, a report of Postfix's own, to friend@" in detail(entry(1, sender="MAILER-DAEMON"))


@pytest.mark.parametrize(
    ("minutes", "warning", "ok"),
    [(239, 4 * 3600, None), (240, 4 * 3600, False), (9999, 0, None)],
    ids=["younger", "older", "nobody-is-warned"],
)
def test_what_waits_for_too_long_fails(minutes: int, warning: int, ok: bool | None) -> None:
    found = checks(entry(minutes), warning=warning)[1]
    assert found.ok is ok
    name = found.name.removeprefix("queue ")
    remedy = f"; 'postqueue -i {name}' tries it at once, 'postsuper -d {name}' gives it up"
    assert found.detail.endswith(remedy) is (ok is False)


def test_only_the_oldest_are_shown() -> None:
    found = checks(*map(entry, (1, 3, 2, 4)), most=2)
    assert [check.name for check in found] == ["queue", "queue 4g0004", "queue 4g0003", "queue"]
    assert (found[0].detail, found[-1].detail) == ("4 messages wait", "and 2 more, which came later")


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "less than a minute"),
        (59, "less than a minute"),
        (60, "1 minute"),
        (3599, "59 minutes"),
        (3600, "1 hour"),
        (7199, "1 hour"),
        (86399, "23 hours"),
        (86400, "1 day"),
        (432000, "5 days"),
    ],
)
def test_ages(seconds: int, words: str) -> None:
    assert age(seconds) == words


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("4h\n", 14400), ("0h", 0), ("30m", 1800), ("5d", 432000), ("4", 14400), ("1w", 604800)],
)
def test_times_of_postconf(text: str, seconds: int) -> None:
    assert read_time(text) == seconds


@pytest.fixture
def postfix(tmp_path: Path) -> Any:
    """Return a function that makes programs that answer as Postfix's do; it returns their paths."""

    def make(
        output: str = "", complaint: str = "", status: int = 0, warning: str = "4h", end: str = ""
    ) -> list[str]:
        answers = {
            "postqueue": f"cat <<'EOF'\n{output}EOF\necho '{complaint}' >&2\nexit {status}",
            "postconf": f"echo '{warning}'\n{end}",
        }
        for name, script in answers.items():
            (tmp_path / name).write_text(f"#!/bin/sh\n{script}\n")
            (tmp_path / name).chmod(0o755)
        return [str(tmp_path / name) for name in answers]

    return make


def test_postfix_is_asked(postfix: Any) -> None:
    messages, warning = ask_postfix(*postfix(json.dumps(entry(1)) + "\n", warning="2h"))
    assert ([message.sender for message in messages], warning) == (["il@ilnmors.internal"], 7200)


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        ({"complaint": DOWN}, "Postfix is not running; start it: systemctl start postfix"),
        (
            {"complaint": "postqueue: fatal: Queue report unavailable - mail system is down", "status": 69},
            "Postfix is not running; start it: systemctl start postfix",
        ),
        (
            {"complaint": "postqueue: fatal: bad\n string", "status": 1},
            "postqueue failed: postqueue: fatal: bad string; see journalctl -u 'postfix*'",
        ),
        (
            {"end": "echo postconf: fatal: no main.cf >&2; exit 1"},
            "postconf failed: postconf: fatal: no main.cf; see journalctl -u 'postfix*'",
        ),
        (
            {"warning": "soon"},
            "postconf says 'soon', which is no time, of delay_warning_time; mend main.cf",
        ),
        ({"output": "{}\n"}, "postqueue says what cannot be read: KeyError('queue_name')"),
    ],
    ids=["down-seen-by-root", "down-seen-by-others", "fails", "postconf-fails", "no-time", "no-queue"],
)
def test_a_postfix_that_does_not_answer(postfix: Any, answer: dict[str, Any], problem: str) -> None:
    with pytest.raises(QueueError) as error:
        ask_postfix(*postfix(**answer))
    assert str(error.value) == problem


@pytest.mark.parametrize(
    ("answer", "failed"), [({}, None), ({"complaint": DOWN}, True)], ids=["empty", "down"]
)
def test_the_module(
    postfix: Any, monkeypatch: pytest.MonkeyPatch, capsys: Any, answer: dict[str, Any], failed: bool | None
) -> None:
    monkeypatch.setenv("PATH", str(Path(postfix(**answer)[0]).parent), prepend=":")
    with patch_module_args({}), pytest.raises(SystemExit):
        mail_queue_module.main()
    result = json.loads(capsys.readouterr().out)
    assert result.get("failed") is failed
    assert [check["name"] for check in result["checks"]] == ["queue"]
