# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Check the accounts at public providers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ansible_collections.ilnmors.mail.plugins.module_utils._site.entries import OAuth2, ProviderAccount, User
from ansible_collections.ilnmors.mail.plugins.module_utils._site.problems import listed
from ansible_collections.ilnmors.mail.plugins.module_utils._site.provider_profiles import PROFILES, Profile

HOW = "the README of the role mail_oauth2 says how to get one"

_ASKING = ("device_url", "authorize_url")


def profile_of(account: ProviderAccount) -> Profile:
    """Return what an account's provider is like."""
    return PROFILES[account.profile or "custom"]


def provider_problems(providers: Sequence[ProviderAccount], hostname: str) -> Iterator[str]:
    """Check each account by itself, and that no two are one. hostname: the mail host, empty where it is not known."""
    names: dict[str, str] = {}
    for account in providers:
        first = names.setdefault(account.name, account.where)
        if first != account.where:
            yield f"{account.where}.name: {account.name!r} is there twice; give each account a name of its own"
        yield from login_problems(account)
        yield from _host_problems(account, hostname)
        yield from _cleartext_problems(account)
    yield from _twin_problems(providers)


def owner_name_problems(providers: Sequence[ProviderAccount], users: Sequence[User]) -> Iterator[str]:
    """Check that each account belongs to a user."""
    names = [user.name for user in users]
    for account in providers:
        if account.owner not in names:
            yield (
                f"{account.where}.owner: {account.owner!r} is not a user; write one of {listed(names) or 'mail_users'}"
            )


def login_problems(account: ProviderAccount) -> Iterator[str]:
    """Check how an account logs in: with a password or OAuth 2.0, whichever its provider takes."""
    where, profile = account.where, profile_of(account)
    passwords = [key for key in ("password", "password_file") if getattr(account, key)]
    ways = [*passwords, *(["oauth2"] if account.oauth2 else [])]
    if passwords and profile.auth == "oauth2":
        yield (
            f"{where}.{passwords[0]}: is set, but {account.profile} takes no passwords; write oauth2 instead, with "
            f"client_id ({HOW})"
        )
    elif len(ways) > 1:
        yield f"{where}: has both {ways[0]} and {ways[1]}; remove one of them"
    elif account.oauth2:
        yield from _token_problems(account.oauth2, profile)
    elif profile.auth == "oauth2":
        yield f"{where}: has no oauth2; write it with client_id ({HOW}), or remove the account"
    elif not passwords:
        yield f"{where}: has no password; write the account's (app) password, or remove the account"
    elif passwords == ["password_file"] and account.relay:
        yield (
            f"{where}.password_file: is for fetching alone; write relay: false as well, or password instead of it"
        )


def _token_problems(oauth2: OAuth2, profile: Profile) -> Iterator[str]:
    # The other addresses of a profile belong to its own token endpoint.
    known = Profile() if oauth2.token_url else profile
    ways = (oauth2.refresh_token, *(getattr(each, key) for each in (oauth2, known) for key in _ASKING))
    if not oauth2.token_url and not profile.token_url:
        yield f"{oauth2.where}.token_url: is missing; write where the provider gives tokens, such as 'https://…/token'"
    elif not any(ways):
        yield (
            f"{oauth2.where}.refresh_token: is missing, and it is not known where the provider is asked for one; write "
            f"device_url or authorize_url, or the token itself ({HOW})"
        )


def _host_problems(account: ProviderAccount, hostname: str) -> Iterator[str]:
    for key, wanted, direction in (
        ("smtp_host", "relay", "send to"),
        ("imap_host", "fetch", "fetch from"),
    ):
        host = getattr(account, key)
        if host is None and account.profile in (None, "custom") and getattr(account, wanted):
            yield f"{account.where}: has neither a profile nor {key}; set one of them, or {wanted}: false"
        elif host and hostname and host.lower() == hostname.lower():
            yield (
                f"{account.where}.{key}: {host!r} is the mail host itself, which would {direction} itself without end; "
                "write the provider's"
            )


def _cleartext_problems(account: ProviderAccount) -> Iterator[str]:
    host = account.smtp_host or profile_of(account).smtp_host
    if account.smtp_tls == "none" and not account.allow_cleartext and not _in_house(host):
        yield (
            f"{account.where}.smtp_tls: none would send the password and all mail to {host!r} where everybody on the "
            "way can read them; remove it, or set allow_cleartext: true if that host is one of the house"
        )


def _in_house(host: str) -> bool:
    """Whether a name can only be one of a private network (RFC 6762, RFC 8375, and ICANN's reserved .internal)."""
    return host.lower().endswith((".internal", ".local", ".home.arpa", ".lan"))


def _twin_problems(providers: Sequence[ProviderAccount]) -> Iterator[str]:
    """Check that no account is there under two names, for the same use."""
    for use, key in (("relay", "smtp_host"), ("fetch", "imap_host")):
        seen: dict[tuple[str, str], ProviderAccount] = {}
        for account in providers:
            if not getattr(account, use):
                continue
            host = getattr(account, key) or getattr(profile_of(account), key)
            login = account.username or account.address
            other = seen.setdefault((host.lower(), login), account)
            if other is not account and other.name != account.name:
                yield (
                    f"{account.where}: is the same account as {other.name} ({login!r} at {host!r}); "
                    f"remove one of them, or set {use}: false for one"
                )
