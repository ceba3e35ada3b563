# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The options of mail_oauth2."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ansible_collections.ilnmors.mail.plugins.module_utils._site import types
from ansible_collections.ilnmors.mail.plugins.module_utils._site.entries import PROVIDERS, ProviderAccount
from ansible_collections.ilnmors.mail.plugins.module_utils._site.options import Check, Options
from ansible_collections.ilnmors.mail.plugins.module_utils._site.providers import provider_problems
from ansible_collections.ilnmors.mail.plugins.module_utils._site.records import key


@dataclass(frozen=True)
class MailOauth2(Options):
    """The access tokens of provider accounts."""

    role = "mail_oauth2"

    providers: tuple[ProviderAccount, ...] = key(PROVIDERS, (), site="mail_providers")
    provider_ca: str = key(types.AUTHORITY_FILE)

    def checks(self) -> Iterator[Check]:
        """Yield the checks that look at several options."""
        yield lambda: provider_problems(self.providers, "")
