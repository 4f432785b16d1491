# Binds a socket for datagrams at the path that is given, and prints each it gets, until "end".
import socket
import sys

taker = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
taker.bind(sys.argv[1])
taker.settimeout(60)
print("ready", flush=True)
while (text := taker.recv(65536).decode()) != "end":
    print(text, flush=True)
