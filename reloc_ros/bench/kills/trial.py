"""One verb, killed again and again, and then let go on to its end."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from reloc_ros.bench.kills.verbs import OUT, WS, Verb, problems
from reloc_ros.errors import RelocError
from reloc_ros.offline.workspace import Workspace

IN_A_ROW = 5
"""Kills, at most, before a verb is let go on to its end."""
LITTER = (".new-*", ".old-*", ".staged", ".committed", "scratch-*", "*-journal", "*-wal")
LINGER_S = 20.0
"""That a process of a killed one may take to notice."""
REMAINS = "last.txt"
"""What the verb said last, beside the place."""


@dataclass
class Killed:
    """What came of killing one verb."""

    verb: str
    seconds: float
    """That it takes when nobody kills it."""
    kills: int = 0
    moments: list[float] = field(default_factory=list)
    """Of the kills, as shares of that time."""
    faults: list[str] = field(default_factory=list)
    """What was not as it must be, sentences."""


def whole_run(verb: Verb, place: Path) -> tuple[float, dict[str, Any]]:
    """Let it do its work; the seconds it took, and the facts of its result.

    Raises:
        RelocError: it ended otherwise than with 0.
    """
    began_s = time.monotonic()
    with (place.parent / REMAINS).open("w+") as said:
        process = _start(verb, place, said)
        try:
            while verb.until and process.poll() is None and verb.until not in _all(said):
                time.sleep(0.1)
            seconds = time.monotonic() - began_s
            if verb.until:
                process.terminate()  # SIGINT may be ignored, as by what runs in the background
            code = process.wait()
        finally:
            process.kill()
        if code != 0:
            raise RelocError(f"{verb.name} ended with code {code}: {_all(said).strip()[-400:]}")
    return (seconds if verb.until else time.monotonic() - began_s), verb.facts(place)


def kill_at_random(
    verb: Verb, place: Path, before: Path, kills: int, whole: tuple[float, dict[str, Any]], rng: random.Random
) -> Killed:
    """Kill it so often, a few times in a row from where it had come, and look at the result after each row.

    Args:
        before: the place as it is before the verb.
        whole: what `whole_run` gave.
    """
    seconds, expected = whole
    done, files = Killed(verb.name, seconds), _files(place)
    while done.kills < kills:
        shutil.rmtree(place)
        shutil.copytree(before, place, symlinks=True)
        for _ in range(min(IN_A_ROW, kills - done.kills)):
            at_s = rng.uniform(0, seconds)
            if not _killed_at(verb, place, at_s, done.faults):
                break  # it had come to its end
            done.kills += 1
            done.moments.append(at_s / seconds)
            done.faults += _cannot_be_opened(place)
        try:
            _, found = whole_run(verb, place)
            done.faults += problems(expected, found)
        except Exception as error:
            done.faults.append(f"{type(error).__name__}: {error}")
        done.faults += [f"left over: {file}" for file in sorted(_files(place) - files) if _is_litter(file)]
    return done


def _start(verb: Verb, place: Path, said: IO[str]) -> subprocess.Popen[bytes]:
    temporary = place / "tmp"
    temporary.mkdir(exist_ok=True)
    environment = os.environ | {"TMPDIR": str(temporary), "PYTHONUNBUFFERED": "1"}
    return subprocess.Popen(
        verb.command, cwd=place, stdout=said, stderr=said, env=environment, start_new_session=True
    )


def _killed_at(verb: Verb, place: Path, at_s: float, faults: list[str]) -> bool:
    with (place.parent / REMAINS).open("w+") as said:
        process = _start(verb, place, said)
        try:
            code = process.wait(at_s)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            if _others_live(process.pid):
                faults.append("processes that it had started go on")
            return True
        if code != 0:
            faults.append(f"after a kill it ended with code {code}: {_all(said).strip()[-400:]}")
        return False


def _others_live(session: int) -> bool:
    until_s = time.monotonic() + LINGER_S
    while time.monotonic() < until_s:
        try:
            os.killpg(session, 0)
        except ProcessLookupError:
            return False
        time.sleep(0.1)
    os.killpg(session, signal.SIGKILL)
    return True


def _cannot_be_opened(place: Path) -> list[str]:
    if not (place / WS / "workspace.json").exists():
        return []  # not mapped yet
    try:
        Workspace.open(place / WS)
    except Exception as error:
        return [f"the workspace does not open: {error}"]
    return []


def _files(place: Path) -> set[Path]:
    return {file.relative_to(place) for folder in (WS, OUT, "tmp") for file in (place / folder).rglob("*")}


def _is_litter(file: Path) -> bool:
    return file.parts[0] == "tmp" or any(Path(part).match(each) for part in file.parts for each in LITTER)


def _all(said: IO[str]) -> str:
    return Path(said.name).read_text(errors="replace")
