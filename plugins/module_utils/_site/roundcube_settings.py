# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What may be said in Roundcube's own settings."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

_VERIFIED = "the mail host is always verified, by roundcube_tls_ca"
_HOST = "nobody may be led to another mail host; write roundcube_mail_hostname instead"
_DATABASE = "write roundcube_database and its options instead"
_COOKIES = "passwords and sessions never cross the network in the clear"
_ASKED = "nothing of a message may be loaded from elsewhere before its reader was asked"
_PROXY = "nginx knows who speaks for whom, by webmail_host_reverse_proxies"
_FOLDER = "no other user of the host may read it"
# What the role says for everybody's safety; its own value cannot be said otherwise.
_SAFE = {
    **dict.fromkeys(("imap_conn_options", "smtp_conn_options", "managesieve_conn_options"), _VERIFIED),
    **dict.fromkeys(("imap_host", "smtp_host", "managesieve_host", "default_host", "smtp_server"), _HOST),
    **dict.fromkeys(("db_dsnw", "db_dsnr", "db_prefix", "db_table_dsn"), _DATABASE),
    **dict.fromkeys(("use_https", "session_samesite"), _COOKIES),
    **dict.fromkeys(("show_images", "dont_override"), _ASKED),
    **dict.fromkeys(("proxy_whitelist", "trusted_host_patterns", "x_frame_options"), _PROXY),
    **dict.fromkeys(("temp_dir", "log_dir"), _FOLDER),
    **dict.fromkeys(("des_key", "cipher_method"), "the host makes a key of its own, once"),
    **dict.fromkeys(("smtp_user", "smtp_pass"), "people send with their own login"),
    "plugins": "write roundcube_plugins instead",
    "username_domain": "write roundcube_domain instead",
    "enable_installer": "anyone could read the configuration",
    "log_driver": "bans are made of it; webmail_host_ban turns the ban off",
    "syslog_id": "bans are made of it; webmail_host_ban turns the ban off",
    "house_people": "write roundcube_users instead",
}


def roundcube_setting_problems(variable: str, settings: Mapping[str, object]) -> Iterator[str]:
    """Check settings by their names; values may be secret, and are not shown."""
    for name in settings:
        where = f"{variable}.{name}"
        if reason := _SAFE.get(name):
            yield f"{where}: is not for change, for {reason}; remove it"
        elif not re.fullmatch(r"[a-z][a-z0-9_]*", name, re.ASCII):
            yield f"{where}: is no name of a setting; write small letters, digits and underscores"
