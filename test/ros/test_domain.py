"""Two sessions on one machine never share a ROS domain."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from reloc_ros.demo.ros import domain

CLAIM = "from reloc_ros.demo.ros.domain import claim_domain; print(claim_domain(), flush=True); input()"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(domain.tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(domain, "_claims", claims := [])
    for name in ("ROS_DOMAIN_ID", "ROS_AUTOMATIC_DISCOVERY_RANGE"):
        monkeypatch.setenv(name, os.environ[name])  # put back afterwards
    yield tmp_path
    for claim in claims:
        os.close(claim)


def test_a_claimed_domain_is_nobody_elses_until_its_process_ends(folder, monkeypatch):
    monkeypatch.setattr(domain, "DOMAINS", 2)
    other = subprocess.Popen(
        [sys.executable, "-c", f"from reloc_ros.demo.ros import domain; domain.DOMAINS = 2; {CLAIM}"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    taken = int(other.stdout.readline())
    mine = domain.claim_domain()
    assert {taken, mine} == {1, 2}
    assert os.environ["ROS_DOMAIN_ID"] == str(mine)
    assert os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] == "LOCALHOST"
    with pytest.raises(domain.RelocError, match="all 2 ROS domains are in use"):
        domain.claim_domain()
    other.kill()  # without a chance to give it back
    other.communicate()
    assert domain.claim_domain() == taken


def test_what_belongs_to_another_user_is_left_alone(folder, monkeypatch):
    monkeypatch.setattr(domain, "DOMAINS", 2)
    (folder / "reloc_ros_domain_1.lock").mkdir()  # cannot be opened, whoever asks
    assert domain.claim_domain() == 2
