# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is fetched for a house: accounts, their files and their units."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.ilnmors.mail.plugins.module_utils._render.accounts import house_address
from ansible_collections.ilnmors.mail.plugins.module_utils._render.providers import Provider, resolve_all

UNITS = "/etc/systemd/system"
TOKENS = "/var/lib/mail-oauth2"
LOCAL_SOCKETS = "/run/mbsync-fetch-house"
RUNTIME = "/run/mbsync-fetch"
DEBIANS_METRICS = "/var/lib/prometheus/node-exporter"
# How long a provider may stay silent when an answer is due, in seconds.
TIMEOUT = 60


def user(name: str) -> str:
    """Return the system user that fetches an account."""
    return f"mbsync-fetch-{name}"


def mbsync_fetches(
    providers: Sequence[Mapping[str, Any]],
    domain: str,
    directory: str,
    ca_file: str,
    metrics_directory: str,
    local_units: Mapping[str, str],
) -> dict[str, Any]:
    """Describe the fetch of each account.

    directory: where accounts and passwords lie. ca_file: what providers are verified against.
    metrics_directory: where metrics of accounts are linked, empty for nowhere. local_units: content of the units that
    lead to the owner's mailbox, socket and service, which is the same for all.

    Returns {names, users, units} for templates, {files, secrets, directories, absent} for the module config_files,
    and {metrics_links, metrics_absent} for links.
    """
    fetched = [provider for provider in resolve_all(providers) if provider.fetch]
    return {
        "names": [provider.name for provider in fetched],
        "metrics_links": {
            f"{metrics_directory}/mbsync_fetch_{provider.name}.prom": f"{RUNTIME}/{provider.name}/metrics.prom"
            for provider in fetched
            if metrics_directory
        },
        # What is left of accounts that are no longer listed; also where metrics are no longer wanted.
        "metrics_absent": [
            f"{folder}/mbsync_fetch_*.prom"
            for folder in dict.fromkeys((DEBIANS_METRICS, metrics_directory))
            if folder
        ],
        "users": [
            {"user": user(provider.name), "address": provider.address.replace('"', "")}
            for provider in fetched
        ],
        "files": [
            file
            for provider in fetched
            for file in (
                {
                    "path": f"{directory}/accounts/{provider.name}.json",
                    "content": json.dumps(
                        _account(provider, domain, ca_file, bool(metrics_directory)), indent=2
                    ),
                    "group": user(provider.name),
                    "mode": "0640",
                },
                *_units(provider, domain, directory, local_units),
            )
        ],
        "secrets": [
            {
                "path": _password_file(provider, directory),
                "content": provider.password,
                "mode": "0600",
                "secret": True,
            }
            for provider in fetched
            if not provider.oauth2 and not provider.password_file
        ],
        # What belongs to accounts that are no longer listed.
        "absent": [
            f"{directory}/accounts/*.json",
            *(
                f"{UNITS}/{pattern}"
                for pattern in (
                    "mbsync-fetch-house-*.socket",
                    "mbsync-fetch-house-*@.service",
                    "mbsync-fetch-house-*@.service.d/owner.conf",
                    "mbsync-fetch@*.service.d/credential.conf",
                    "mbsync-fetch-watch@*.service.d/credential.conf",
                )
            ),
        ],
        "units": [
            unit
            for name in (provider.name for provider in fetched)
            for unit in (
                f"mbsync-fetch-house-{name}.socket",
                f"mbsync-fetch@{name}.path",
                f"mbsync-fetch@{name}.timer",
                f"mbsync-fetch-watch@{name}.service",
            )
        ],
        "directories": [
            {"path": f"{UNITS}/{unit}.service.d"}
            for name in (provider.name for provider in fetched)
            for unit in (
                f"mbsync-fetch@{name}",
                f"mbsync-fetch-watch@{name}",
                f"mbsync-fetch-house-{name}@",
            )
        ],
    }


def _account(provider: Provider, domain: str, ca_file: str, metrics: bool) -> dict[str, Any]:
    """Describe an account to the program that fetches it (its account/settings.py reads this)."""
    return {
        "name": provider.name,
        "host": provider.imap_host,
        "port": provider.imap_port,
        "ca_file": ca_file,
        "username": provider.username,
        "mechanism": "xoauth2" if provider.oauth2 else "password",
        "owner": house_address(provider.owner, domain),
        "folder": provider.folder,
        "inbox": provider.inbox,
        "labelled": provider.labelled,
        "labels": provider.labels,
        "mailboxes": provider.mailboxes,
        "skip_mailboxes": provider.skip_mailboxes,
        "uses": provider.uses,
        "mirror": provider.deleted_at_provider == "mirror",
        "daily_megabytes": provider.daily_imap_megabytes,
        "metrics": metrics,
        "timeout": TIMEOUT,
        "local_socket": f"{LOCAL_SOCKETS}/{provider.name}",
    }


def _units(
    provider: Provider, domain: str, directory: str, local_units: Mapping[str, str]
) -> Iterator[dict[str, str]]:
    """Yield the files of an account's units beside those that are the same for all accounts."""
    name = provider.name
    yield {"path": f"{UNITS}/mbsync-fetch-house-{name}.socket", "content": local_units["socket"]}
    yield {"path": f"{UNITS}/mbsync-fetch-house-{name}@.service", "content": local_units["service"]}
    owner = house_address(provider.owner, domain).replace("%", "%%")
    yield {
        "path": f"{UNITS}/mbsync-fetch-house-{name}@.service.d/owner.conf",
        "content": f"[Service]\nEnvironment=OWNER={owner}",
    }
    for unit in ("mbsync-fetch", "mbsync-fetch-watch"):
        yield {
            "path": f"{UNITS}/{unit}@{name}.service.d/credential.conf",
            "content": _credential(provider, directory),
        }


def _credential(provider: Provider, directory: str) -> str:
    """Say where systemd reads the secret (systemd.exec(5), LoadCredential)."""
    if not provider.oauth2:
        return f"[Service]\nLoadCredential=password:{_password_file(provider, directory)}"
    unit = f"mail-oauth2@{provider.name}.service"
    return (
        f"[Unit]\nWants={unit}\nAfter={unit}\n\n"
        f"[Service]\nLoadCredential=token:{TOKENS}/{provider.name}/access_token\n"
        # An empty line until the account has been authorized; systemd takes nothing shorter.
        "SetCredential=token:\\n"
    )


def _password_file(provider: Provider, directory: str) -> str:
    return provider.password_file or f"{directory}/credentials/{provider.name}.password"
