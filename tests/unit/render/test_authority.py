"""What people are shown of the house's authority."""

from __future__ import annotations

import hashlib
import ssl

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.ilnmors.mail.plugins.filter.authority_details import FilterModule, authority_details
from ansible_collections.ilnmors.mail.tests.unit.fakes.house_authority import authority
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID as Purpose


def test_the_fingerprint_is_the_one_that_devices_show() -> None:
    pem = authority()
    digest = hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).hexdigest().upper()
    assert authority_details(pem)["fingerprint"] == ":".join(digest[at : at + 2] for at in range(0, 64, 2))


@pytest.mark.parametrize("domains", [(), ("home.internal",), ("home.internal", "home.example")])
def test_what_the_authority_is_limited_to(domains: tuple[str, ...]) -> None:
    found = FilterModule().filters()["authority_details"](authority(domains=domains))
    assert isinstance(found, dict)
    assert found["domains"] == list(domains)


@pytest.mark.parametrize(
    ("purposes", "expected"),
    [
        ((), False),
        ((Purpose.SERVER_AUTH,), True),
        ((Purpose.SERVER_AUTH, Purpose.CODE_SIGNING), False),
        ((Purpose.EMAIL_PROTECTION,), False),
    ],
)
def test_whether_it_is_for_servers_alone(purposes: tuple[x509.ObjectIdentifier, ...], expected: bool) -> None:
    assert authority_details(authority(purposes=purposes))["servers_only"] is expected


@pytest.mark.parametrize(
    ("common_name", "expected"), [("home.internal mail CA", "home.internal mail CA"), ("", "O=The house")]
)
def test_what_the_authority_is_called(common_name: str, expected: str) -> None:
    assert authority_details(authority(common_name))["name"] == expected


@pytest.mark.parametrize(
    "pem", ["", "# nothing\n", authority() + authority()], ids=["empty", "none", "store"]
)
def test_a_store_of_authorities_holds_none_of_the_house(pem: str) -> None:
    assert authority_details(pem) == {}


def test_a_broken_certificate_is_refused() -> None:
    with pytest.raises(AnsibleFilterError, match=r"^The authority's certificate cannot be read"):
        authority_details("-----BEGIN CERTIFICATE-----\nbm90aGluZw==\n-----END CERTIFICATE-----\n")
