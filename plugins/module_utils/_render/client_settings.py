# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What mail programs need to know of a house, in the forms in which they look for it."""

from __future__ import annotations

import json
import plistlib
import ssl
from dataclasses import dataclass
from typing import Any, Literal
from uuid import NAMESPACE_DNS, uuid5
from xml.etree import ElementTree

from ansible_collections.ilnmors.mail.plugins.module_utils._formats.pem import pem_certificates

AUTODISCOVER = "http://schemas.microsoft.com/exchange/autodiscover"


@dataclass(frozen=True)
class Server:
    """A service of the mail host. tls: from the first byte ("SSL"), or asked for in the clear ("STARTTLS")."""

    protocol: Literal["imap", "pop3", "smtp"]
    port: int
    tls: Literal["SSL", "STARTTLS"]


# Programs take the first that they can use: TLS from the first byte, as RFC 8314 wants it, and IMAP.
INCOMING = (
    Server("imap", 993, "SSL"),
    Server("imap", 143, "STARTTLS"),
    Server("pop3", 995, "SSL"),
    Server("pop3", 110, "STARTTLS"),
)
OUTGOING = (Server("smtp", 465, "SSL"), Server("smtp", 587, "STARTTLS"))
IMAP, SMTP = INCOMING[0], OUTGOING[0]


@dataclass(frozen=True)
class ClientSettings:
    """A house as its clients see it. webmail_url: without a slash at its end; authority: PEM, empty for none."""

    domain: str
    server: str
    webmail_url: str
    authority: str = ""

    @property
    def name(self) -> str:
        """What people see."""
        return f"Mail at {self.domain}"

    @property
    def setup_url(self) -> str:
        """Where people read how to set up a device."""
        return f"{self.webmail_url}/setup/"


def autoconfig(house: ClientSettings) -> str:
    """Return config-v1.1.xml, which Thunderbird and others read (draft-ietf-mailmaint-autoconfig)."""
    root = ElementTree.Element("clientConfig", version="1.1")
    provider = ElementTree.SubElement(root, "emailProvider", id=house.domain)
    _add(provider, "domain", house.domain)
    _add(provider, "displayName", house.name)
    _add(provider, "displayShortName", house.domain)
    for way, servers in (("incomingServer", INCOMING), ("outgoingServer", OUTGOING)):
        for server in servers:
            element = ElementTree.SubElement(provider, way, type=server.protocol)
            _add(element, "hostname", house.server)
            _add(element, "port", str(server.port))
            _add(element, "socketType", server.tls)
            _add(element, "username", "%EMAILADDRESS%")
            # Within TLS; there is no other connection.
            _add(element, "authentication", "password-cleartext")
    documentation = ElementTree.SubElement(provider, "documentation", url=house.setup_url)
    _add(documentation, "descr", "How to set up a device").set("lang", "en")
    ElementTree.SubElement(ElementTree.SubElement(root, "webMail"), "loginPage", url=f"{house.webmail_url}/")
    return _xml(root)


def autodiscover(house: ClientSettings) -> str:
    """Return autodiscover.xml, which Outlook reads.

    https://learn.microsoft.com/en-us/previous-versions/office/office-2010/cc511507(v=office.14). There is no
    LoginName, which would be one person's: Outlook takes what stands before the @ of the address that was typed, or
    the address, and the house lets both log in.
    """
    root = ElementTree.Element("Autodiscover", xmlns=f"{AUTODISCOVER}/responseschema/2006")
    response = ElementTree.SubElement(root, "Response", xmlns=f"{AUTODISCOVER}/outlook/responseschema/2006a")
    account = ElementTree.SubElement(response, "Account")
    _add(account, "AccountType", "email")
    _add(account, "Action", "settings")
    for server in (IMAP, SMTP):
        protocol = ElementTree.SubElement(account, "Protocol")
        _add(protocol, "Type", server.protocol.upper())
        _add(protocol, "Server", house.server)
        _add(protocol, "Port", str(server.port))
        _add(protocol, "DomainRequired", "off")
        # Microsoft's own way to log in, which Outlook takes for granted if nothing is said.
        _add(protocol, "SPA", "off")
        _add(protocol, "SSL", "on")
        _add(protocol, "AuthRequired", "on")
        if server is SMTP:
            # Log in as for reading (whatever the protocol), and before sending.
            _add(protocol, "UsePOPAuth", "on")
            _add(protocol, "SMTPLast", "off")
    return _xml(root)


def autodiscover_v2(house: ClientSettings) -> str:
    """Return autodiscover.json, which leads newer Outlooks to the XML."""
    url = f"{house.webmail_url}/autodiscover/autodiscover.xml"
    return json.dumps({"Protocol": "AutodiscoverV1", "Url": url}) + "\n"


def profile(house: ClientSettings) -> str:
    """Return a configuration profile for Apple's devices, which ask for the address and the password.

    https://developer.apple.com/documentation/devicemanagement/mail and …/certificateroot. It also holds the
    house's authority, if the PEM holds one; a store of many is what devices trust already. A profile of the same
    identifiers replaces the one before.
    """
    identifier = ".".join(reversed(house.domain.lower().split("."))) + ".mail-setup"
    contents = [
        _payload("com.apple.mail.managed", f"{identifier}.account", house.name)
        | {
            "EmailAccountDescription": house.name,
            "EmailAccountType": "EmailTypeIMAP",
            "IncomingMailServerAuthentication": "EmailAuthPassword",
            "IncomingMailServerHostName": house.server,
            "IncomingMailServerPortNumber": IMAP.port,
            "IncomingMailServerUseSSL": True,
            "OutgoingMailServerAuthentication": "EmailAuthPassword",
            "OutgoingMailServerHostName": house.server,
            "OutgoingMailServerPortNumber": SMTP.port,
            "OutgoingMailServerUseSSL": True,
            "OutgoingPasswordSameAsIncomingPassword": True,
        }
    ]
    certificates = pem_certificates(house.authority)
    if len(certificates) == 1:
        name = f"Authority of the house {house.domain}"
        contents += [
            _payload("com.apple.security.root", f"{identifier}.authority", name)
            | {
                "PayloadCertificateFileName": "ca.cer",
                "PayloadContent": ssl.PEM_cert_to_DER_cert(certificates[0]),
            }
        ]
    whole = _payload("Configuration", identifier, house.name) | {
        "PayloadOrganization": house.domain,
        "PayloadDescription": f"Sets up an account for your mail at {house.domain}. More: {house.setup_url}",
        "PayloadContent": contents,
    }
    return plistlib.dumps(whole).decode()


def documents(house: ClientSettings) -> dict[str, str]:
    """Return all of them by the names of their files; the profile's is the domain's."""
    return {
        "config-v1.1.xml": autoconfig(house),
        "autodiscover.xml": autodiscover(house),
        "autodiscover.json": autodiscover_v2(house),
        "mobileconfig": profile(house),
    }


def _payload(kind: str, identifier: str, name: str) -> dict[str, Any]:
    return {
        "PayloadType": kind,
        "PayloadVersion": 1,
        "PayloadIdentifier": identifier,
        "PayloadUUID": str(uuid5(NAMESPACE_DNS, identifier)).upper(),
        "PayloadDisplayName": name,
    }


def _add(parent: ElementTree.Element, tag: str, text: str) -> ElementTree.Element:
    element = ElementTree.SubElement(parent, tag)
    element.text = text
    return element


def _xml(root: ElementTree.Element) -> str:
    ElementTree.indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ElementTree.tostring(root, encoding="unicode")}\n'
