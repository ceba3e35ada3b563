# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Runs mbsync(1) for one mailbox, between the two doors."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from .append_batcher import NearDoor
from .command_filter import Door
from .remote_filter import FarDoor

SEND_DESCRIPTOR = Path(__file__).with_name("send_descriptor.py")
PROGRESS_INTERVAL = 30.0

# PullNew alone: messages that are new at the provider are added in the house, and nothing else is done anywhere.
# Timeout 0: the doors have the deadlines. PipelineDepth: a provider whose answers are not read yet reads no commands
# either, and so must not be sent more than fit into the buffers on the way.
CONFIGURATION = """\
IMAPStore far
Tunnel "exec {python} -I -S {send_descriptor} {far}"
Timeout 0
PipelineDepth 50
UseNamespace no
PathDelimiter /

IMAPStore near
Tunnel "exec {python} -I -S {send_descriptor} {near}"
Timeout 0
UseNamespace no
PathDelimiter /

Channel {alias}
Far :far:{alias}
Near :near:{alias}
Sync PullNew
Create None
Remove None
Expunge None
CopyArrivalDate yes
SyncState {states}/
"""


@dataclass
class Outcome:
    """How a run ended.

    succeeded: mbsync says so. output: its messages. far, near: the doors, with what passed them.
    """

    succeeded: bool
    output: str
    far: FarDoor
    near: NearDoor


@contextmanager
def _tunnel(stack: ExitStack) -> Iterator[tuple[socket.socket, int]]:
    """Make the pair of sockets over which mbsync's end of a Tunnel comes."""
    ours, theirs = socket.socketpair()
    stack.enter_context(ours)
    with theirs:
        yield ours, theirs.fileno()


def _accept(parent: socket.socket) -> socket.socket | None:
    """Wait for mbsync's end of the Tunnel; None if mbsync ended before."""
    _, descriptors, _, _ = socket.recv_fds(parent, 1, 1)
    return socket.socket(fileno=descriptors[0]) if descriptors else None


def pull(
    alias: str,
    states: Path,
    directory: Path,
    far: FarDoor,
    near: NearDoor,
    progress: Callable[[int], None],
    enough: Callable[[FarDoor, NearDoor], bool],
) -> Outcome:
    """Let mbsync pull what the provider's door shows of one mailbox.

    alias: what mbsync calls the mailbox on both sides, and its state file. directory: where its configuration may
    be written. progress: is told now and then how many messages have arrived. enough: is asked every second
    whether to stop early.
    """
    doors = (far, near)
    with ExitStack() as stack:
        with _tunnel(stack) as (far_parent, far_number), _tunnel(stack) as (near_parent, near_number):
            configuration = directory / "mbsyncrc"
            configuration.write_text(
                CONFIGURATION.format(
                    python=sys.executable,
                    send_descriptor=SEND_DESCRIPTOR,
                    alias=alias,
                    states=states,
                    far=far_number,
                    near=near_number,
                ),
                "utf-8",
            )
            mbsync = subprocess.Popen(
                ["mbsync", "--quiet", "--config", str(configuration), alias],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                pass_fds=(far_number, near_number),
                encoding="utf-8",
                errors="replace",
            )
        output: list[str] = []
        threads = [
            threading.Thread(target=_serve, args=(parent, door), daemon=True)
            for parent, door in zip((far_parent, near_parent), doors, strict=True)
        ]
        threads.append(threading.Thread(target=output.extend, args=(mbsync.stdout or (),), daemon=True))
        for thread in threads:
            thread.start()
        try:
            _watch(mbsync, doors, progress, enough)
        finally:
            mbsync.kill()
            mbsync.wait()
            for door in doors:
                door.stop()
            for parent in (far_parent, near_parent):
                parent.shutdown(socket.SHUT_RDWR)
            for thread in threads:
                thread.join()
    return Outcome(mbsync.returncode == 0, "".join(output), far, near)


def _serve(parent: socket.socket, door: Door) -> None:
    client = _accept(parent)
    if client is not None:
        door.serve(client)


def _watch(
    mbsync: subprocess.Popen[str],
    doors: tuple[FarDoor, NearDoor],
    progress: Callable[[int], None],
    enough: Callable[[FarDoor, NearDoor], bool],
) -> None:
    """Wait for mbsync's end; stop it when it is enough."""
    told = time.monotonic()
    while True:
        try:
            mbsync.wait(1.0)
            return
        except subprocess.TimeoutExpired:
            pass
        if enough(*doors):
            for door in doors:
                door.stop()
        if time.monotonic() - told > PROGRESS_INTERVAL:
            told = time.monotonic()
            progress(doors[1].stored)
