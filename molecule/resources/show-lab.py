#!/usr/bin/env python
"""Send one message through every part of the lab's house, then say where to log in."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from pathlib import Path

from ansible_collections.ilnmors.mail.tests.behaviour.support import clients

HOST, CA = "mail.ilnmors.internal", ".lab/ca.pem"
CHOICE = Path(".lab/webmail-archive")
"""Which archive of SnappyMail is deployed (choose-webmail.py); empty for Roundcube."""
DEADLINE = 60
"""Seconds for the whole journey."""

WHERE = """
  The lab is up.

  what            where                          log in as
  --------------  -----------------------------  ------------------------------------------
  send mail       127.0.0.1:1587 (STARTTLS),     il, guest, gitea, prometheus, opnsense:
                  127.0.0.1:1465 (TLS)           NAME@ilnmors.internal, NAME-lab-password
  read mail       127.0.0.1:1993 (IMAP, TLS),    il, guest
                  127.0.0.1:1143 (STARTTLS),
                  127.0.0.1:1995 (POP3, TLS)
  {webmail:14}  https://webmail.ilnmors.internal:8443          il, guest
  set up devices  https://webmail.ilnmors.internal:8443/setup/   (nobody)
  certificates    .lab/ca.pem (the house), .lab/provider-ca.pem (the providers)

  A browser needs to know where that is: 127.0.0.1 webmail.ilnmors.internal in /etc/hosts, or
    curl --cacert .lab/ca.pem --resolve webmail.ilnmors.internal:8443:127.0.0.1 https://webmail.ilnmors.internal:8443/

  make verify checks it, make test tests it from scratch, make clean removes it.
"""


def local_names() -> None:
    """Let the names of the house lead to the ports that are published on this machine."""
    real = socket.getaddrinfo
    socket.getaddrinfo = lambda _host, *rest, **options: real("127.0.0.1", *rest, **options)


def travel() -> float:
    """Send a message as il to il's account at the provider and wait until it is fetched; return the seconds it took."""
    new = clients.message(
        "il@ilnmors.internal", "il@gmail.test", "Out through the provider, and back by the fetch.\n"
    )
    start = time.monotonic()
    with clients.submission(HOST, CA, 1587) as client:
        client.login("il", "il-lab-password")
        client.send_message(new)
    while time.monotonic() - start < DEADLINE:
        subprocess.run(["docker", "exec", "lab-mail", "systemctl", "start", "mbsync-fetch@gmail"], check=True)
        with clients.imap(HOST, CA, 1143) as reader:
            reader.login("il", "il-lab-password")
            if clients.find(reader, new["Message-ID"], "Google/INBOX"):
                return time.monotonic() - start
    sys.exit(
        f"The message did not come back within {DEADLINE} s. See what happened to it with:\n"
        "  docker exec lab-mail journalctl --unit 'postfix*' --unit dovecot --unit 'mbsync-fetch*' --since -5min"
    )


def main() -> None:
    """Run both parts."""
    local_names()
    seconds = travel()
    print(
        "One message went from il over 587 to the provider, was fetched from there "
        f"and read over IMAP in {seconds:.1f} s."
    )
    real = CHOICE.exists() and CHOICE.read_text().strip()
    print(WHERE.format(webmail="SnappyMail" if real else "Roundcube"))


if __name__ == "__main__":
    main()
