"""A stranger who guesses passwords, on a machine that has nothing but Python.

`python3 guesser.py ADDRESS guess PORT…` tries one wrong password over each port, all at once. `… connect PORT…` prints
which ports answer.
"""

import base64
import contextlib
import imaplib
import poplib
import smtplib
import socket
import ssl
import sys
from concurrent.futures import ThreadPoolExecutor

TIMEOUT = 30
NAME, WRONG = "il", "a guess"
PLAIN = base64.b64encode(f"\0{NAME}\0{WRONG}".encode()).decode()


def careless() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def smtp(address: str, port: int) -> None:
    if port == 465:
        client: smtplib.SMTP = smtplib.SMTP_SSL(address, port, timeout=TIMEOUT, context=careless())
    else:
        client = smtplib.SMTP(address, port, timeout=TIMEOUT)
        client.starttls(context=careless())
    client.ehlo()
    client.docmd("AUTH", f"PLAIN {PLAIN}")


def imap(address: str, port: int) -> None:
    if port == 993:
        client: imaplib.IMAP4 = imaplib.IMAP4_SSL(address, port, ssl_context=careless(), timeout=TIMEOUT)
    else:
        client = imaplib.IMAP4(address, port, timeout=TIMEOUT)
        client.starttls(careless())
    client.login(NAME, WRONG)


def pop3(address: str, port: int) -> None:
    if port == 995:
        client: poplib.POP3 = poplib.POP3_SSL(address, port, context=careless(), timeout=TIMEOUT)
    else:
        client = poplib.POP3(address, port, timeout=TIMEOUT)
        client.stls(careless())
    client.user(NAME)
    client.pass_(WRONG)


def sieve(address: str, port: int) -> None:
    with socket.create_connection((address, port), TIMEOUT) as plain:
        stream = plain.makefile("rwb", buffering=0)

        def answer() -> None:
            while not stream.readline().startswith((b"OK", b"NO", b"BYE")):
                pass

        answer()
        stream.write(b"STARTTLS\r\n")
        answer()
        with careless().wrap_socket(plain) as encrypted:
            stream = encrypted.makefile("rwb", buffering=0)
            answer()
            stream.write(f'AUTHENTICATE "PLAIN" "{PLAIN}"\r\n'.encode())
            answer()


TALKS = {587: smtp, 465: smtp, 993: imap, 143: imap, 995: pop3, 110: pop3, 4190: sieve}


def guess(address: str, port: int) -> None:
    with contextlib.suppress(smtplib.SMTPException, imaplib.IMAP4.error, poplib.error_proto):
        TALKS[port](address, port)


def answers(address: str, port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection((address, port), 5):
        return True
    return False


if __name__ == "__main__":
    address, action, *ports = sys.argv[1:]
    with ThreadPoolExecutor(max(1, len(ports))) as threads:
        numbers = list(map(int, ports))
        if action == "guess":
            list(threads.map(lambda port: guess(address, port), numbers))
        else:
            found = threads.map(lambda port: answers(address, port), numbers)
            print(*[port for port, open_ in zip(numbers, found, strict=True) if open_])
