# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which webmails a house has, and the name of each: options."""

from __future__ import annotations

from dataclasses import dataclass

from ansible_collections.ilnmors.mail.plugins.module_utils._site import types
from ansible_collections.ilnmors.mail.plugins.module_utils._site.options import Options
from ansible_collections.ilnmors.mail.plugins.module_utils._site.records import key


@dataclass(frozen=True)
class WebmailOptions(Options):
    """The webmails, by the roles that install them. One without a name of its own has the house's."""

    webmail: tuple[str, ...] = key(types.WEBMAILS, site="mail_webmail")
    snappymail_hostname: str = key(types.OWN_WEBMAIL_HOSTNAME, "", site="snappymail_hostname")
    roundcube_hostname: str = key(types.OWN_WEBMAIL_HOSTNAME, "", site="roundcube_hostname")

    def webmail_names(self, hostname: str) -> dict[str, str]:
        """Return the name of each webmail. hostname: the house's."""
        return {role: getattr(self, f"{role}_hostname") or hostname for role in self.webmail}
