# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the webmail role computes: problems of its variables, and the application's settings file."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ansible_collections.ilnmors.mail.plugins.module_utils.addresses import is_domain
from ansible_collections.ilnmors.mail.plugins.module_utils.webmail_plugins import NAMES
from ansible_collections.ilnmors.mail.plugins.module_utils.webmail_release import (
    ReleaseError,
    inspect,
    verify,
)

Setting = bool | int | float | str

# What the role says for everybody's safety; its own value cannot be said otherwise.
_SAFE_SETTINGS = {
    ("ssl", "verify_certificate"): "the mail host is always verified, by snappymail_tls_ca",
    ("ssl", "allow_self_signed"): "the mail host is always verified, by snappymail_tls_ca",
    ("ssl", "cafile"): "write snappymail_tls_ca instead",
    ("labs", "use_local_proxy_for_external_images"): "anyone could make the host fetch any address",
    ("security", "force_https"): "passwords and sessions never cross the network in the clear",
    ("labs", "cookie_default_secure"): "passwords and sessions never cross the network in the clear",
    ("security", "cookie_samesite"): "other sites could act for who is logged in",
    ("labs", "http_client_ip_check_proxy"): "nginx knows who speaks for whom, by snappymail_reverse_proxies",
    ("logs", "auth_syslog"): "who guesses passwords is known by it; snappymail_ban turns the ban off",
    ("plugins", "enable"): "the role's own plugins keep requests and messages within their bounds",
}

_SHA256 = re.compile(r"[0-9a-f]{64}", re.IGNORECASE)


class SettingsError(ValueError):
    """A setting that the application's settings file cannot hold."""


def problems(variables: Mapping[str, Any]) -> list[str]:
    """Return one sentence for each problem: the variable, what it holds, and what to write instead.

    ``variables`` maps the role's variable names to their values; "" means not given. Two more say where the
    webmail runs: ``host``, its name in the inventory, and ``mail_hosts``, those of the mail host. The archive
    file is read where this runs, which is the controller.
    """
    return [
        *_names(variables),
        *_tls(variables),
        *_archive(variables),
        *_numbers(variables),
        *_settings(variables["snappymail_extra_settings"]),
    ]


def _names(variables: Mapping[str, Any]) -> Iterator[str]:
    examples = {
        "snappymail_domain": ("domain", "ilnmors.internal"),
        "snappymail_hostname": ("host name", "webmail.ilnmors.internal"),
        "snappymail_mail_hostname": ("host name", "mail.ilnmors.internal"),
    }
    for name, (kind, example) in examples.items():
        if not is_domain(variables[name]):
            yield (
                f"{name} is '{variables[name]}', which is no {kind}. Write a full DNS name such as {example}."
            )
    taken = {variables["snappymail_hostname"].lower(): "snappymail_hostname"}
    if variables["mail_hosts"] and variables["host"] not in variables["mail_hosts"]:
        mail_name = variables["snappymail_mail_hostname"]
        if mail_name.lower() in taken:
            yield (
                f"snappymail_hostname is '{mail_name}', which is the mail host's name, but the webmail runs on "
                f"another machine ({variables['host']}, not {variables['mail_hosts'][0]}). "
                f"Write a name that leads there, such as webmail.{variables['snappymail_domain']}."
            )
        taken[mail_name.lower()] = "snappymail_mail_hostname (another machine)"
    for index, value in enumerate(variables["snappymail_autoconfig_hostnames"]):
        where = f"snappymail_autoconfig_hostnames[{index}]"
        if not is_domain(value):
            yield (
                f"{where} is '{value}', which is no host name. "
                f"Write a full DNS name such as autoconfig.{variables['snappymail_domain']}."
            )
        elif (owner := taken.setdefault(value.lower(), where)) != where:
            yield f"{where} is '{value}', which is taken by {owner}. Remove it, or write a name of its own."


def _tls(variables: Mapping[str, Any]) -> Iterator[str]:
    certificate, key = variables["snappymail_tls_certificate"], variables["snappymail_tls_key"]
    if certificate and not key:
        yield (
            f"snappymail_tls_certificate is '{certificate}', but it has no key. "
            "Set mail_tls_key (or snappymail_tls_key) to the path of its private key on the host."
        )
    if key and not certificate:
        yield (
            f"snappymail_tls_key is '{key}', but it has no certificate. "
            "Set mail_tls_certificate (or snappymail_tls_certificate) to the path of its certificate on the "
            "host."
        )


