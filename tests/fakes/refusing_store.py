"""An S3 before the real one that answers some writes itself, as stores do that are in trouble or know less."""

import http.client
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit


class RefusingStore:
    """Forwards everything but conditional writes, which it answers with a status and S3's word for it."""

    def __init__(self, endpoint_url: str, *, status: int, code: str) -> None:
        target = urlsplit(endpoint_url)
        body = f"<Error><Code>{code}</Code><Message>no</Message></Error>".encode()
        self.refused = 0
        store = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _answer(self) -> None:
                sent = self.rfile.read(int(self.headers.get("content-length", 0)))
                if self.command == "PUT" and self.headers.get("if-match"):
                    store.refused += 1
                    self._say(status, [("content-type", "application/xml")], body)
                    return
                # The signature is over the host that was asked, so that it is passed on as it came.
                connection = http.client.HTTPConnection(str(target.hostname), target.port)
                connection.request(self.command, self.path, sent, dict(self.headers))
                answer = connection.getresponse()
                content = answer.read()
                self._say(answer.status, answer.getheaders(), content)
                connection.close()

            do_GET = do_PUT = do_HEAD = do_POST = do_DELETE = _answer

            def _say(self, status: int, headers: list[tuple[str, str]], content: bytes) -> None:
                self.send_response(status)
                for name, value in headers:
                    if name.lower() not in ("transfer-encoding", "connection", "date", "server"):
                        self.send_header(name, value)
                if not any(name.lower() == "content-length" for name, _ in headers):
                    self.send_header("content-length", str(len(content)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(content)

            def log_message(self, format: str, *arguments: object) -> None:
                return

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
