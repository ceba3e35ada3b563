# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The guide in English."""

from __future__ import annotations

from ansible_collections.ilnmors.mail.plugins.module_utils._render.setup_guide.texts import (
    Android,
    Apple,
    Linux,
    Others,
    Texts,
    Trust,
    Windows,
)

TEXTS = Texts(
    name="English",
    title="Your mail at {domain}",
    intro=(
        "This page sets up a phone, a tablet or a computer in about five minutes. "
        "You need your address, such as `name@{domain}`, and its password."
    ),
    read_in_browser="Nothing to set up: read your mail in the browser",
    code="QR code of {url}",
    code_caption="Point a phone\u2019s camera here to open this page on it.",
    choose="Choose your device",
    other_languages="Languages",
    trust=Trust(
        heading="Why your device has to trust this house",
        why=(
            "This house vouches for its own mail server, so every device has to be told once to believe it. "
            "If your browser warned you of this page, that is why. The steps below say how."
        ),
        limited=(
            "Its certificate counts for names in {domains} and for no others: "
            "nobody could use it to pose as your bank."
        ),
        unlimited=(
            "Its certificate is not limited to this house: "
            "only install it if you trust whoever runs this mail with all that you do on the web."
        ),
        fingerprint=(
            "{authority}, SHA-256 fingerprint. "
            "Compare it with the one that whoever runs this mail tells you in person:"
        ),
        get_certificate="Get the certificate",
    ),
    apple=Apple(
        name="iPhone, iPad, Mac",
        open_profile="Open the profile",
        phone="iPhone, iPad",
        phone_open="Open this page in *Safari*, press the button, and choose *Allow*.",
        phone_install=(
            "*Settings › General › VPN & Device Management* › \u201c{profile}\u201d › *Install*. "
            "It asks for your address and your password."
        ),
        phone_trust=(
            "*Settings › General › About › Certificate Trust Settings*, at the very end: "
            "switch \u201c{authority}\u201d on."
        ),
        mac="Mac",
        mac_open="Press the button, and open the file that you downloaded.",
        mac_install=(
            "*System Settings › General › Device Management* (up to macOS 14: *Privacy & Security › Profiles*) "
            "› double-click \u201c{profile}\u201d › *Install*. It asks for your address and your password."
        ),
        mac_trust=(
            "Open the app *Keychain Access*, double-click the certificate \u201c{authority}\u201d, "
            "and choose *Trust › When using this certificate › Always Trust*."
        ),
    ),
    android=Android(
        name="Android",
        install=(
            "Press the button. Then search the *Settings* for \u201cCA certificate\u201d (under "
            "*Encryption & credentials*, or *Other security settings* on Samsung\u2019s), install anyway, "
            "and choose the file `ca.crt` that you downloaded. A screen lock has to be set."
        ),
        account=(
            "Install *Thunderbird* from Google Play or F-Droid, and type your address and your password. "
            "The rest is found by itself."
        ),
        others=(
            "In Gmail\u2019s app and others, add an account of the kind *Other* or *IMAP*, "
            "and copy the settings at the end of this page. Some apps accept no certificates that were added."
        ),
        monitored="\u201cNetwork may be monitored\u201d",
        monitored_limited=(
            "Android says so for as long as any certificate is installed that it did not come with, whosever it is. "
            "It does not mean that somebody reads along. Whoever has the key of this one could pose as a site in "
            "{domains}, and as no other."
        ),
        monitored_unlimited=(
            "Android says so for as long as any certificate is installed that it did not come with, whosever it is. "
            "It does not mean that somebody reads along. "
            "Whoever has the key of this one could pose as any site, though: see above."
        ),
    ),
    windows=Windows(
        name="Windows",
        install=(
            "Press the button, open the file `ca.crt`, and choose *Install Certificate › Current User › Place all "
            "certificates in the following store › Trusted Root Certification Authorities*. "
            "Windows asks once more: *Yes*."
        ),
        thunderbird=(
            "*Thunderbird*: add an account with your name, your address and your password. "
            "The rest is found by itself."
        ),
        outlook="*Outlook (classic)*: *File › Add Account*, and type your address. The rest is found by itself.",
        new_outlook=(
            "The new Outlook, and Outlook on phones, read mail through Microsoft\u2019s servers, "
            "which cannot reach this house. Use another program there."
        ),
    ),
    linux=Linux(
        name="Linux and Thunderbird",
        imported=(
            "*Thunderbird* and *Firefox* keep a list of their own. Press the button, then *Settings › Privacy & "
            "Security › Certificates › Manage Certificates › Authorities › Import*, choose the file, and tick that it "
            "may identify websites. On Windows and a Mac, only do this if they still complain."
        ),
        account=(
            "*Thunderbird*: add an account with your name, your address and your password. "
            "The rest is found by itself."
        ),
        system=(
            "*Evolution, KMail* and others trust what the system does: copy the file to "
            "`/usr/local/share/ca-certificates/` and run `sudo update-ca-certificates` (Debian, Ubuntu), or to "
            "`/etc/pki/ca-trust/source/anchors/` and run `sudo update-ca-trust` (Fedora)."
        ),
    ),
    others=Others(
        name="Everything else: settings to copy",
        intro=(
            "The server is `{server}` throughout, your login name is your whole address, "
            "and the password is your usual one."
        ),
        column_use="For",
        column_tls="Port with SSL/TLS",
        column_starttls="or with STARTTLS",
        reading="Reading (IMAP)",
        sending="Sending (SMTP)",
        fetching="Fetching (POP3)",
        filtering="Filters (ManageSieve)",
    ),
)
