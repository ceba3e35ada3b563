# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Runs mbsync(1) for one mailbox, between its two command filters."""

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

from .append_batcher import AppendBatcher
from .command_filter import CommandFilter
from .remote_filter import RemoteFilter

SEND_DESCRIPTOR = Path(__file__).with_name("send_descriptor.py")
PROGRESS_INTERVAL = 30.0

# PullNew alone: messages that are new at the provider are added locally, and nothing else is done anywhere.
# Timeout 0: the filters have the deadlines. PipelineDepth: a provider whose answers are not read yet reads no commands
# either, and so must not be sent more than fit into the buffers on the way.
CONFIGURATION = """\
IMAPStore remote
Tunnel "exec {python} -I -S {send_descriptor} {remote}"
Timeout 0
PipelineDepth 50
UseNamespace no
PathDelimiter /

IMAPStore local
Tunnel "exec {python} -I -S {send_descriptor} {local}"
Timeout 0
UseNamespace no
PathDelimiter /

Channel {alias}
Far :remote:{alias}
Near :local:{alias}
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

    succeeded: mbsync says so. output: its messages. remote, local: the filters, with what passed them.
    """

    succeeded: bool
    output: str
    remote: RemoteFilter
    local: AppendBatcher


@contextmanager
def _tunnel(stack: ExitStack) -> Iterator[tuple[socket.socket, int]]:
    """Make the pair of sockets over which mbsync's end of a Tunnel comes."""
    ours, theirs = socket.socketpair()
    stack.enter_context(ours)
    with theirs:
        yield ours, theirs.fileno()


def _accept(parent: socket.socket) -> socket.socket | None:
    """Wait for mbsync's end of the Tunnel; None if mbsync ended before."""
    _data, descriptors, _flags, _address = socket.recv_fds(parent, 1, 1)
    return socket.socket(fileno=descriptors[0]) if descriptors else None


def pull(
    alias: str,
    states: Path,
    directory: Path,
    remote: RemoteFilter,
    local: AppendBatcher,
    progress: Callable[[int], None],
    enough: Callable[[RemoteFilter, AppendBatcher], bool],
) -> Outcome:
    """Let mbsync pull what the remote filter shows of one mailbox.

    alias: what mbsync calls the mailbox on both sides, and its state file. directory: where its configuration may
    be written. progress: is told now and then how many messages have arrived. enough: is asked every second
    whether to stop early.
    """
    filters = (remote, local)
    with ExitStack() as stack:
        with _tunnel(stack) as (remote_parent, remote_number), _tunnel(stack) as (local_parent, local_number):
            configuration = directory / "mbsyncrc"
            configuration.write_text(
                CONFIGURATION.format(
                    python=sys.executable,
                    send_descriptor=SEND_DESCRIPTOR,
                    alias=alias,
                    states=states,
                    remote=remote_number,
                    local=local_number,
                ),
                "utf-8",
            )
            mbsync = subprocess.Popen(
                ["mbsync", "--quiet", "--config", str(configuration), alias],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                pass_fds=(remote_number, local_number),
                encoding="utf-8",
                errors="replace",
            )
        output: list[str] = []
        threads = [
            threading.Thread(target=_serve, args=(parent, filter_), daemon=True)
            for parent, filter_ in zip((remote_parent, local_parent), filters, strict=True)
        ]
        # It ends when mbsync does.
        reader = threading.Thread(target=output.extend, args=(mbsync.stdout or (),), daemon=True)
        threads.append(reader)
        for thread in threads:
            thread.start()
        try:
            _watch(reader, filters, progress, enough)
            mbsync.wait()
        finally:
            mbsync.kill()
            mbsync.wait()
            for filter_ in filters:
                filter_.stop()
            for parent in (remote_parent, local_parent):
                parent.shutdown(socket.SHUT_RDWR)
            for thread in threads:
                thread.join()
    return Outcome(mbsync.returncode == 0, "".join(output), remote, local)


def _serve(parent: socket.socket, filter_: CommandFilter) -> None:
    client = _accept(parent)
    if client is not None:
        filter_.serve(client)


def _watch(
    reader: threading.Thread,
    filters: tuple[RemoteFilter, AppendBatcher],
    progress: Callable[[int], None],
    enough: Callable[[RemoteFilter, AppendBatcher], bool],
) -> None:
    """Wait for mbsync's end, which its output has; stop it when it is enough."""
    told = time.monotonic()
    while True:
        # Unlike subprocess.wait(), this does not look twenty times a second.
        reader.join(1.0)
        if not reader.is_alive():
            return
        if enough(*filters):
            for filter_ in filters:
                filter_.stop()
        if time.monotonic() - told > PROGRESS_INTERVAL:
            told = time.monotonic()
            progress(filters[1].stored)