def _archive(variables: Mapping[str, Any]) -> Iterator[str]:
    url, path = variables["snappymail_archive_url"], variables["snappymail_archive_file"]
    sha256 = variables["snappymail_archive_sha256"]
    well_formed = _SHA256.fullmatch(sha256)
    if not well_formed:
        yield (
            f"snappymail_archive_sha256 is '{sha256}', which is no SHA-256 checksum. "
            "Write the 64 hexadecimal digits that the archive's publisher names."
        )
    if not path:
        if not url.startswith("https://"):
            yield f"snappymail_archive_url is '{url}'. Write an https:// URL, or set snappymail_archive_file."
    elif not Path(path).is_absolute():
        yield (
            f"snappymail_archive_file is '{path}', which is no absolute path. The check and the copy would look for "
            "it in different folders. Write where it lies on this machine, such as "
            f"{{{{ inventory_dir }}}}/{Path(path).name}."
        )
    elif not Path(path).is_file():
        yield (
            f"snappymail_archive_file is '{path}', but there is no such file on this machine. "
            "Download the archive there, or leave the variable out to use snappymail_archive_url."
        )
    elif well_formed:
        try:
            verify(Path(path), sha256)
            inspect(Path(path))
        except ReleaseError as error:
            yield f"snappymail_archive_file is '{path}': {error}"


def _numbers(variables: Mapping[str, Any]) -> Iterator[str]:
    for name, what in {
        "snappymail_attachment_size": "the largest attachment in MB, 1 or more, such as 25",
        "snappymail_workers": "how many requests are worked on at the same time, 1 or more, such as 10",
    }.items():
        if variables[name] < 1:
            yield f"{name} is {variables[name]}. Write {what}."


def _settings(sections: Mapping[str, Any]) -> Iterator[str]:
    """Check the shape of settings by section; values may be secret, and are not shown."""
    for section, values in sections.items():
        where = f"snappymail_extra_settings.{section}"
        if not isinstance(values, Mapping):
            yield f"{where} is no section. Write its settings below it, such as {{'login': {{'fault_delay': 10}}}}."
            continue
        for key, value in values.items():
            if reason := _SAFE_SETTINGS.get((section, key)):
                yield f"{where}.{key} is not for change: {reason}. Remove it."
            elif (section, key) == ("plugins", "enabled_list") and not {*NAMES} <= {*str(value).split(",")}:
                yield f"{where}.{key} is '{value}'. Name the role's own plugins as well: {','.join(NAMES)}."
            elif not isinstance(value, Setting):
                yield f"{where}.{key} is neither a text nor a number or boolean. Write one of these."
            elif not re.fullmatch(r"\w+", section) or not re.fullmatch(r"\w+", key):
                yield f"{where}.{key} is no name of a setting. Write letters, digits and underscores."
            else:
                try:
                    _value(section, key, value)
                except SettingsError as error:
                    yield str(error)


def settings_file(settings: Mapping[str, Mapping[str, Setting]]) -> str:
    """Return sections of settings in the syntax of PHP's ``parse_ini_file`` as the application uses it.

    Booleans become On and Off, numbers stay bare, anything else is a quoted string. Raises `SettingsError`
    for what would not come back as it is: PHP expands ``${NAME}`` in a value, and a line break ends it.
    """
    lines = ["; Managed by Ansible: the role ilnmors.mail.snappymail, snappymail_extra_settings."]
    for section, values in settings.items():
        lines += [
            "",
            f"[{section}]",
            *(f"{key} = {_value(section, key, value)}" for key, value in values.items()),
        ]
    return "\n".join(lines) + "\n"


def _value(section: str, key: str, value: Setting) -> str:
    if isinstance(value, bool):
        return "On" if value else "Off"
    if isinstance(value, int | float):
        return str(value)
    if "${" in value or any(ord(character) < 32 for character in value):
        raise SettingsError(
            f"snappymail_extra_settings: {section}.{key} holds '${{' or a control character, "
            "which the application's settings file cannot express. Leave it out."
        )
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
