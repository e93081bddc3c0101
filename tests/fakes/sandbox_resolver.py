"""A stand-in for the CoreDNS sidecar of a sandbox, where its image cannot be had: forwards, and says it is ready.

What it does not do is rewrite the names of a sandbox's services.
"""

import socket
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

READY_PORT = 18181


class Ready(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()


def main() -> None:
    threading.Thread(target=HTTPServer(("", READY_PORT), Ready).serve_forever, daemon=True).start()
    lines = Path("/etc/resolv.conf").read_text().splitlines()
    upstream = [line.split()[1] for line in lines if line.startswith("nameserver")]
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("127.0.0.1", 53))
    while True:
        query, client = server.recvfrom(4096)
        threading.Thread(target=forward, args=(server, query, client, upstream), daemon=True).start()


def forward(server: socket.socket, query: bytes, client: tuple[str, int], upstream: list[str]) -> None:
    for address in upstream:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
            asked.settimeout(3)
            try:
                asked.sendto(query, (address, 53))
                server.sendto(asked.recv(4096), client)
                return
            except OSError:
                continue


if __name__ == "__main__":
    main()
