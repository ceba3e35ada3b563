# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How many addresses are banned: never which."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from .exposition import Metric
from .programs import Ask, UnansweredError


def ban_metrics(ask: Ask) -> Iterator[Metric]:
    """Yield what fail2ban keeps out now, by jail (fail2ban-client(1), `banned`)."""
    said = ask(["fail2ban-client", "banned"])
    try:
        jails = {
            str(jail): len(banned) for one in ast.literal_eval(said.strip()) for jail, banned in one.items()
        }
    except (AttributeError, SyntaxError, TypeError, ValueError) as error:
        raise UnansweredError(f"fail2ban-client says what cannot be read: {error!r}") from error
    metric = Metric("mail_banned_addresses", "Addresses that a jail of fail2ban keeps out now.")
    for jail, banned in sorted(jails.items()):
        metric.add(banned, jail=jail)
    yield metric
