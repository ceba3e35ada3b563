# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How many passwords a second all cores verify, by the libraries that Dovecot uses; run on the mail host, as root.

hash_rate.py --user il@home.internal --seconds 3     # its password in the environment's PASSWORD
"""

from __future__ import annotations

import argparse
import ctypes
import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

USERS = Path("/etc/dovecot/users")


def find_hash(user: str) -> str:
    """Return the hash of an account, without the name of its scheme."""
    for line in USERS.read_text().splitlines():
        name, __, rest = line.partition(":")
        if name == user:
            return rest.partition(":")[0].partition("}")[2]
    raise SystemExit(f"{USERS} has no {user}")


def verify(wanted: bytes, password: bytes) -> bool:
    """Tell whether a password has this hash. A call of C lets other threads run meanwhile."""
    if wanted.startswith(b"$argon2"):
        sodium = ctypes.CDLL("libsodium.so.23")
        return not sodium.crypto_pwhash_str_verify(wanted, password, ctypes.c_ulonglong(len(password)))
    crypt_r = ctypes.CDLL("libcrypt.so.1").crypt_r
    crypt_r.restype = ctypes.c_char_p
    # struct crypt_data (crypt(3)) has 32 KiB; older libraries want more.
    found: bytes | None = crypt_r(password, wanted, ctypes.create_string_buffer(1 << 18))
    return found == wanted


def work(wanted: bytes, password: bytes, until: float) -> int:
    """Verify until then; return how often."""
    done = 0
    while time.monotonic() < until:
        if not verify(wanted, password):
            raise SystemExit("the password is another one")
        done += 1
    return done


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--user", required=True)
    parser.add_argument("--seconds", type=float, default=3)
    given = parser.parse_args()
    wanted, password = find_hash(given.user).encode(), os.environ["PASSWORD"].encode()
    cores = len(os.sched_getaffinity(0))
    start = time.monotonic()
    with ThreadPoolExecutor(cores) as threads:
        done = sum(threads.map(lambda __: work(wanted, password, start + given.seconds), range(cores)))
    print(f"{done / (time.monotonic() - start):.1f}")


if __name__ == "__main__":
    main()
