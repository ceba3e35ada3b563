"""Strangers with addresses of their own, who hold connections to the mail host and say next to nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import cast

from ansible_collections.ilnmors.mail.tests.behaviour.support.house import House, wait_for
from testinfra.host import Host

PORTS = (25, 587, 465, 143, 993, 110, 995, 4190)
PROGRAM = (Path(__file__).parent / "idler.py").read_text()
UNIT = "lab-idlers"
OUTPUT = f"/run/{UNIT}.json"


@contextmanager
def strangers(machine: Host, addresses: Sequence[str]) -> Iterator[None]:
    """Give a machine further addresses, of the network that its own is in."""
    device = machine.check_output(
        "ip -json route get 255.255.255.254 2>/dev/null || ip -json route show default"
    )
    name = json.loads(device)[0]["dev"]
    added = " ".join(f"{address}/32" for address in addresses)
    machine.check_output(f"for one in {added}; do ip address replace $one dev {name}; done")
    try:
        yield
    finally:
        machine.check_output(f"for one in {added}; do ip address del $one dev {name}; done")


@contextmanager
def idle(
    machine: Host,
    house: House,
    stage: str,
    count: int,
    addresses: Sequence[str],
    ports: Sequence[int] = PORTS,
    server: str = "",
) -> Iterator[dict[int, int]]:
    """Hold connections of each address to each port; give how many each port has taken.

    server: another address of the mail host than the house's.
    """
    machine.run(f"systemctl stop {UNIT}; rm -f {OUTPUT}")
    machine.check_output(
        f"systemd-run --quiet --collect --unit={UNIT} --property=LimitNOFILE=65536 "
        f"--property=StandardOutput=file:{OUTPUT} python3 -c %s {server or house.mail_address} {stage} {count} "
        f"{','.join(addresses)} {' '.join(map(str, ports))}",
        PROGRAM,
    )
    try:
        said = wait_for(lambda: machine.run(f"cat {OUTPUT}").stdout, "the strangers have connected", 60)
        yield {int(port): held for port, held in cast(dict[str, int], json.loads(said)).items()}
    finally:
        machine.run(f"systemctl stop {UNIT}")
