"""Feeds odd data to readers for minutes, each time other data; see scripts/fuzz."""

from __future__ import annotations

import argparse
import os
import random
import tempfile
import time
import traceback
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from hypothesis import HealthCheck, Phase, given, settings

if TYPE_CHECKING:
    from fuzz.targets import Target

ROUND = 500
SEEDS, SEED_BYTES = 64, 4096
TIMEOUT_S = 60
"""That a reader may take for one input; then the process ends, as it does beyond 4 GB."""


class Run:
    """What came of one target."""

    def __init__(self, name: str, target: Target) -> None:
        self.name, self.target = name, target
        self.inputs = self.taken = 0
        self.faults: dict[str, str] = {}
        """What went wrong, by its kind and the line of ours that it came from."""

    def feed(self, data: object) -> None:
        self.inputs += 1
        try:
            self.taken += self.target.takes(data)
        except Exception as error:
            ours = [
                frame for frame in traceback.extract_tb(error.__traceback__) if "reloc_ros" in frame.filename
            ]
            place = f"{ours[-1].filename}:{ours[-1].lineno}" if ours else "test"
            told = f"{traceback.format_exc(limit=-3)}of {str(data)[:2000]}"
            self.faults.setdefault(f"{type(error).__name__} at {place}", told)

    def go(self, minutes: float) -> None:
        until_s = time.monotonic() + 60 * minutes
        checks = {"deadline": None, "database": None, "suppress_health_check": list(HealthCheck)}
        read = settings(max_examples=ROUND, phases=[Phase.generate], **checks)(
            given(self.target.inputs)(self.feed)
        )
        while time.monotonic() < until_s:
            read()

    def __str__(self) -> str:
        kinds = "".join(f"\n{kind}\n{told}\n" for kind, told in self.faults.items())
        return f"{self.name}: {self.inputs} inputs, {self.taken} taken, {len(self.faults)} faults{kinds}"


def with_atheris(name: str, minutes: float) -> None:
    """The same data, chosen by what of our code it reaches; tells as much, and ends the process."""
    import atheris

    with atheris.instrument_imports(include=["reloc_ros"]):
        from fuzz.targets import TARGETS
    run, until_s = Run(name, TARGETS[name]()), time.monotonic() + 60 * minutes
    checks = settings(deadline=None, database=None, suppress_health_check=list(HealthCheck))
    draw = checks(given(run.target.inputs)(run.feed)).hypothesis.fuzz_one_input

    def feed(data: bytes) -> None:
        draw(data)
        if time.monotonic() > until_s:
            print(run, flush=True)
            corpus.cleanup()
            os._exit(int(bool(run.faults)))  # libFuzzer has no other end

    corpus = tempfile.TemporaryDirectory()
    for row in range(SEEDS):  # choices of hypothesis, enough for whole data
        Path(corpus.name, str(row)).write_bytes(random.Random(row).randbytes(SEED_BYTES))
    limits = "-len_control=0", f"-max_len={SEED_BYTES}", "-rss_limit_mb=4096", f"-timeout={TIMEOUT_S}"
    atheris.Setup([name, *limits, corpus.name], feed)
    atheris.Fuzz()


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="scripts/fuzz", description="Feed odd data to what reads data of others."
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="of test/fuzz/targets.py; none: all")
    parser.add_argument("--minutes", type=float, default=10.0, help="for each")
    parser.add_argument(
        "--atheris", action="store_true", help="guided by coverage: one NAME, and atheris installed"
    )
    asked = parser.parse_args()
    warnings.simplefilter("error")
    if asked.atheris:
        with_atheris(*asked.names, asked.minutes)
    from fuzz.targets import TARGETS

    faults = 0
    for name in asked.names or TARGETS:
        run = Run(name, TARGETS[name]())
        run.go(asked.minutes)
        faults += len(run.faults)
        print(run, flush=True)
    raise SystemExit(int(faults > 0))


if __name__ == "__main__":
    main()
