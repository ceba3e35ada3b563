# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The first refresh token of an account, from an endpoint that answers as a test wants."""

from __future__ import annotations

import base64
import hashlib
import ssl
import urllib.parse
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.ilnmors.mail.plugins.module_utils._clients.connection import client_context
from ansible_collections.ilnmors.mail.plugins.module_utils._clients.oauth2_authorization import (
    Authorization,
    AuthorizationError,
    Client,
    Request,
)
from ansible_collections.ilnmors.mail.tests.unit.fakes.authority import ADDRESS, Authority
from ansible_collections.ilnmors.mail.tests.unit.fakes.https_forms import serve_forms

CODE = {
    "device_code": "secret-device-code",
    "user_code": "FTK9-YHNA",
    "verification_uri": "https://login.test/device",
    "expires_in": 60,
    "interval": 2,
}
TOKENS = {"access_token": "secret-access", "refresh_token": "secret-refresh", "expires_in": 3600}
PENDING = {"error": "authorization_pending"}
NOT_IN_TIME = "nobody consented in time; run this again"


class Endpoint:
    """A provider: what it was asked, and what it answers in turn, the last for ever. Time passes while one sleeps."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.answers: list[Any] = []
        self.slept: list[float] = []
        self.now = 1_800_000_000.0
        self.port = 0

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    def clock(self) -> float:
        return self.now

    def answer(self, path: str, form: dict[str, str]) -> tuple[int, Any]:
        self.asked.append((path, form))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, bytes):
            return 503, answer
        return 400 if "error" in answer else 200, answer


@pytest.fixture
def endpoint(good: ssl.SSLContext) -> Iterator[Endpoint]:
    here = Endpoint()
    with serve_forms(good, here.answer) as here.port:
        yield here


@pytest.fixture
def authorization(endpoint: Endpoint, authority: Authority) -> Authorization:
    base = f"https://{ADDRESS}:{endpoint.port}"
    client = Client(
        token_url=f"{base}/token",
        device_url=f"{base}/device",
        authorize_url=f"{base}/authorize?tenant=all",
        scope="imap smtp offline_access",
        client_id="a-client",
        client_secret="",
    )
    context = client_context(str(authority.file))
    return Authorization("outlook", client, context, endpoint.clock, endpoint.sleep)


@pytest.fixture
def redirecting(authorization: Authorization) -> Authorization:
    """Return the same for a provider that gives no codes to type in."""
    authorization.client = replace(authorization.client, device_url="", client_secret="secret-client")
    return authorization


def failure(authorization: Authorization, request: Request, redirected_to: str = "") -> str:
    with pytest.raises(AuthorizationError) as caught:
        authorization.finish(request, redirected_to)
    assert "secret-" not in str(caught.value)
    return str(caught.value)


# --- a code that is typed in elsewhere


def test_a_code_is_asked_for_and_shown(endpoint: Endpoint, authorization: Authorization) -> None:
    endpoint.answers = [CODE]
    request = authorization.begin()
    assert endpoint.asked == [("/device", {"client_id": "a-client", "scope": "imap smtp offline_access"})]
    assert (request.way, request.address, request.user_code) == (
        "device",
        "https://login.test/device",
        "FTK9-YHNA",
    )
    assert (request.expires, request.interval) == (endpoint.now + 60, 2)
    assert "secret-" not in repr(request)


def test_what_a_provider_does_not_say_of_a_code_is_assumed(
    endpoint: Endpoint, authorization: Authorization
) -> None:
    """Google calls the address another name."""
    answer = {key: CODE[key] for key in ("device_code", "user_code")}
    endpoint.answers = [{**answer, "verification_url": "https://www.google.com/device", "interval": "soon"}]
    request = authorization.begin()
    assert (request.address, request.interval) == ("https://www.google.com/device", 5)


def test_it_waits_as_the_provider_says(endpoint: Endpoint, authorization: Authorization) -> None:
    endpoint.answers = [CODE, PENDING, {"error": "slow_down"}, PENDING, TOKENS]
    tokens = authorization.finish(authorization.begin())
    assert (tokens.access_token, tokens.refresh_token) == ("secret-access", "secret-refresh")
    assert "secret" not in repr(tokens)
    assert endpoint.slept == [2, 2, 7, 7]
    assert endpoint.asked[-1] == (
        "/token",
        {
            "grant_type": "urn:ietf:params:oauth:grant-type:device_code",
            "device_code": "secret-device-code",
            "client_id": "a-client",
        },
    )


def test_a_provider_that_fails_is_asked_ever_later(endpoint: Endpoint, authorization: Authorization) -> None:
    endpoint.answers = [CODE, b"<html>busy</html>", b"", TOKENS]
    assert authorization.finish(authorization.begin()).refresh_token == "secret-refresh"
    assert endpoint.slept == [2, 4, 8]


def test_one_that_does_not_come_back_is_told(endpoint: Endpoint, authorization: Authorization) -> None:
    endpoint.answers = [CODE, b""]
    assert failure(authorization, authorization.begin()) == f"{ADDRESS} says '503'; run this again later"
    assert sum(endpoint.slept) >= 60


def test_nobody_is_waited_for_without_an_end(endpoint: Endpoint, authorization: Authorization) -> None:
    endpoint.answers = [{**CODE, "expires_in": 1e9, "interval": 600}, PENDING]
    assert failure(authorization, authorization.begin()) == NOT_IN_TIME
    assert sum(endpoint.slept) == 3600


REFUSED = "the consent was refused; run this again, and accept what the provider's page asks"


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ({"error": "access_denied"}, f"{ADDRESS} says 'access_denied': {REFUSED}"),
        ({"error": "authorization_declined"}, f"{ADDRESS} says 'authorization_declined': {REFUSED}"),
        ({"error": "expired_token"}, f"{ADDRESS} says 'expired_token': {NOT_IN_TIME}"),
        (
            {"error": "odd", "error_description": "secret-device-code\r\nis \x1b[31mred"},
            f"{ADDRESS} says 'odd (secret) is [31mred': look at oauth2 of outlook in mail_providers",
        ),
        (
            {"access_token": "two\nlines", "refresh_token": "secret-refresh"},
            f"{ADDRESS} answers without an access token; look at oauth2.token_url of outlook in mail_providers",
        ),
        (
            {"access_token": "secret-access"},
            f"{ADDRESS} gives no refresh token; write an oauth2.scope of outlook in mail_providers that asks for one,"
            " such as offline_access, and run the site playbook",
        ),
    ],
    ids=["denied", "declined", "expired", "unknown", "no-token", "no-refresh-token"],
)
def test_a_consent_that_does_not_come_is_told(
    endpoint: Endpoint, authorization: Authorization, answer: object, message: str
) -> None:
    endpoint.answers = [CODE, answer]
    assert failure(authorization, authorization.begin()) == message


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (
            {"error": "invalid_client", "error_description": "unknown"},
            f"{ADDRESS} says 'invalid_client unknown': correct oauth2.client_id or oauth2.client_secret of outlook in"
            " mail_providers and run the site playbook, or let the client be a public one at the provider",
        ),
        ({}, f"{ADDRESS} answers without a code; look at oauth2.device_url of outlook"),
        ([], f"{ADDRESS} answers without a code; look at oauth2.device_url of outlook"),
        (
            {**CODE, "user_code": "\x1b]0;title"},
            f"{ADDRESS} answers without a code; look at oauth2.device_url of outlook",
        ),
        (b"", f"{ADDRESS} says '503'; run this again later"),
    ],
    ids=["wrong-client", "nothing", "no-object", "control-characters", "busy"],
)
def test_no_code_is_told(
    endpoint: Endpoint, authorization: Authorization, answer: object, message: str
) -> None:
    endpoint.answers = [answer]
    with pytest.raises(AuthorizationError) as caught:
        authorization.begin()
    assert str(caught.value) == message


def test_the_provider_is_verified(endpoint: Endpoint, authorization: Authorization) -> None:
    authorization.context = ssl.create_default_context()
    with pytest.raises(AuthorizationError, match="certificate verify failed"):
        authorization.begin()
    assert endpoint.asked == []


def test_a_provider_without_addresses_is_told(authorization: Authorization) -> None:
    authorization.client = replace(authorization.client, device_url="", authorize_url="")
    with pytest.raises(
        AuthorizationError, match=r"write oauth2\.device_url or oauth2\.authorize_url of outlook"
    ):
        authorization.begin()


# --- an address that is handed over


def asked_for(request: Request) -> dict[str, str]:
    return dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(request.address).query))


def test_a_redirect_address_is_exchanged(endpoint: Endpoint, redirecting: Authorization) -> None:
    request = redirecting.begin()
    asked = asked_for(request)
    assert request.address.startswith(
        f"https://{ADDRESS}:{endpoint.port}/authorize?tenant=all&client_id=a-client&"
    )
    assert (asked["response_type"], asked["code_challenge_method"]) == ("code", "S256")
    assert "+" not in request.address
    endpoint.answers = [TOKENS]
    address = f" {asked['redirect_uri']}/?code=secret-code&state={asked['state']}&scope=x\n"
    assert redirecting.finish(request, address).refresh_token == "secret-refresh"
    ((path, form),) = endpoint.asked
    digest = hashlib.sha256(form.pop("code_verifier").encode()).digest()
    assert base64.urlsafe_b64encode(digest).decode().rstrip("=") == asked["code_challenge"]
    assert (path, form) == (
        "/token",
        {
            "grant_type": "authorization_code",
            "code": "secret-code",
            "redirect_uri": "http://localhost",
            "client_id": "a-client",
            "client_secret": "secret-client",
        },
    )


NO_ADDRESS = (
    "that is not the address that the browser ends at, which begins with http://localhost and has a code; run this"
    " again, and paste the whole line"
)


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("", NO_ADDRESS),
        ("secret-code", NO_ADDRESS),
        ("http://localhost/?state=STATE", NO_ADDRESS),
        ("https://login.test/?code=secret-code&state=STATE", NO_ADDRESS),
        (
            "http://localhost/?code=secret-code&state=other",
            "that address is of another run; run this again, and paste the new one",
        ),
        (
            "http://localhost/?code=secret-code",
            "that address is of another run; run this again, and paste the new one",
        ),
        (
            "http://localhost/?error=access_denied&state=STATE",
            f"{ADDRESS} says 'access_denied': {REFUSED}",
        ),
        (
            "http://localhost/?code=secret-code&state=STATE",
            f"{ADDRESS} says 'invalid_grant (secret) is used': what it gave was used before or has expired; run this"
            " again",
        ),
    ],
    ids=["nothing", "code", "no-code", "elsewhere", "other-run", "no-state", "refused", "used"],
)
def test_another_address_is_refused(
    endpoint: Endpoint, redirecting: Authorization, address: str, message: str
) -> None:
    endpoint.answers = [{"error": "invalid_grant", "error_description": "secret-code is used"}]
    request = redirecting.begin()
    assert failure(redirecting, request, address.replace("STATE", request.state)) == message


def test_each_run_has_secrets_of_its_own(redirecting: Authorization) -> None:
    one, other = redirecting.begin(), redirecting.begin()
    assert one.state != other.state
    assert one.verifier != other.verifier
    assert one.verifier not in repr(one)
    # RFC 7636 section 4.1.
    assert 43 <= len(one.verifier) <= 128
