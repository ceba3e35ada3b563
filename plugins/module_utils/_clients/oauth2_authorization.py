# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Get the first refresh token of an account: ask its provider, and wait for a person's consent in a browser.

Where the provider has a device authorization endpoint, the person types in a code (RFC 8628). Where it has none, the
person's browser ends at an address of its own machine, where nobody listens, and the person hands over that address
(RFC 8252 section 7.3), which is worth nothing without what was kept here (PKCE, RFC 7636).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.client
import json
import math
import re
import secrets
import ssl
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

TIMEOUT = 30
"""Seconds to wait for one answer of the provider."""
INTERVAL, SLOWER = 5, 5
"""Seconds between two questions where the provider does not say, and what "slow_down" adds (RFC 8628 section 3.5)."""
LIFETIME = 600
"""Seconds to consent in a browser: an authorization code is to live no longer (RFC 6749 section 4.1.2)."""
LONGEST = 3600
"""Seconds to wait for a person at most, whatever the provider says."""
REDIRECT = "http://localhost"
"""Where the browser ends (RFC 8252 section 7.3); providers take it of desktop programs without its being registered,
or as it is written here."""

# RFC 6749 sections 4.1.2.1 and 5.2, RFC 8628 section 3.5; what is said of {name}.
_REMEDIES = {
    "access_denied": "the consent was refused; run this again, and accept what the provider's page asks",
    "authorization_declined": "the consent was refused; run this again, and accept what the provider's page asks",
    "expired_token": "nobody consented in time; run this again",
    "invalid_grant": "what it gave was used before or has expired; run this again",
    "invalid_client": (
        "correct oauth2.client_id or oauth2.client_secret of {name} in mail_providers and run the site playbook, or"
        " let the client be a public one at the provider"
    ),
    "unauthorized_client": (
        "correct oauth2.client_id of {name} in mail_providers and run the site playbook, or allow the client this way"
        " at the provider"
    ),
    "invalid_scope": "correct oauth2.scope of {name} in mail_providers and run the site playbook",
}
_ELSE = "look at oauth2 of {name} in mail_providers"


class AuthorizationError(Exception):
    """Why there is no refresh token, and what to do: a sentence without secrets."""


@dataclass(frozen=True)
class Client:
    """The mail program that the account is authorized for (RFC 6749 section 2), and where its provider is asked.

    client_secret is empty for a public client; device_url and authorize_url where the provider has none; scope, for
    the default of the provider.
    """

    token_url: str
    device_url: str
    authorize_url: str
    scope: str
    client_id: str
    client_secret: str = field(repr=False)


@dataclass(frozen=True)
class Request:
    """What waits for a person's consent.

    way: device, or redirect. address: the page to open; user_code: what to type in there, for device alone.
    expires: when the provider forgets it, in seconds since 1970; interval: seconds between two questions.
    device_code, or verifier and state: what proves that it is this request that was consented to; secret.
    """

    way: Literal["device", "redirect"]
    address: str
    expires: float
    user_code: str = ""
    interval: float = INTERVAL
    device_code: str = field(default="", repr=False)
    verifier: str = field(default="", repr=False)
    state: str = field(default="", repr=False)


@dataclass(frozen=True)
class Tokens:
    """What a consent is worth (RFC 6749 section 5.1)."""

    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)


