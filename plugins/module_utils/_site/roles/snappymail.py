# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The options of snappymail."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.ilnmors.mail.plugins.module_utils._formats.webmail_archive import (
    ReleaseError,
    inspect,
    verify,
)
from ansible_collections.ilnmors.mail.plugins.module_utils._site import types
from ansible_collections.ilnmors.mail.plugins.module_utils._site.entries import (
    PROVIDERS,
    USERS,
    ProviderAccount,
    User,
)
from ansible_collections.ilnmors.mail.plugins.module_utils._site.options import Check, Options
from ansible_collections.ilnmors.mail.plugins.module_utils._site.providers import provider_problems
from ansible_collections.ilnmors.mail.plugins.module_utils._site.readers import Number, Text
from ansible_collections.ilnmors.mail.plugins.module_utils._site.records import key
from ansible_collections.ilnmors.mail.plugins.module_utils._site.webmail_settings import setting_problems

_VERSION = Text("a version", "2.38.2", lambda text: bool(re.fullmatch(r"[\w.+~-]+", text, re.ASCII)), 50)
_SHA256 = Text(
    "a SHA-256 checksum, of 64 hexadecimal digits",
    "71f1d8a9065cc9cf…",
    lambda text: bool(re.fullmatch(r"[0-9a-f]{64}", text, re.IGNORECASE)),
)
_URL = Text(
    "an https URL",
    "https://example.org/snappymail.tar.gz",
    lambda text: bool(re.match(r"https://[^\s/@]+/\S*\Z", text)),
    2_000,
    empty=True,
)


@dataclass(frozen=True)
class Snappymail(Options):
    """A webmail for the house. attachment_size: in MiB. archive_file: on the controller, empty for archive_url."""

    role = "snappymail"

    domain: str = key(types.DOMAIN, site="mail_domain")
    hostname: str = key(types.WEBMAIL_HOSTNAME, site="mail_webmail_hostname")
    mail_hostname: str = key(types.MAIL_HOSTNAME, site="mail_hostname")
    tls_ca: str = key(types.AUTHORITY_FILE, site="mail_tls_ca")
    version: str = key(_VERSION)
    archive_url: str = key(_URL)
    archive_sha256: str = key(_SHA256)
    archive_file: str = key(types.CONTROLLER_FILE, "")
    users: tuple[User, ...] = key(USERS, (), site="mail_users")
    providers: tuple[ProviderAccount, ...] = key(PROVIDERS, (), site="mail_providers")
    attachment_size: int = key(Number(1, 2_000, 25, "MB"))
    workers: int = key(Number(1, 1_000, 10, "requests"))
    extra_settings: Mapping[str, object] = key(types.Settings("{login: {fault_delay: 10}}", nested=True), {})

    def checks(self) -> Iterator[Check]:
        """Yield the checks that look at several options."""
        yield self._archive_problems
        yield lambda: setting_problems(self.name("extra_settings"), self.extra_settings)
        yield lambda: provider_problems(self.providers, self.mail_hostname)

    def _archive_problems(self) -> Iterator[str]:
        """Read the archive where this runs, which is the controller."""
        path, where = Path(self.archive_file), f"{self.name('archive_file')}: {self.archive_file!r}"
        if not self.archive_file and not self.archive_url:
            yield f"{self.name('archive_url')}: is empty; write an https URL, or set {self.name('archive_file')}"
        if not self.archive_file:
            return
        if not path.is_absolute():
            yield (
                f"{where} is no absolute path, and the check and the copy would look for it in different folders; "
                f"write where it lies on this machine, such as {{{{ inventory_dir }}}}/{path.name}"
            )
        elif not path.is_file():
            yield (
                f"{where} is no file on this machine; "
                f"download the archive there, or leave the variable out to use {self.name('archive_url')}"
            )
        else:
            try:
                verify(path, self.archive_sha256)
                inspect(path)
            except ReleaseError as error:
                yield f"{where}: {error}"
