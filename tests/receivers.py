"""Receivers of notices on loopback: a web server and a mail server that keep what they got."""

from __future__ import annotations

import contextlib
import http.server
import socketserver
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Received:
    """What came, and where from: `port` is the server's. `answers` are given in turn, the last one again and again."""

    port: int = 0
    answers: list[int] = field(default_factory=lambda: [200])
    requests: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    mails: list[str] = field(default_factory=list)
    logins: list[str] = field(default_factory=list)
    release: threading.Event = field(default_factory=threading.Event)
    """Where an answer is 0, nothing is said until this is set."""

    def answer(self) -> int:
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


@contextlib.contextmanager
def _served(server: socketserver.BaseServer, received: Received) -> Iterator[Received]:
    received.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield received
    finally:
        received.release.set()
        server.shutdown()
        server.server_close()
        thread.join()


class _Threads(socketserver.ThreadingMixIn):
    daemon_threads = True
    block_on_close = False


class _WebServer(_Threads, http.server.HTTPServer):
    pass


class _MailServer(_Threads, socketserver.TCPServer):
    allow_reuse_address = True


@contextlib.contextmanager
def web_server(*answers: int) -> Iterator[Received]:
    """A server that takes POST requests and answers with these statuses."""
    received = Received(answers=list(answers) or [200])

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            received.requests.append((dict(self.headers.items()), body))
            status = received.answer()
            if not status:
                received.release.wait(30)
                return
            self.send_response(status)
            if 300 <= status < 400:
                self.send_header("Location", f"http://127.0.0.1:{received.port}/elsewhere")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    with _served(_WebServer(("127.0.0.1", 0), Handler), received) as served:
        yield served


@contextlib.contextmanager
def mail_server(*answers: int) -> Iterator[Received]:
    """A server that speaks as much SMTP as a mail takes; to RCPT it answers with these statuses."""
    received = Received(answers=list(answers) or [250])

    class Handler(socketserver.StreamRequestHandler):
        def say(self, text: str) -> None:
            self.wfile.write(f"{text}\r\n".encode())

        def handle(self) -> None:
            self.say("220 here")
            while line := self.rfile.readline().decode().strip():
                word = line.split()[0].upper()
                if word == "EHLO":
                    self.say("250-here\r\n250 AUTH PLAIN")
                elif word == "AUTH":
                    received.logins.append(line.split()[-1])
                    self.say("235 welcome")
                elif word == "RCPT":
                    self.say(f"{received.answer()} as said")
                elif word == "DATA":
                    self.say("354 go on")
                    lines = []
                    while (text := self.rfile.readline().decode().rstrip("\r\n")) != ".":
                        lines.append(text)
                    received.mails.append("\n".join(lines))
                    self.say("250 kept")
                elif word == "QUIT":
                    self.say("221 bye")
                    return
                else:
                    self.say("250 ok")

    with _served(_MailServer(("127.0.0.1", 0), Handler), received) as served:
        yield served
