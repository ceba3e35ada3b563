# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whether the certificates that devices know would be replaced by the options that a run brings.

Each function returns problems: sentences that name the variable, what was found and what to do.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.ilnmors.mail.plugins.module_utils._formats.name_constraints import permitted_domains

try:
    from cryptography import x509
except ImportError:  # a host that has made no certificate yet
    x509 = None  # type: ignore[assignment]

WATCH = Path("/etc/systemd/system/mail-tls-reload.path")
"""The unit that names the certificate which the last run watched."""
CONSEQUENCE = "every device would have to trust a new authority"
REMEDY = "or set mail_tls_ca_replace: true if you mean it"


@dataclass(frozen=True)
class Authority:
    """What a run will make of the certificates of one host.

    directory: where they lie. keeps_key: whether the authority's key is kept on this host. name: of the authority.
    domains: what it may issue for, and domain_old: what it may have been for. hostname: what mail programs connect to,
    empty where they do not; names: all DNS names of the host. replace: whether a new authority is meant.
    """

    directory: Path
    keeps_key: bool
    name: str
    domains: Sequence[str]
    domain_old: str
    hostname: str
    names: Sequence[str]
    replace: bool


def authority_problems(wanted: Authority, watch: Path = WATCH) -> Iterator[str]:
    """Check that neither the authority nor the name of the host changes unnoticed."""
    if wanted.keeps_key and not wanted.replace:
        yield from _lost_problems(wanted, watch)
        yield from _changed_problems(wanted)
    if wanted.hostname:
        yield from _name_problems(wanted)


def _lost_problems(wanted: Authority, watch: Path) -> Iterator[str]:
    """Check that the authority's key is where it is looked for, if there was one."""
    key = wanted.directory / "ca.key"
    if key.exists():
        return
    before = _watched_directory(watch)
    if before and before != wanted.directory and (before / "ca.key").exists():
        yield (
            f"mail_tls_directory: {str(wanted.directory)!r} has no authority, but {str(before)!r} has: {CONSEQUENCE}; "
            f"move its files first, {REMEDY}"
        )
    elif (wanted.directory / "ca.pem").exists():
        yield (
            f"mail_tls_ca_host: this host has the authority's certificate, but not its key ({str(key)!r}): "
            f"{CONSEQUENCE}; name the host that has the key, put it here from a backup, {REMEDY}"
        )


def _watched_directory(watch: Path) -> Path | None:
    try:
        found = re.search(r"^PathChanged=(/.*)/host\.pem$", watch.read_text(), re.MULTILINE)
    except OSError:
        return None
    return Path(found[1]) if found else None


def _changed_problems(wanted: Authority) -> Iterator[str]:
    certificate = _read(wanted.directory / "ca.pem")
    if certificate is None:
        return
    domains, name = permitted_domains(certificate), _common_name(certificate)
    if sorted(map(str.lower, domains)) != sorted(map(str.lower, wanted.domains)):
        if [domain.lower() for domain in domains] == [wanted.domain_old.lower()]:
            return
        yield (
            f"mail_tls_ca_domains: {', '.join(wanted.domains)} are not the domains of the authority on this host "
            f"({', '.join(domains) or 'all'}): {CONSEQUENCE}; write {domains}, {REMEDY}{_moved(domains)}"
        )
    elif name != wanted.name:
        yield (
            f"mail_domain: the authority on this host is called {name!r} and would become {wanted.name!r}: "
            f"{CONSEQUENCE}; write the former domain, {REMEDY}"
        )


def _moved(domains: Sequence[str]) -> str:
    """Say how a house tells that its domain is another one now."""
    return (
        f" (so does mail_domain_old: {domains[0]}, where the domain of the house changes)"
        if len(domains) == 1
        else ""
    )


def _name_problems(wanted: Authority) -> Iterator[str]:
    """Check that the host keeps the name that mail programs are set up with."""
    certificate = _read(wanted.directory / "host.pem")
    name = _common_name(certificate).lower() if certificate else ""
    of_old_domain = wanted.domain_old and name.endswith(f".{wanted.domain_old}".lower())
    if name and name not in map(str.lower, wanted.names) and not of_old_domain:
        yield (
            f"mail_hostname: {wanted.hostname!r} would take the place of {name!r} in the certificate of this host: "
            "mail programs that are set up with the former name would refuse to connect; "
            f"set mail_hostname_old: {name} as well, which keeps it in the certificate"
        )


def _read(path: Path) -> x509.Certificate | None:
    """Return the first certificate of a file, None where there is none, or nothing that can read it."""
    try:
        return x509.load_pem_x509_certificate(path.read_bytes()) if x509 else None
    except (OSError, ValueError):
        return None


def _common_name(certificate: x509.Certificate) -> str:
    names = certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    return str(names[0].value) if names else ""
