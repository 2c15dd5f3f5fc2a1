"""A small web server of the tests' own, which classes under test fetch from."""

from __future__ import annotations

import gzip
import json
import threading
import time
import zlib
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from hashlib import sha1
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients under test leave whenever they like."""


@dataclass
class Origin:
    """
    The server, while it runs.

    Args:
        port: Where it listens on 127.0.0.1.
        left: Paths of requests whose client left before the answer was complete.
        connections: How many were opened.
    """

    port: int
    left: list[str] = field(default_factory=list)
    connections: int = 0

    @property
    def url(self) -> str:
        """Without a slash at the end."""
        return f"http://127.0.0.1:{self.port}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    origin: Origin

    def log_message(self, format: str, *arguments: object) -> None:
        """Nothing."""

    def setup(self) -> None:
        super().setup()
        self.origin.connections += 1

    def handle_one_request(self) -> None:
        self.raw_requestline = self.rfile.readline(65537)
        if not self.raw_requestline:
            self.close_connection = True
            return
        if not self.parse_request():
            return
        split = urlsplit(self.path)
        self.query = {name: values[-1] for name, values in parse_qs(split.query).items()}
        kind, _, rest = split.path.lstrip("/").partition("/")
        try:
            getattr(self, f"on_{kind}", self.on_missing)(rest)
            self.wfile.flush()
        except (ConnectionError, TimeoutError):
            self.origin.left.append(self.path)
            self.close_connection = True

    def body(self) -> bytes:
        """The request's."""
        if "chunked" in self.headers.get("transfer-encoding", ""):
            parts = []
            while size := int(self.rfile.readline().split(b";")[0], 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(parts)
        return self.rfile.read(int(self.headers.get("content-length", 0)))

    def answer(
        self, status: int, headers: list[tuple[str, str]], body: bytes = b"", length: bool = True
    ) -> None:
        """Send it all."""
        self.send_response_only(status, self.query.get("reason"))
        for name, value in headers:
            self.send_header(name, value)
        if length and status not in (204, 304):
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD" and status not in (204, 304):
            self.wfile.write(body)

    def on_missing(self, rest: str) -> None:
        self.body()
        self.answer(404, [("Content-Type", "text/plain")], b"missing")

    def on_echo(self, rest: str) -> None:
        """What arrived, as JSON."""
        body = self.body()
        heard = {
            "method": self.command,
            "path": self.path,
            "headers": [[name, value] for name, value in self.headers.items()],
            "body": body.decode("latin-1"),
        }
        self.answer(200, [("Content-Type", "application/json")], json.dumps(heard).encode())

    def on_status(self, rest: str) -> None:
        self.body()
        status = int(rest)
        self.answer(status, [("X-Here", "yes")], b"" if status in (204, 304) else b"body")

    def on_headers(self, rest: str) -> None:
        """Headers with repeats and odd cases."""
        self.body()
        self.answer(
            200,
            [
                ("X-Twice", "1"),
                ("x-twice", "2"),
                ("Set-Cookie", "a=1"),
                ("Set-Cookie", "b=2"),
                ("X-EMPTY", ""),
            ],
            b"ok",
        )

    def on_redirect(self, rest: str) -> None:
        """/redirect/STATUS?to=URL"""
        self.body()
        headers = [("Location", unquote(self.query["to"]))] if "to" in self.query else []
        self.answer(int(rest), headers, b"moved")

    def on_loop(self, rest: str) -> None:
        """Redirects to itself as often as the number says."""
        self.body()
        left = int(rest)
        if left:
            self.answer(302, [("Location", f"/loop/{left - 1}")])
        else:
            self.answer(200, [], b"done")

    def on_coded(self, rest: str) -> None:
        """/coded/gzip: a body in that encoding."""
        self.body()
        text = "héllo ".encode() * 10
        packer = zlib.compressobj(wbits=15)
        body = {
            "gzip": gzip.compress(text, mtime=0),
            "deflate": packer.compress(text) + packer.flush(),
            "broken": b"this is not gzip",
            "cut": gzip.compress(text, mtime=0)[:-12],
            "identity": text,
            "unknown": text,
            "twice": gzip.compress(gzip.compress(text, mtime=0), mtime=0),
        }[rest]
        name = {"broken": "gzip", "cut": "gzip", "twice": "gzip, gzip", "unknown": "zorg"}.get(rest, rest)
        self.answer(200, [("Content-Encoding", name), ("Content-Type", "text/plain")], body)

    def on_chunks(self, rest: str) -> None:
        """Three chunks, chunked."""
        self.body()
        self.send_response_only(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for chunk in (b"one ", b"two ", b"three"):
            self.wfile.write(b"%x\r\n%s\r\n" % (len(chunk), chunk))
        self.wfile.write(b"0\r\n\r\n")

    def on_drip(self, rest: str) -> None:
        """A chunk, then one each 20 ms for as long as somebody listens."""
        self.body()
        self.send_response_only(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for _ in range(500):
            self.wfile.write(b"5\r\ndrip \r\n")
            self.wfile.flush()
            time.sleep(0.02)

    def on_never(self, rest: str) -> None:
        """No answer for as long as somebody waits."""
        self.body()
        self.connection.settimeout(10)
        if not self.connection.recv(1):
            raise ConnectionResetError

    def on_drop(self, rest: str) -> None:
        """The connection ends without an answer."""
        self.body()
        self.close_connection = True

    def on_short(self, rest: str) -> None:
        """Less body than was promised."""
        self.body()
        self.send_response_only(200)
        self.send_header("Content-Length", "100")
        self.end_headers()
        self.wfile.write(b"short")
        self.close_connection = True

    def on_garbage(self, rest: str) -> None:
        """Not HTTP."""
        self.body()
        self.wfile.write(b"what is this\r\n\r\n")
        self.close_connection = True

    def on_bytes(self, rest: str) -> None:
        """So many bytes."""
        self.body()
        size = int(rest)
        self.send_response_only(200)
        self.send_header("Content-Length", str(size))
        self.end_headers()
        block = bytes(65536)
        while size > 0:
            self.wfile.write(block[:size])
            size -= len(block)

    def on_events(self, rest: str) -> None:
        """An event stream that ends; it tells the last event that the client knows."""
        last = self.headers.get("last-event-id", "none")
        self.body()
        text = f": hello\nretry: 10\nid: {len(last)}\ndata: after {last}\n\nevent: named\ndata: one\ndata: two\n\n"
        self.answer(200, [("Content-Type", "text/event-stream")], text.encode())

    def on_socket(self, rest: str) -> None:
        """A WebSocket that echoes; the path says what else it does."""
        key = self.headers.get("sec-websocket-key", "").encode()
        if rest == "refused":
            self.answer(403, [("X-Why", "no")], b"go away")
            return
        self.send_response_only(101)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        accept = b64encode(sha1(key + _GUID).digest()).decode()
        self.send_header("Sec-WebSocket-Accept", "bad" if rest == "forged" else accept)
        asked = self.headers.get("sec-websocket-protocol")
        if asked:
            self.send_header("Sec-WebSocket-Protocol", asked.split(",")[-1].strip())
        self.end_headers()
        self.close_connection = True
        if rest == "lost":
            return
        if rest == "goodbye":
            self.frame(8, (4001).to_bytes(2, "big") + b"bye")
        if rest == "greets":
            self.frame(1, b"welcome")
        while True:
            head = self.rfile.read(2)
            if len(head) < 2:
                self.origin.left.append(self.path)
                return
            size = head[1] & 127
            if size >= 126:
                size = int.from_bytes(self.rfile.read(2 if size == 126 else 8), "big")
            mask = self.rfile.read(4)
            data = bytes(b ^ mask[i % 4] for i, b in enumerate(self.rfile.read(size)))
            self.frame(head[0] & 15, data)
            if head[0] & 15 == 8:
                return

    def frame(self, opcode: int, data: bytes) -> None:
        """Send one frame."""
        size = len(data)
        length = bytes([size]) if size < 126 else b"\x7e" + size.to_bytes(2, "big")
        self.wfile.write(bytes([0x80 | opcode]) + length + data)
        self.wfile.flush()


@contextmanager
def origin() -> Iterator[Origin]:
    """Serve until the block ends."""
    handler = type("Handler", (_Handler,), {})
    server = _Server(("127.0.0.1", 0), handler)
    running = Origin(server.server_address[1])
    handler.origin = running
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield running
    finally:
        server.shutdown()
        with suppress(OSError):
            server.server_close()
        thread.join()
