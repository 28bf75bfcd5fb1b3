import hashlib
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from reloc_ros.offline.training import pretrained
from reloc_ros.offline.training.pretrained import fetched_weights

CONTENT = b"weights" * 1000
NAME = f"resnet18-{hashlib.sha256(CONTENT).hexdigest()[:8]}.pth"


@pytest.fixture
def server(monkeypatch):
    """Answers with CONTENT, or not at all where the path says silent."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            if "silent" in self.path:
                released.wait(10)
                return
            self.send_response(200)
            self.end_headers()
            self.wfile.write(CONTENT)

        def log_message(self, *_):
            pass

    asked, released = [], threading.Event()
    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as http:
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        monkeypatch.setenv("no_proxy", "127.0.0.1")

        def point_to(path: str) -> None:
            monkeypatch.setitem(pretrained.URLS, "resnet18", f"http://127.0.0.1:{http.server_port}/{path}")

        point_to(NAME)
        yield point_to, asked
        released.set()
        http.shutdown()
        thread.join()


def test_weights_are_fetched_once(server, tmp_path):
    _, asked = server
    first = fetched_weights("resnet18", tmp_path / "cache")
    assert first.read_bytes() == CONTENT and first.name == NAME
    assert fetched_weights("resnet18", tmp_path / "cache") == first
    assert len(asked) == 1


def test_a_file_that_is_not_the_one_its_name_promises_is_not_kept(server, tmp_path, caplog):
    server[0]("resnet18-00000000.pth")
    assert fetched_weights("resnet18", tmp_path) is None
    assert "what came is not that file" in caplog.text
    assert not list(tmp_path.iterdir())


def test_no_answer_is_one_warning_and_no_wait(server, tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(pretrained, "TIMEOUT_S", 0.2)
    server[0](f"silent/{NAME}")
    started = time.monotonic()
    assert fetched_weights("resnet18", tmp_path) is None
    assert time.monotonic() - started < 5
    assert len(caplog.records) == 1 and "no ImageNet weights from http" in caplog.text


def test_no_server_is_one_warning(server, tmp_path, monkeypatch, caplog):
    monkeypatch.setitem(pretrained.URLS, "resnet18", f"http://127.0.0.1:9/{NAME}")
    assert fetched_weights("resnet18", tmp_path) is None
    assert len(caplog.records) == 1 and "refused" in caplog.text


def test_an_encoder_with_weights_of_its_own_asks_nobody(server, tmp_path):
    assert fetched_weights("efficientnet_lite0", tmp_path) is None
    assert not server[1]
