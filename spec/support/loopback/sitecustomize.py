"""Names below localhost are this machine's, as the standard has it, where the C library asks a
name server for them: for a program that has this folder in its PYTHONPATH.
"""
import socket

getaddrinfo = socket.getaddrinfo


def loopback(host, *rest, **named):
    name = host.decode() if isinstance(host, bytes) else str(host)
    return getaddrinfo("localhost" if name.endswith(".localhost") else host, *rest, **named)


socket.getaddrinfo = loopback