class Authorization:
    """The way from a client to its tokens, for the account `name`. clock and sleep: as in the module time."""

    def __init__(
        self,
        name: str,
        client: Client,
        context: ssl.SSLContext,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.name, self.client, self.context = name, client, context
        self.clock, self.sleep = clock, sleep

    def begin(self) -> Request:
        """Ask the provider. Raises AuthorizationError."""
        if self.client.device_url:
            return self._begin_device()
        if self.client.authorize_url:
            return self._begin_redirect()
        raise AuthorizationError(
            "it is not known where to ask for a token; write oauth2.device_url or oauth2.authorize_url of"
            f" {self.name} in mail_providers and run the site playbook"
        )

    def finish(self, request: Request, redirected_to: str = "") -> Tokens:
        """Wait for the consent, and return what it is worth. Raises AuthorizationError.

        redirected_to: the address that the person's browser ended at, for redirect alone.
        """
        if request.way == "device":
            return self._poll(request)
        return self._exchange(request, redirected_to)

    # --- a code that is typed in elsewhere

    def _begin_device(self) -> Request:
        """Ask for a code (RFC 8628 section 3.1)."""
        answer = self._post(self.client.device_url, {"scope": self.client.scope})
        if error := answer.get("error"):
            raise self._refusal(self.client.device_url, str(error), answer)
        # Google's name for it is verification_url.
        address = answer.get("verification_uri") or answer.get("verification_url")
        found = [answer.get("device_code"), answer.get("user_code"), address]
        if not all(isinstance(text, str) and re.fullmatch(r"[\x20-\x7e]+", text) for text in found):
            raise AuthorizationError(
                f"{_host(self.client.device_url)} answers without a code; look at oauth2.device_url of {self.name}"
            )
        device_code, user_code, page = (str(text) for text in found)
        lifetime = min(_number(answer.get("expires_in"), LIFETIME), LONGEST)
        return Request(
            way="device",
            address=page,
            user_code=user_code,
            device_code=device_code,
            expires=self.clock() + lifetime,
            interval=_number(answer.get("interval"), INTERVAL),
        )

    def _poll(self, request: Request) -> Tokens:
        """Ask until somebody has consented (RFC 8628 sections 3.4 and 3.5)."""
        form = {
            "grant_type": "urn:ietf:params:oauth:grant-type:device_code",
            "device_code": request.device_code,
        }
        interval, unreachable = request.interval, ""
        while self.clock() < request.expires:
            self.sleep(interval)
            try:
                answer = self._post(self.client.token_url, form)
            except UnreachableError as failure:
                # A provider that does not answer is asked ever later.
                interval, unreachable = interval * 2, str(failure)
                continue
            unreachable = ""
            error = str(answer.get("error") or "")
            if not error:
                return self._tokens(answer)
            if error == "slow_down":
                interval += SLOWER
            elif error != "authorization_pending":
                raise self._refusal(self.client.token_url, error, answer, request.device_code)
        raise AuthorizationError(unreachable or _REMEDIES["expired_token"])

    # --- an address that is handed over

    def _begin_redirect(self) -> Request:
        """Make the address of the page that asks for the consent (RFC 6749 section 4.1.1, RFC 7636 section 4.3)."""
        verifier, state = secrets.token_urlsafe(48), secrets.token_urlsafe(16)
        digest = hashlib.sha256(verifier.encode()).digest()
        query = {
            "client_id": self.client.client_id,
            "response_type": "code",
            "redirect_uri": REDIRECT,
            "scope": self.client.scope,
            "state": state,
            "code_challenge": base64.urlsafe_b64encode(digest).decode().rstrip("="),
            "code_challenge_method": "S256",
            # Without these, Google gives a refresh token the first time alone, or none.
            "access_type": "offline",
            "prompt": "consent",
        }
        known, __, __ = self.client.authorize_url.partition("#")
        joined = "&" if "?" in known else "?"
        return Request(
            way="redirect",
            address=f"{known}{joined}{urllib.parse.urlencode(query, quote_via=urllib.parse.quote)}",
            expires=self.clock() + LIFETIME,
            verifier=verifier,
            state=state,
        )

    def _exchange(self, request: Request, redirected_to: str) -> Tokens:
        """Exchange the code that stands in an address (RFC 6749 section 4.1.3, RFC 7636 section 4.5)."""
        address = redirected_to.strip()
        query = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(address).query))
        if not address.startswith(REDIRECT) or not {"code", "error"} & set(query):
            raise AuthorizationError(
                f"that is not the address that the browser ends at, which begins with {REDIRECT} and has a code;"
                " run this again, and paste the whole line"
            )
        # Whoever sends another address along wants the house to use an account of theirs (RFC 6749 section 10.12).
        if not hmac.compare_digest(query.get("state", "").encode(), request.state.encode()):
            raise AuthorizationError("that address is of another run; run this again, and paste the new one")
        if error := query.get("error"):
            raise self._refusal(self.client.authorize_url, error, query, request.verifier)
        form = {
            "grant_type": "authorization_code",
            "code": query["code"],
            "redirect_uri": REDIRECT,
            "code_verifier": request.verifier,
        }
        answer = self._post(self.client.token_url, form)
        if error := answer.get("error"):
            raise self._refusal(
                self.client.token_url, str(error), answer, request.verifier, query["code"], address
            )
        return self._tokens(answer)

    # --- the provider

    def _tokens(self, answer: dict[str, Any]) -> Tokens:
        """Read a token response (RFC 6749 section 5.1)."""
        access, refresh = answer.get("access_token"), answer.get("refresh_token")
        if not (isinstance(access, str) and re.fullmatch(r"[\x21-\x7e]+", access)):
            raise AuthorizationError(
                f"{_host(self.client.token_url)} answers without an access token; look at oauth2.token_url of"
                f" {self.name} in mail_providers"
            )
        if not (isinstance(refresh, str) and refresh):
            raise AuthorizationError(
                f"{_host(self.client.token_url)} gives no refresh token; write an oauth2.scope of {self.name} in"
                " mail_providers that asks for one, such as offline_access, and run the site playbook"
            )
        return Tokens(access, refresh)

    def _refusal(self, url: str, error: str, answer: dict[str, Any], *hidden: str) -> AuthorizationError:
        """Say in plain words what an error response means."""
        text = str(answer.get("error_description") or "")
        for secret in filter(None, (*hidden, self.client.client_secret)):
            text = text.replace(secret, "(secret)")
        # Of a description that goes on for a page, the first sentence.
        said = " ".join(re.sub(r"[^\x20-\x7e]", " ", f"{error} {text}").split())[:200]
        remedy = _REMEDIES.get(error, _ELSE).format(name=self.name)
        return AuthorizationError(f"{_host(url)} says '{said}': {remedy}")

    def _post(self, url: str, form: dict[str, str]) -> dict[str, Any]:
        """Send a form as the client; return the JSON object that comes back. Raises AuthorizationError."""
        sent = {**form, "client_id": self.client.client_id}
        sent |= {"client_secret": self.client.client_secret} if self.client.client_secret else {}
        # _site/entries.py lets no other scheme than https through.
        request = urllib.request.Request(  # noqa: S310
            url,
            data=urllib.parse.urlencode({key: value for key, value in sent.items() if value}).encode(),
            headers={"Accept": "application/json", "User-Agent": "mail-oauth2"},
        )
        opener = urllib.request.build_opener(urllib.request.HTTPSHandler(context=self.context))
        try:
            with opener.open(request, timeout=TIMEOUT) as response:
                return _read_object(response.read())
        except urllib.error.HTTPError as error:
            answer = _read_object(error.read())
            if error.code < 500 and isinstance(answer.get("error"), str):
                return answer
            raise UnreachableError(f"{_host(url)} says '{error.code}'; run this again later") from None
        except (OSError, http.client.HTTPException) as error:
            reason = getattr(error, "reason", error)
            raise UnreachableError(
                f"{_host(url)} cannot be reached: {reason}; run this again later"
            ) from None


class UnreachableError(AuthorizationError):
    """The provider does not answer, or not as one that works."""


def _host(url: str) -> str:
    return urllib.parse.urlsplit(url).hostname or url


def _number(value: object, otherwise: float) -> float:
    """Return a number of seconds that a provider says, or what is taken for it."""
    try:
        found = float(str(value))
    except ValueError:
        return otherwise
    return found if math.isfinite(found) and found > 0 else otherwise


def _read_object(body: bytes) -> dict[str, Any]:
    """Read a JSON object; anything else is an empty one."""
    try:
        found = json.loads(body)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
