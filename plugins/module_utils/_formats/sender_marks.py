# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The marks that envelope senders carry in Postfix's queue (`_render/sender_rewriting.py` says why)."""

from __future__ import annotations

# A name that can never exist (RFC 2606 section 2). No pattern that ends in it needs an anchor: main.cf, which holds
# these tables, would read its dollar sign as the beginning of a setting's name once too often (in proxy_read_maps).
MARK = ".sender.invalid"

# What follows a login in the sender of what the login sends without one: notices that a message was read, and reports
# that a script sends on. It says whose account carries it; outside of the queue there is no sender again.
NULL_MARK = f".null{MARK}"
