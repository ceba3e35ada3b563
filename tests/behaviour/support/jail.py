"""A jail of fail2ban, as the host that has it sees it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager

from testinfra.host import Host

Forgive = Callable[[str], object]


def status(host: Host, jail: str, what: str) -> str:
    """Return one line of what fail2ban says of a jail."""
    found = re.search(rf"{what}:[ \t]*(.*)", host.check_output(f"fail2ban-client status {jail}"))
    assert found
    return found[1]


def jails(host: Host) -> list[str]:
    """List the jails that are on."""
    found: str = host.check_output("fail2ban-client status | sed -n 's/.*Jail list:[[:space:]]*//p'")
    return found.split(", ")


@contextmanager
def forgiving(host: Host, jail: str) -> Iterator[Forgive]:
    """Give what takes an address that is to be free of bans now, and at the end."""
    with ExitStack() as stack:

        def unban(address: str) -> None:
            host.run(f"fail2ban-client set {jail} unbanip {address}")
            stack.callback(host.run, f"fail2ban-client set {jail} unbanip {address}")

        yield unban


def assert_named(host: Host, jail: str, daemon: str, lines: Mapping[str, str]) -> None:
    """Assert whom the jail finds in lines of a daemon's log: the address of each, and nobody where it is empty."""
    text = "\n".join(f"Nov 23 12:00:00 house {daemon}[1]: {line}" for line in lines)
    found = host.check_output(
        f"file=$(mktemp) && echo %s >$file && fail2ban-regex --out ip $file {jail}; rm $file", text
    )
    assert found.split() == [address for address in lines.values() if address]
