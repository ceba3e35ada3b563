"""Run a program of PHP in a pool of PHP-FPM: `python3 fastcgi.py SOCKET FILE` prints what it answers.

https://fastcgi-archives.github.io/FastCGI_Specification.html
"""

import socket
import struct
import sys

BEGIN, END, PARAMS, STDIN, STDOUT = 1, 3, 4, 5, 6


def record(kind: int, content: bytes = b"") -> bytes:
    return struct.pack("!BBHHBB", 1, kind, 1, len(content), 0, 0) + content


def pair(name: str, value: str) -> bytes:
    return struct.pack("!II", len(name) | 1 << 31, len(value) | 1 << 31) + f"{name}{value}".encode()


if __name__ == "__main__":
    path, program = sys.argv[1:]
    parameters = pair("SCRIPT_FILENAME", program) + pair("REQUEST_METHOD", "GET")
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(path)
        # A responder (1) that closes the connection (0).
        connection.sendall(record(BEGIN, struct.pack("!HB5x", 1, 0)))
        connection.sendall(record(PARAMS, parameters) + record(PARAMS) + record(STDIN))
        stream = connection.makefile("rb")
        while header := stream.read(8):
            __, kind, __, length, padding, __ = struct.unpack("!BBHHBB", header)
            content = stream.read(length + padding)[:length]
            if kind == STDOUT:
                sys.stdout.write(content.decode())
