# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What may be said in the application's own settings."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from ansible_collections.ilnmors.mail.plugins.module_utils._formats.php_ini import (
    SettingsError,
    setting_value,
)

NAMES = ("house-identities", "house-messages", "house-pages", "house-requests")
"""The role's own plugins of SnappyMail."""

# What the role says for everybody's safety; its own value cannot be said otherwise.
_SAFE = {
    ("ssl", "verify_certificate"): "the mail host is always verified, by snappymail_tls_ca",
    ("ssl", "allow_self_signed"): "the mail host is always verified, by snappymail_tls_ca",
    ("ssl", "cafile"): "write snappymail_tls_ca instead",
    ("labs", "use_local_proxy_for_external_images"): "anyone could make the host fetch any address",
    ("security", "force_https"): "passwords and sessions never cross the network in the clear",
    ("labs", "cookie_default_secure"): "passwords and sessions never cross the network in the clear",
    ("security", "cookie_samesite"): "other sites could act for who is logged in",
    ("labs", "http_client_ip_check_proxy"): "nginx knows the client, by webmail_host_reverse_proxies",
    ("logs", "auth_syslog"): "bans are made of it; webmail_host_ban turns the ban off",
    ("plugins", "enable"): "the role's own plugins keep requests and messages within their bounds",
}


def setting_problems(variable: str, sections: Mapping[str, object]) -> Iterator[str]:
    """Check settings by section; values may be secret, and are not shown."""
    for section, values in sections.items():
        where = f"{variable}.{section}"
        if not isinstance(values, Mapping):
            yield f"{where}: is no section; write its settings below it, such as {{'login': {{'fault_delay': 10}}}}"
            continue
        for name, value in values.items():
            yield from _problems(f"{where}.{name}", section, name, value)


def _problems(where: str, section: str, name: str, value: object) -> Iterator[str]:
    if reason := _SAFE.get((section, name)):
        yield f"{where}: is not for change, for {reason}; remove it"
    elif (section, name) == ("plugins", "enabled_list") and not {*NAMES} <= {*str(value).split(",")}:
        yield f"{where}: leaves out the role's own plugins; name them as well: {','.join(NAMES)}"
    elif not isinstance(value, bool | int | float | str):
        yield f"{where}: is neither a text nor a number or boolean; write one of these"
    elif not re.fullmatch(r"\w+", section) or not re.fullmatch(r"\w+", name):
        yield f"{where}: is no name of a setting; write letters, digits and underscores"
    else:
        try:
            setting_value(value)
        except SettingsError as error:
            yield f"{where}: {error}"
