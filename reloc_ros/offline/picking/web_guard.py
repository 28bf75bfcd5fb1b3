"""Who may see and use the page of `reloc web`: browsers of this computer, and of others those that know a token.

That a server listens on this computer alone keeps no website out: the browser that looks at it can be told to send
requests anywhere, and a name that the site's owner has can be made to lead here. Hence Host and Origin are looked at.
"""

from __future__ import annotations

import contextlib
import hmac
import http
import http.cookies
import ipaddress
import re
import secrets
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

import websockets.asyncio.server
from websockets.asyncio.server import ServerConnection
from websockets.http11 import Request, Response

from reloc_ros.errors import RelocError

_COOKIE = "reloc_token"
_TOKEN = re.compile(r"[A-Za-z0-9_-]{8,}")
_Answer = Callable[[ServerConnection, Request], "Response | None"]


def parse_token(given: str | None) -> str:
    """The token that a user gave, a new one for `auto`, or none, which is empty."""
    if given == "auto":
        return secrets.token_urlsafe(12)
    if given is not None and not _TOKEN.fullmatch(given):
        raise RelocError("--token takes 8 or more letters, digits, - and _, or auto, which makes one up")
    return given or ""


@dataclass(frozen=True)
class Guard:
    """Looks at each request before it is answered."""

    host: str
    """What the page listens at."""
    token: str = ""
    """Without it nothing is answered; empty: whoever can reach the page may use it."""

    def __post_init__(self) -> None:
        if not self.token and not _is_of_this_computer(self.host):
            raise RelocError(
                f"--host {self.host} lets others see and change the landmarks; give --token auto too, and only those "
                "with the address that is then printed can"
            )

    def address(self, port: int) -> str:
        """What to open in a browser."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{port}" + (f"/?token={self.token}" if self.token else "")

    def before(self, answer: _Answer) -> _Answer:
        """What answers requests that this lets through as `answer` does, and refuses others."""

        def guarded(connection: ServerConnection, request: Request) -> Response | None:
            problem = self._problem_with(request)
            if problem:
                return connection.respond(http.HTTPStatus.FORBIDDEN, f"{problem}\n")
            response = answer(connection, request)
            if response is not None:
                response.headers["Content-Security-Policy"] = "frame-ancestors 'none'"
                if self.token:
                    response.headers["Set-Cookie"] = f"{_COOKIE}={self.token}; HttpOnly; SameSite=Strict"
            return response

        return guarded

    def _problem_with(self, request: Request) -> str:
        """Why a request is refused, as a sentence; empty where it is not."""
        hosts, origins = (request.headers.get_all(name) for name in ("Host", "Origin"))
        if len(hosts) != 1 or not self._is_ours(_host_name(hosts[0])):
            return "this page is not to be found by that name; open the address that reloc web printed"
        ours = {f"{scheme}://{hosts[0]}".lower() for scheme in ("http", "https")}
        if not ours.issuperset(origin.lower() for origin in origins):
            return "another site asks for this page; open the address that reloc web printed"
        if self.token and not any(map(self._is_token, _tokens(request))):
            return "the token is missing or wrong; open the address that reloc web printed"
        return ""

    def _is_token(self, told: str) -> bool:
        return hmac.compare_digest(self.token.encode(), told.encode())

    def _is_ours(self, name: str) -> bool:
        """Whether a name cannot be one that somebody else made lead here; no website has an address for a name."""
        computer = socket.gethostname().lower()
        return name in ("localhost", self.host.lower(), computer, f"{computer}.local") or _is_address(name)


@contextlib.contextmanager
def guarding(guard: Guard) -> Iterator[list[Guard]]:
    """Servers that viser starts meanwhile ask a guard first; viser itself has no word for that.

    Yields what stays empty if none was started in the way that is known, so that none is guarded.
    """
    serve, guarded = websockets.asyncio.server.serve, []

    def guarded_serve(*args: Any, process_request: _Answer | None = None, **options: Any) -> Any:
        guarded.append(guard)
        answer = process_request or (lambda *_: None)
        return serve(*args, process_request=guard.before(answer), **options)

    websockets.asyncio.server.serve = guarded_serve
    try:
        yield guarded
    finally:
        websockets.asyncio.server.serve = serve


def _is_of_this_computer(host: str) -> bool:
    try:
        found = {entry[4][0] for entry in socket.getaddrinfo(host, None)} if host else set()
    except OSError:
        return True  # nothing can listen there at all, which will be said
    return bool(found) and all(ipaddress.ip_address(address).is_loopback for address in found)


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _host_name(host: str) -> str:
    """Without its port; empty for what is no host."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _tokens(request: Request) -> Iterator[str]:
    """What a request has for a token, in its address or from the page that it comes from."""
    yield from parse_qs(request.path.partition("?")[2]).get("token", ())
    for header in request.headers.get_all("Cookie"):
        with contextlib.suppress(http.cookies.CookieError):
            cookies = http.cookies.SimpleCookie(header)
            if _COOKIE in cookies:
                yield cookies[_COOKIE].value
