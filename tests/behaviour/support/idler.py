"""Strangers who hold connections and say next to nothing, on a machine that has nothing but Python.

`python3 idler.py ADDRESS STAGE COUNT SOURCE,… PORT…` keeps COUNT connections open from each source address to each
port, for three minutes at most. A line of JSON says how many each port has taken, once all were tried. What the server
ends is opened anew.

STAGE is how far each connection comes: `silent` says nothing, `half` begins what it does not end, `drip` sends a byte
of it each second, `tls` says nothing once it is encrypted.
"""

import asyncio
import contextlib
import json
import ssl
import sys

LONGEST = 180
PATIENCE = 5
"""Seconds to wait before a connection that was refused or ended is opened anew."""

IMPLICIT = (465, 993, 995)
START = {
    25: ["EHLO stranger.test", "STARTTLS"],
    587: ["EHLO stranger.test", "STARTTLS"],
    143: ["a STARTTLS"],
    110: ["STLS"],
    4190: ["STARTTLS"],
}
UNFINISHED = {
    **dict.fromkeys((25, 587), b"EHLO stranger"),
    **dict.fromkeys(IMPLICIT, b"\x16\x03\x01\x01\x00\x01\x00\x00\xfc\x03\x03"),
    143: b"a LOGIN il",
    110: b"CAPA",
    4190: b"CAPABILITY",
}
"""Commands without their ends, and the first bytes of a TLS handshake."""


def careless() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


async def answer(reader: asyncio.StreamReader, port: int) -> None:
    """Read up to the end of what is answered to a command."""
    ends: tuple[bytes, ...] = {143: (b"a ", b"* OK"), 110: (b"+OK",), 4190: (b"OK",)}.get(port, (b"2",))
    while not (line := await reader.readline()).startswith(ends) or line[3:4] == b"-":
        if not line:
            raise ConnectionError


async def encrypt(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int) -> None:
    for command in ["", *START.get(port, ())]:
        if command:
            writer.write(f"{command}\r\n".encode())
        if port in START:
            await answer(reader, port)
    await writer.start_tls(careless())


async def say(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int, stage: str) -> None:
    """Bring a connection to its stage; `drip` never ends by itself."""
    if stage == "tls":
        await encrypt(reader, writer, port)
    elif stage == "half":
        writer.write(UNFINISHED[port])
    elif stage == "drip":
        for number in range(LONGEST):
            writer.write(UNFINISHED[port][number:][:1] or b"x")
            await asyncio.sleep(1)


class Idlers:
    """The connections of one run; held: how many each port has, tried: how many had their first attempt."""

    def __init__(self, address: str, stage: str, ports: list[int]) -> None:
        self.address = address
        self.stage = stage
        self.held = dict.fromkeys(ports, 0)
        self.tried = 0

    async def keep(self, source: str, port: int) -> None:
        """Hold a connection, again and again."""
        first = True
        while True:
            with contextlib.suppress(OSError, ssl.SSLError, asyncio.IncompleteReadError):
                reader, writer = await asyncio.wait_for(
                    asyncio.open_connection(self.address, port, local_addr=(source, 0)), PATIENCE
                )
                self.held[port] += 1
                self.tried += first
                first = False
                try:
                    said = asyncio.ensure_future(say(reader, writer, port, self.stage))
                    if self.stage == "tls":
                        await said
                    while await reader.read(4096):
                        pass
                finally:
                    said.cancel()
                    self.held[port] -= 1
                    writer.transport.abort()
            self.tried += first
            first = False
            await asyncio.sleep(PATIENCE)


async def main(address: str, stage: str, count: int, sources: list[str], ports: list[int]) -> None:
    idlers = Idlers(address, stage, ports)
    wanted = [(source, port) for __ in range(count) for source in sources for port in ports]
    tasks = set()
    for number, (source, port) in enumerate(wanted):
        tasks.add(asyncio.ensure_future(idlers.keep(source, port)))
        if number % 100 == 0:
            await asyncio.sleep(0)
    while idlers.tried < len(wanted):
        await asyncio.sleep(0.1)
    print(json.dumps(idlers.held), flush=True)
    await asyncio.sleep(LONGEST)


if __name__ == "__main__":
    asyncio.run(
        main(sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4].split(","), [*map(int, sys.argv[5:])])
    )
