"""One notice to one receiver: a webhook signed with HMAC, a mail, a command. Each ends within a set time."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import http.client
import json
import os
import signal
import smtplib
import ssl
import subprocess
import urllib.error
import urllib.request
from email.message import EmailMessage
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from jupyter_mlops.domain import variables
from jupyter_mlops.domain.parameter import SECRET
from jupyter_mlops.errors import InputError
from jupyter_mlops.jobs.notices.targets import FILE, Target

SECONDS = 10.0
"""How long a server may take to connect and to answer."""
COMMAND_SECONDS = 60.0
_MAY_PASS = (408, 425, 429)
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


class NotSentError(Exception):
    """A receiver did not take a notice; `final` where trying again is of no use."""

    def __init__(self, message: str, *, final: bool = False) -> None:
        super().__init__(message)
        self.final = final


def send(target: Target, event: dict[str, Any], *, folder: Path, timestamp: int) -> None:
    """Deliver `event`; `folder` is the project's. Raises `NotSentError` or `MLOpsError`."""
    if target.kind == "url":
        _send_webhook(target, event, folder, timestamp)
    elif target.kind == "mail":
        _send_mail(target, event, folder)
    else:
        _run_command(target, event, folder)


def body_of(event: dict[str, Any]) -> bytes:
    """The bytes that a webhook gets and signs: the same each time they are sent."""
    return json.dumps(event, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def signature(key: str, timestamp: int, body: bytes) -> str:
    """`sha256=` and the HMAC-SHA256, in hexadecimal, of the time, a full stop and the body."""
    return "sha256=" + hmac.new(key.encode(), b"%d." % timestamp + body, hashlib.sha256).hexdigest()


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A redirect is an error: what is signed for one receiver is sent to no other."""

    def redirect_request(self, *_: object) -> None:
        return None


def _send_webhook(target: Target, event: dict[str, Any], folder: Path, timestamp: int) -> None:
    body = body_of(event)
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "jupyter-mlops",
        "X-MLOps-Event": event["event"],
        "X-MLOps-Delivery": event["id"],
        "X-MLOps-Timestamp": str(timestamp),
    }
    if target.key:
        headers["X-MLOps-Signature"] = signature(_resolve(target.key, folder), timestamp, body)
    url = _resolve(target.value[0], folder)
    if urlsplit(url).scheme not in ("http", "https"):
        raise NotSentError("the value of the secret is not a URL", final=True)
    opener = urllib.request.build_opener(_NoRedirects)
    try:
        request = urllib.request.Request(url, body, headers, method="POST")
        with opener.open(request, timeout=SECONDS) as answer:
            answer.read(1024)
    except urllib.error.HTTPError as error:
        error.close()
        final = 300 <= error.code < 500 and error.code not in _MAY_PASS
        raise NotSentError(f"the receiver answered {error.code}", final=final) from None
    except urllib.error.URLError as error:
        raise NotSentError(f"the receiver cannot be reached: {_plain(error.reason)}") from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise NotSentError(f"the receiver did not answer: {_plain(error)}") from None


def _send_mail(target: Target, event: dict[str, Any], folder: Path) -> None:
    server = target.smtp.get("server")
    if not server:
        raise InputError("No mail server is known.", f'Set [smtp] server = "smtp://HOST:PORT" in {FILE}.')
    parts = urlsplit(_resolve(server, folder))
    if parts.scheme not in ("smtp", "smtps") or not parts.hostname:
        raise InputError("The mail server is not an smtp:// URL.", f'Set server = "smtp://HOST:PORT" in {FILE}.')
    message = _mail(target, event)
    context = ssl.create_default_context()
    try:
        if parts.scheme == "smtps":
            client: smtplib.SMTP = smtplib.SMTP_SSL(parts.hostname, parts.port or 465, timeout=SECONDS, context=context)
        else:
            client = smtplib.SMTP(parts.hostname, parts.port or 25, timeout=SECONDS)
        with client:
            encrypted = parts.scheme == "smtps"
            client.ehlo_or_helo_if_needed()
            if not encrypted and client.has_extn("starttls"):
                client.starttls(context=context)
                encrypted = True
            if "password" in target.smtp:
                if not encrypted and parts.hostname not in _LOOPBACK:
                    raise NotSentError("the mail server offers no encryption for the password", final=True)
                client.login(target.smtp.get("user", ""), _resolve(target.smtp["password"], folder))
            refused = client.send_message(message)
    except smtplib.SMTPResponseException as error:
        raise NotSentError(f"the mail server answered {error.smtp_code}", final=error.smtp_code >= 500) from None
    except smtplib.SMTPRecipientsRefused:
        raise NotSentError("the mail server knows none of the addresses", final=True) from None
    except (OSError, smtplib.SMTPException) as error:
        raise NotSentError(f"the mail server did not accept it: {_plain(error)}") from None
    if refused:
        raise NotSentError(f"the mail server refused {', '.join(refused)}", final=True)


def _mail(target: Target, event: dict[str, Any]) -> EmailMessage:
    message = EmailMessage()
    sender = target.smtp.get("from") or target.smtp.get("user") or target.value[0]
    message["From"] = sender
    message["To"] = ", ".join(target.value)
    message["Subject"] = " ".join(f"[mlops] {event['summary']}".split())
    message["Message-ID"] = f"<{event['id']}@jupyter-mlops>"
    message["X-MLOps-Event"] = event["event"]
    run = event["run"]
    lines = [event["summary"], ""]
    for name in ("notebook", "status", "parameters", "metrics", "output_path", "started_at", "ended_at"):
        if run.get(name):
            value = run[name]
            shown = ", ".join(f"{key}={item}" for key, item in value.items()) if isinstance(value, dict) else value
            lines.append(f"{name}: {shown}")
    if run.get("error"):
        lines += ["", str(run["error"]["message"])]
    message.set_content("\n".join(lines))
    return message


def _run_command(target: Target, event: dict[str, Any], folder: Path) -> None:
    environment = {**os.environ, variables.EVENT: event["event"], variables.NOTICE: event["id"]}
    try:
        process = subprocess.Popen(
            [_resolve(word, folder) for word in target.value],
            cwd=folder,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        raise NotSentError(f"the command cannot be started: {_plain(error)}") from None
    try:
        _, told = process.communicate(body_of(event), timeout=COMMAND_SECONDS)
    except subprocess.TimeoutExpired:
        _kill(process)
        raise NotSentError(f"the command took longer than {COMMAND_SECONDS:.0f} s") from None
    if process.returncode:
        last = told.decode("utf-8", "replace").strip().splitlines()[-1:]
        raise NotSentError(f"the command ended with {process.returncode}: {''.join(last)[:200]}".rstrip(": "))


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End the command with all that it started."""
    with contextlib.suppress(OSError):
        if os.name == "posix":
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
    process.communicate()


def _resolve(text: str, folder: Path) -> str:
    """The value of `secret:NAME`; any other text as it is."""
    match = SECRET.match(text)
    if match is None:
        return text
    from jupyter_mlops.secrets.lookup import look_up

    return str.__str__(look_up(match[1], folder))


def _plain(error: object) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
