"""A stranger at Roundcube, on a machine that has nothing but Python.

`python3 roundcube_stranger.py ADDRESS NAME USER TIMES` tries wrong passwords, one after the other, and prints
the status of each answer: 401 for the login page again, 429 for being kept out.
"""

import http.client
import re
import socket
import ssl
import sys
import urllib.parse

TIMEOUT = 60


def connect(address: str, name: str) -> http.client.HTTPSConnection:
    """Connect to an address, whose certificate is for a name and is not looked at."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    connection = http.client.HTTPSConnection(name, 443, timeout=TIMEOUT)
    connection.sock = context.wrap_socket(
        socket.create_connection((address, 443), TIMEOUT), server_hostname=name
    )
    return connection


def guess(connection: http.client.HTTPSConnection, user: str) -> int:
    """Send the login form with a wrong password."""
    connection.request("GET", "/?_task=login")
    answer = connection.getresponse()
    cookies = [value.split(";")[0] for name, value in answer.getheaders() if name.lower() == "set-cookie"]
    body = answer.read().decode()
    if answer.status != 200:
        return answer.status
    token = re.search(r'name="_token" value="(\w+)"', body)
    assert token
    form = {"_token": token[1], "_task": "login", "_action": "login", "_user": user, "_pass": "a guess"}
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Cookie": "; ".join(cookies)}
    # What a client says of itself is not believed.
    headers["X-Forwarded-For"] = headers["X-Real-IP"] = headers["Client-IP"] = "192.0.2.77"
    connection.request("POST", "/?_task=login", urllib.parse.urlencode(form), headers)
    return connection.getresponse().status


if __name__ == "__main__":
    address, name, user, times = sys.argv[1:]
    print(*(guess(connect(address, name), user) for __ in range(int(times))))
