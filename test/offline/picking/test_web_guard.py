"""Requests as browsers and others send them to the page of `reloc web`."""

from __future__ import annotations

import contextlib
import http.client
import importlib.metadata
import re
import socket
from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from reloc_ros.errors import RelocError

pytest.importorskip("viser", reason="viser is not installed: pip install 'reloc_ros[web]'")
from reloc_ros.offline.picking import web, web_guard
from reloc_ros.offline.picking.web_guard import Guard, parse_token

TOKEN = "a-word-of-16-let"
HANDSHAKE = {
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Protocol": f"viser-v{importlib.metadata.version('viser')}",
}


class Asked:
    """A running page, and what it answers."""

    def __init__(self, guard: Guard) -> None:
        self.server = web.serve(guard, 0)
        self.port = self.server.get_port()

    def __call__(self, path: str = "/", **headers: str) -> SimpleNamespace:
        given = {"Host": f"localhost:{self.port}"} | headers
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)) as connection:
            connection.request("GET", path, headers=given)
            with connection.getresponse() as answer:
                body = b"" if answer.status == 101 else answer.read()
        return SimpleNamespace(status=answer.status, headers=answer.headers, body=body)


@pytest.fixture(scope="module")
def open_page() -> Iterator[Asked]:
    asked = Asked(Guard("127.0.0.1"))
    yield asked
    with web.quietly():
        asked.server.stop()


@pytest.fixture(scope="module")
def page_with_token() -> Iterator[Asked]:
    asked = Asked(Guard("0.0.0.0", TOKEN))
    yield asked
    with web.quietly():
        asked.server.stop()


@pytest.mark.parametrize("name", ["localhost", "LOCALHOST", "127.0.0.1", "[::1]"])
def test_a_browser_of_this_computer_gets_the_page_and_its_socket(open_page, name):
    host = f"{name}:{open_page.port}"
    answer = open_page(Host=host)
    assert answer.status == 200 and b"<html" in answer.body.lower()
    assert answer.headers["Content-Security-Policy"] == "frame-ancestors 'none'"
    assert open_page(Host=host, Origin=f"http://{host}", **HANDSHAKE).status == 101
    assert open_page(Host=host, **HANDSHAKE).status == 101  # a program, which could say anything


@pytest.mark.parametrize(
    "name", ["a.site.example", "localhost.site.example", "", "[", "127.0.0.1.site.example"]
)
def test_a_name_that_somebody_made_lead_here_gets_nothing(open_page, name):
    for further in ({}, HANDSHAKE):
        answer = open_page(Host=f"{name}:{open_page.port}", **further)
        assert answer.status == 403 and b"address that reloc web printed" in answer.body


@pytest.mark.parametrize(
    "origin", ["http://a.site.example", "null", "http://localhost", "http://localhost:1", ""]
)
def test_another_site_gets_nothing(open_page, origin):
    for further in ({}, HANDSHAKE):
        answer = open_page(Origin=origin, **further)
        assert answer.status == 403 and b"another site" in answer.body


def test_with_a_token_nothing_is_answered_without_it(page_with_token):
    host = f"{socket.gethostname()}:{page_with_token.port}"
    for path in ("/", "/?token=", "/?token=another-word", f"/?token={TOKEN}s", "/?token=%C3%A4", "//[?a"):
        for further in ({}, HANDSHAKE):
            answer = page_with_token(path, Host=host, **further)
            assert answer.status == 403 and b"token is missing or wrong" in answer.body
    assert page_with_token("/", Cookie="reloc_token=another-word").status == 403
    assert page_with_token("/", Cookie="a;b=;;=,[]").status == 403


def test_the_address_with_the_token_opens_the_page_which_then_has_it_for_all_that_follows(page_with_token):
    answer = page_with_token(f"/?token={TOKEN}")
    cookie = answer.headers["Set-Cookie"]
    assert answer.status == 200 and cookie == f"reloc_token={TOKEN}; HttpOnly; SameSite=Strict"
    kept = cookie.partition(";")[0]
    assert page_with_token("/", Cookie=f"theme=dark; {kept}").status == 200
    assert page_with_token("/", Cookie=kept, **HANDSHAKE).status == 101
    assert page_with_token(f"/?token={TOKEN}", Host="a.site.example").status == 403
    assert page_with_token("/", Cookie=kept, Origin="http://a.site.example", **HANDSHAKE).status == 403


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "", "192.0.2.7"])
def test_beyond_this_computer_it_listens_with_a_token_only(host):
    with pytest.raises(RelocError, match="lets others see and change the landmarks; give --token auto"):
        Guard(host)
    assert Guard(host, TOKEN).token == TOKEN


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.8.9.10", "::1"])
def test_on_this_computer_it_needs_none(host):
    assert Guard(host).token == ""


def test_addresses_hold_the_token():
    assert Guard("localhost").address(8080) == "http://localhost:8080"
    assert Guard("::1", TOKEN).address(80) == f"http://[::1]:80/?token={TOKEN}"


def test_tokens():
    assert parse_token(None) == "" and parse_token(TOKEN) == TOKEN
    made = parse_token("auto")
    assert re.fullmatch(r"[\w-]{16}", made) and made != parse_token("auto")
    for given in ("", "short", "with a blank", "ümlaut-and-more", "semi;colon;"):
        with pytest.raises(RelocError, match="--token takes 8 or more letters"):
            parse_token(given)


def test_a_server_that_did_not_ask_the_guard_is_stopped(monkeypatch):
    monkeypatch.setattr(Guard, "before", lambda *_: pytest.fail("not to be asked"))
    started = []

    class Unguarded:
        def __init__(self, **_: object) -> None:
            started.append(self)

        def stop(self) -> None:
            started.clear()

    monkeypatch.setattr(web.viser, "ViserServer", Unguarded)
    serve = web_guard.websockets.asyncio.server.serve
    with pytest.raises(RelocError, match="cannot be guarded"):
        web.serve(Guard("localhost"), 0)
    assert not started and web_guard.websockets.asyncio.server.serve is serve
