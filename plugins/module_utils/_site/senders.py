# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Check who sends, and which accounts carry their mail to the world."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ansible_collections.ilnmors.mail.plugins.module_utils._site.entries import (
    ProviderAccount,
    Service,
    User,
)
from ansible_collections.ilnmors.mail.plugins.module_utils._site.problems import listed


def address_problems(services: Sequence[Service], domain: str) -> Iterator[str]:
    """Check that a machine sends only as addresses of the house."""
    for service in services:
        for position, address in enumerate(service.addresses):
            if not address.lower().endswith(f"@{domain}".lower()):
                yield (
                    f"{service.where}.addresses[{position}]: {address!r} is not an address of the house; "
                    f"write one such as '{service.name}@{domain}'"
                )


def owner_problems(
    users: Sequence[User], services: Sequence[Service], providers: Sequence[ProviderAccount], domain: str
) -> Iterator[str]:
    """Check that each sender's address has one owner."""
    owners: dict[str, tuple[str, str]] = {}
    for where, owner, address in _claims(users, services, providers, domain):
        first, first_owner = owners.setdefault(address.lower(), (where, owner))
        # That two people have the same name or alias is said by account_problems.
        if owner != first_owner and not where.startswith("mail_users"):
            yield (
                f"{where}: {address!r} belongs to {first_owner!r} already ({first}); "
                "an address has one owner: remove it from one of them"
            )


def _claims(
    users: Sequence[User], services: Sequence[Service], providers: Sequence[ProviderAccount], domain: str
) -> Iterator[tuple[str, str, str]]:
    """Yield each address with where it is claimed, and for whom."""
    for user in users:
        for local in (user.name, *user.aliases):
            yield user.where, user.name, f"{local}@{domain}"
    for service in services:
        for position, address in enumerate(service.addresses or [f"{service.name}@{domain}"]):
            yield f"{service.where}.addresses[{position}]", service.name, address
    for provider in providers:
        yield f"{provider.where}.address", provider.owner, provider.address
        for position, address in enumerate(provider.aliases):
            yield f"{provider.where}.aliases[{position}]", provider.owner, address


def carrier_problems(services: Sequence[Service], providers: Sequence[ProviderAccount]) -> Iterator[str]:
    """Check that the account that a machine names can carry its mail."""
    relaying = [provider.name for provider in providers if provider.relay]
    for service in services:
        if service.provider and service.provider not in relaying:
            yield (
                f"{service.where}.provider: {service.provider!r} is no account that relays; write one of "
                f"{listed(relaying) or 'mail_providers'}, or leave it out for the default"
            )


def default_provider_problems(
    providers: Sequence[ProviderAccount], default: str, variable: str
) -> Iterator[str]:
    """Check the account that carries what no other does. default: its name, empty for none."""
    relays = {provider.name: provider.relay for provider in providers}
    if default and default not in relays:
        yield (
            f"{variable}: {default!r} is not in mail_providers (there: {listed(relays) or 'none'}); "
            "write one of those names"
        )
    elif default and not relays[default]:
        yield f"{variable}: {default!r} has relay: false; choose one that relays, or remove that line"


def failover_problems(providers: Sequence[ProviderAccount]) -> Iterator[str]:
    """Check the accounts that take the place of another. That two take each other's place is as it should be."""
    relays = {provider.name: provider.relay for provider in providers}
    for account in providers:
        others = [name for name in relays if name != account.name and relays[name]]
        if account.failover and not account.relay:
            yield f"{account.where}.failover: nothing leaves through this account (relay: false); remove one of the two"
        for position, name in enumerate(account.failover or ()):
            where = f"{account.where}.failover[{position}]"
            if name == account.name:
                yield f"{where}: {name!r} is the account itself; write one of {listed(others) or 'the others'}"
            elif name not in relays:
                yield f"{where}: {name!r} is not in mail_providers; write one of {listed(others) or 'its names'}"
            elif not relays[name]:
                yield f"{where}: {name!r} has relay: false; choose one that relays, or remove that line"
            elif name in (account.failover or ())[:position]:
                yield f"{where}: {name!r} is there twice; name each account once"
