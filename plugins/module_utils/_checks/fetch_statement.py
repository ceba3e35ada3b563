# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Statements of where all mail of provider accounts is, and what verify says of them."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from typing import Any

from ansible_collections.ilnmors.mail.plugins.module_utils._checks.checks import Check
from ansible_collections.ilnmors.mail.plugins.module_utils._checks.fetch_books import SHOWN, some

PACKAGE = "/usr/local/lib/mbsync-fetch"


def make_statement(name: str) -> dict[str, Any]:
    """Have the mail of an account stated (roles/mbsync_fetch/files/mbsync_fetch/statement).

    One that cannot be made says why, as `error`.
    """
    answer = subprocess.run(  # pylint: disable=ansible-bad-function
        ["env", f"PYTHONPATH={PACKAGE}", "python3", "-B", "-m", "mbsync_fetch.statement", name],
        capture_output=True,
        text=True,
        check=False,
    )
    if answer.returncode == 0:
        try:
            found: dict[str, Any] = json.loads(answer.stdout)
        except ValueError:
            return {"account": name, "complete": False, "error": "its statement is not JSON"}
        return found
    said = answer.stderr.strip().splitlines()
    error = said[-1].removeprefix(f"{name}: ") if said else f"it ended with {answer.returncode}"
    return {"account": name, "complete": False, "error": error}


def statement_check(statement: Mapping[str, Any]) -> Check:
    """Return the check of a statement."""
    name = f"{statement['account']} statement"
    again = f"run 'systemctl start mbsync-fetch@{statement['account']}', and ask for it again"
    if "error" in statement:
        return Check(name, False, 0.0, f"{statement['error']}; {again}")
    mailboxes = statement["mailboxes"]
    total = sum(mailbox["messages"] for mailbox in mailboxes)
    if statement["complete"]:
        return Check(name, True, 0.0, f"complete: {total} messages in {len(mailboxes)} mailboxes")
    wrong = [mailbox["name"] for mailbox in mailboxes if not mailbox["complete"]]
    closed = [
        mailbox["name"] for mailbox in statement["not_fetched"] if mailbox["rule"] in ("refused", "unaskable")
    ]
    differs = [f"{one['name']} {uid}" for one in mailboxes for uid in one["differs"]][: SHOWN + 1]
    reasons = [
        f"not all of {some([*wrong, *closed])} is here",
        *([f"the messages with these UIDs are others in the house: {some(differs)}"] if differs else []),
    ]
    return Check(name, False, 0.0, f"not complete: {'; '.join(reasons)}; {again}")
