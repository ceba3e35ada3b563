# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which plugins of Roundcube a house may turn on beside those that it always has."""

from __future__ import annotations

from typing import Final

from ansible_collections.ilnmors.mail.plugins.module_utils._site.problems import Wrong, listed, nearest, shown
from ansible_collections.ilnmors.mail.plugins.module_utils._site.readers import Text

ALWAYS: Final = ("managesieve", "markasjunk", "archive", "zipdownload")
"""Those that the role turns on by itself."""

_OFFERED: Final = (
    *("acl", "additional_message_headers", "attachment_reminder", "autologout", "database_attachments"),
    *("emoticons", "filesystem_attachments", "help", "hide_blockquote", "identicon", "identity_select"),
    *("jqueryui", "newmail_notifier", "password", "reconnect", "redundant_attachments"),
    *("show_additional_headers", "subscriptions_option", "userinfo", "vcard_attachments"),
)
_REFUSED: Final = {
    **dict.fromkeys(
        ("autologon", "http_authentication", "krb_authentication"), "logs people in without their password"
    ),
    **dict.fromkeys(
        ("new_user_dialog", "new_user_identity", "virtuser_file", "virtuser_query", "squirrelmail_usercopy"),
        "would say who people are, which the house knows already",
    ),
    "debug_logger": "writes what people do into files",
    "enigma": "starts programs on the host, which the webmail may not do",
    "example_addressbook": "is an example for programmers",
}


def _is_plugin(text: str) -> bool:
    if reason := _REFUSED.get(text):
        raise Wrong(f"{shown(text)} {reason}", "remove it")
    if text not in (*_OFFERED, *ALWAYS):
        meant = nearest(text, _OFFERED)
        hint = f" (did you mean {meant!r}?)" if meant else ""
        raise Wrong(
            f"{shown(text)} is no plugin of Debian's package roundcube-plugins",
            f"write one of {listed(_OFFERED)}{hint}",
        )
    return True


# Both Debian releases have the same ones.
PLUGIN: Final = Text("a plugin of Debian's", "newmail_notifier", _is_plugin, 64)
