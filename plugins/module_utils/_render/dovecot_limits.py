# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How many connections Dovecot has to bear, from the number of people and their clients.

A limit costs nothing while nobody reaches it, so there is no smaller one than a house of 100 people needs.
"""

from __future__ import annotations

CONNECTIONS_PER_CLIENT = 5
"""What Thunderbird keeps open for an account by default; other mail programs keep fewer."""

_LEAST_CLIENTS = 100 * 5
_LEAST_EDITORS = 40
# The login, LMTP and helper processes, which speak to the same central services as the mailboxes' processes.
_HELPERS = 1500


def dovecot_limits(people: int, clients_per_user: int) -> dict[str, int]:
    """Return the limits of a house.

    user_connections: connections of one user from one address, for each protocol.
    clients: mail programs of the house, each with one connection at most (POP3).
    editors: those who change their filters at a time (ManageSieve).
    connections: IMAP connections of the house.
    watches: inotify instances of the owner of the mail, whom the connections to all mailboxes belong to (inotify(7)).
    processes: connections that a central service (auth, anvil, stats, config, log) has to hold.
    """
    clients = max(people * clients_per_user, _LEAST_CLIENTS)
    connections = clients * CONNECTIONS_PER_CLIENT
    return {
        "user_connections": clients_per_user * CONNECTIONS_PER_CLIENT,
        "clients": clients,
        "editors": max(people, _LEAST_EDITORS),
        "connections": connections,
        "watches": connections + 2 * clients,
        "processes": connections + 2 * clients + _HELPERS,
    }
