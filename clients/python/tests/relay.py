"""A relay between the client and a real server, which causes the faults of a network."""

from __future__ import annotations

import http.client
import json
import threading
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Dict, List, NamedTuple, Optional

LOSE = "lose"  # pass the request on, and close the connection when the response begins
REFUSE = "refuse"  # respond 503 with Retry-After
BUSY = "busy"  # respond as a proxy whose server does not respond
REDIRECT = "redirect"  # respond with a redirect to another address
CUT = "cut"  # pass the response on, and close the connection within its second half


class Seen(NamedTuple):
    """A request that arrived."""

    method: str
    path: str
    headers: Dict[str, str]


class Relay:
    """Passes requests on to a server. faults apply to the next requests, one each."""

    def __init__(self, url: str) -> None:
        self.upstream = urllib.parse.urlsplit(url).netloc
        self.faults: List[Optional[str]] = []
        self.extend = False  # add unknown fields to JSON responses, as a newer server does
        self.chunked = False  # send responses without Content-Length
        self.cut_after = 0  # lines of an event stream after which CUT ends it
        self.seen: List[Seen] = []
        self.last = b""  # body of the last response
        handler = type("Handler", (_Handler,), {"relay": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    relay: Relay
    protocol_version = "HTTP/1.1"

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.relay.seen.append(Seen(self.command, self.path, {k.lower(): v for k, v in self.headers.items()}))
        fault = self.relay.faults.pop(0) if self.relay.faults else None
        self.close_connection = True
        if fault == REFUSE:
            problem = {"title": "Service Unavailable", "status": 503, "code": "database_unavailable", "detail": "later", "request_id": "r"}
            return self._respond(503, json.dumps(problem).encode(), {"Retry-After": "0", "Content-Type": "application/problem+json"})
        if fault == BUSY:
            return self._respond(502, b"<html>Bad Gateway</html>", {"Content-Type": "text/html"})
        if fault == REDIRECT:
            return self._respond(302, b"", {"Location": self.relay.url + "/elsewhere"})
        connection = http.client.HTTPConnection(self.relay.upstream, timeout=60)
        try:
            headers = {k: v for k, v in self.headers.items() if k.lower() not in ("host", "connection")}
            connection.request(self.command, self.path, body or None, {**headers, "Host": self.relay.upstream})
            self._pass_on(connection.getresponse(), fault)
        finally:
            connection.close()

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _serve

    def _pass_on(self, response: http.client.HTTPResponse, fault: Optional[str]) -> None:
        kept = {k: v for k, v in response.getheaders() if k.lower() not in ("content-length", "transfer-encoding", "connection")}
        if fault == LOSE:
            return
        if (response.headers.get("Content-Type") or "").startswith("text/event-stream"):
            return self._pass_stream(response, kept, fault)
        text = response.read()
        if self.relay.extend and "json" in (response.headers.get("Content-Type") or "") and text:
            text = json.dumps(_extended(json.loads(text))).encode()
        self.relay.last = text
        self._respond(response.status, text, kept, cut=fault == CUT)

    def _pass_stream(self, response: http.client.HTTPResponse, headers: Dict[str, str], fault: Optional[str]) -> None:
        self.send_response(response.status)
        for name, value in {**headers, "Connection": "close"}.items():
            self.send_header(name, value)
        self.end_headers()
        lines = 0
        while True:
            line = response.readline()
            if not line or (fault == CUT and lines >= self.relay.cut_after):
                return
            if self.relay.extend and line.startswith(b"data:"):
                line = b"data: " + json.dumps(_extended(json.loads(line[5:]))).encode() + b"\n"
            try:
                self.wfile.write(line)
            except OSError:  # the client has ended the stream
                return
            lines += 1

    def _respond(self, status: int, body: bytes, headers: Dict[str, str], *, cut: bool = False) -> None:
        self.send_response(status)
        for name, value in {**headers, "Connection": "close"}.items():
            self.send_header(name, value)
        chunked = self.relay.chunked and status == 200
        if chunked:
            self.send_header("Transfer-Encoding", "chunked")
        elif status not in (204, 304):
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        body = body[: len(body) // 2 + 1] if cut else body
        if chunked:
            body = b"%x\r\n%s\r\n" % (len(body), body) + (b"" if cut else b"0\r\n\r\n")
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Print nothing."""


def _extended(value: Any) -> Any:
    """Add unknown fields to every object of a response."""
    if isinstance(value, dict):
        return {**{name: _extended(one) for name, one in value.items()}, "from_the_future": {"a": [1]}, "class": "x"}
    if isinstance(value, list):
        return [_extended(one) for one in value]
    return value
