# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A configuration profile for Apple's devices, signed with a host's certificate (CMS, RFC 5652), as one file."""

from __future__ import annotations

import hashlib
import ssl
import stat
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.ilnmors.mail.plugins.module_utils._files.file_set import Attributes
from ansible_collections.ilnmors.mail.plugins.module_utils._files.file_transaction import transaction
from ansible_collections.ilnmors.mail.plugins.module_utils._formats.pem import pem_certificates

SUFFIX = ".mobileconfig"
READABLE = Attributes("root", "root", 0o644)


class SignedProfileError(Exception):
    """A profile that could not be signed; the message names the option and says what to do."""


@dataclass(frozen=True)
class Signed:
    """What a signed file says. certificates: DER, the signer's own first and then its chain, sorted."""

    content: bytes
    certificates: tuple[bytes, ...]

    def __str__(self) -> str:
        signer, *chain = self.certificates
        fingerprint = hashlib.sha256(signer).digest().hex(":").upper()
        text = self.content.decode(errors="replace").rstrip()
        return f"{text}\n(signed: SHA-256 {fingerprint}, chain of {len(chain)} more)\n"


@dataclass(frozen=True)
class Plan:
    """What is there now, what is wanted, and what else lies there. None: missing, or known only later."""

    path: Path
    before: Signed | None
    after: Signed | None
    in_order: bool
    others: tuple[Path, ...]

    @property
    def changed(self) -> bool:
        """Whether anything is to be done."""
        return not self.in_order or bool(self.others)


def plan(path: Path, content: str, certificate: Path) -> Plan:
    """Compare the file with what is wanted, by content, signature, certificates, owner and mode."""
    before = read_signed(path)
    chain = read_certificates(certificate)
    after = Signed(content.encode(), chain) if chain else None
    others = tuple(other for other in sorted(path.parent.glob(f"*{SUFFIX}")) if other != path)
    return Plan(path, before, after, after is not None and before == after and _is_readable(path), others)


def put_in_place(planned: Plan, certificate: Path, key: Path) -> None:
    """Sign the content and write the file, which appears as a whole, and remove other profiles beside it."""
    if planned.after is None:
        raise SignedProfileError(
            f"certificate: '{certificate}' on this host holds no certificate (PEM); correct the path"
        )
    with transaction() as change:
        if not planned.in_order:
            change.write(planned.path, sign(planned.after.content, certificate, key), READABLE)
        for other in planned.others:
            change.remove(other)


def read_certificates(path: Path) -> tuple[bytes, ...]:
    """Return the certificates of a PEM file, the first one first and the others sorted; none if there is no file."""
    try:
        found = pem_certificates(path.read_text(errors="replace"))
    except OSError:
        return ()
    ders = [ssl.PEM_cert_to_DER_cert(pem) for pem in found]
    return (*ders[:1], *sorted(set(ders) - set(ders[:1])))


def read_signed(path: Path) -> Signed | None:
    """Return what a signed file says, or None if it is missing or is not what was signed."""
    if not path.is_file():
        return None
    with tempfile.TemporaryDirectory() as folder:
        content, signer, all_certificates = (Path(folder) / name for name in ("content", "signer", "all"))
        # Whoever signed it: whether that is the wanted certificate is seen afterwards.
        argv = ["-verify", "-noverify", "-inform", "DER", "-in", str(path), "-binary"]
        argv += ["-out", str(content), "-signer", str(signer), "-certsout", str(all_certificates)]
        done = _openssl(argv)
        if done is None or done.returncode:
            return None
        own = read_certificates(signer)
        chain = set(read_certificates(all_certificates)) - set(own)
        return Signed(content.read_bytes(), (*own, *sorted(chain)))


def sign(content: bytes, certificate: Path, key: Path) -> bytes:
    """Return the content, signed, in DER. certificate: PEM, with its intermediate certificates after it."""
    argv = [
        "-sign",
        "-nodetach",
        "-binary",
        "-outform",
        "DER",
        "-signer",
        str(certificate),
        "-inkey",
        str(key),
    ]
    with tempfile.NamedTemporaryFile("w") as chain:
        # Without the signer's own, which OpenSSL 3.0 would refuse to add twice.
        chain.write("".join(map(ssl.DER_cert_to_PEM_cert, read_certificates(certificate)[1:])))
        chain.flush()
        done = _openssl(argv + (["-certfile", chain.name] if chain.tell() else []), content)
    if done is None:
        raise SignedProfileError("openssl was not found on this host; install it first")
    if done.returncode:
        reason = (done.stderr.decode(errors="replace").strip() or "no reason given").splitlines()[0]
        raise SignedProfileError(
            f"key: '{key}' cannot sign for '{certificate}' ({reason}); "
            "name the key that the certificate was made for"
        )
    return done.stdout


def _openssl(argv: list[str], text: bytes = b"") -> subprocess.CompletedProcess[bytes] | None:
    try:
        # pylint: disable-next=ansible-bad-function
        return subprocess.run(["openssl", "cms", *argv], input=text, capture_output=True, check=False)
    except FileNotFoundError:
        return None


def _is_readable(path: Path) -> bool:
    found = path.lstat()
    return (found.st_uid, found.st_gid, stat.S_IFMT(found.st_mode), stat.S_IMODE(found.st_mode)) == (
        0,
        0,
        stat.S_IFREG,
        READABLE.mode,
    )
