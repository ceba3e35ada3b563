# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the webmail role computes: problems of its variables, and the application's settings file."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from ansible_collections.ilnmors.mail.plugins.module_utils.addresses import is_domain

Setting = bool | int | float | str

_SHA256 = re.compile(r"[0-9a-f]{64}", re.IGNORECASE)


class SettingsError(ValueError):
    """A setting that the application's settings file cannot hold."""


def problems(variables: Mapping[str, str]) -> list[str]:
    """Return one sentence for each problem: the variable, what it holds, and what to write instead.

    ``variables`` maps the role's variable names to their values; "" means not given. The archive file is read
    where this runs, which is the controller.
    """
    return [*_names(variables), *_tls(variables), *_archive(variables)]


def _names(variables: Mapping[str, str]) -> Iterator[str]:
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


def _tls(variables: Mapping[str, str]) -> Iterator[str]:
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


def _archive(variables: Mapping[str, str]) -> Iterator[str]:
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
    elif not Path(path).is_file():
        yield (
            f"snappymail_archive_file is '{path}', but there is no such file on this machine. "
            "Download the archive there, or leave the variable out to use snappymail_archive_url."
        )
    elif well_formed and (found := _checksum(path)) != sha256.lower():
        yield (
            f"snappymail_archive_file is '{path}', whose sha256 is {found}, "
            f"but snappymail_archive_sha256 is {sha256}. "
            "Use the archive that belongs to the checksum, or set the checksum that its publisher names."
        )


def _checksum(path: str) -> str:
    with Path(path).open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


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
