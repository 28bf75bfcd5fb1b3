"""Kill every verb of `reloc` with SIGKILL at random moments of its whole length, and tell what was not as it must be.

    python -m reloc_ros.bench.kills [--kills 12] [--verbs map,train] [--seed 1] [--output build/kills]

The workspace is of small pictures of the demo's room. After each kill it must open; after a few in a row the verb must
go on to a result as that of a run that nobody killed, and leave nothing behind.
"""

from __future__ import annotations

import argparse
import dataclasses
import random
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from reloc_ros.bench.kills.trial import kill_at_random, whole_run
from reloc_ros.bench.kills.verbs import FILM, OUT, make_film, verbs
from reloc_ros.errors import RelocError
from reloc_ros.io.atomic import write_json


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code 1 where something was not as it must be."""
    parser = argparse.ArgumentParser(prog="kills", description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--kills", type=int, default=12, help="of each verb")
    add("--verbs", default="", help="some of them, with commas; the others just do their work")
    add("--seed", type=int, default=1)
    add("--pictures", type=int, default=29)
    add("--size", default="320x240", help="WIDTHxHEIGHT of the pictures")
    add("--steps", type=int, default=20, help="of the training")
    add("--width", type=int, default=128, help="of the network's input")
    add("--output", type=Path, default=Path("build/kills"), help="its folder, which is made anew")
    given = parser.parse_args(arguments)
    try:
        results = _kill_all(given)
    except RelocError as error:
        print(f"kills: {error}", file=sys.stderr)
        return RelocError.EXIT_CODE
    write_json(given.output / "kills.json", {"format": 1, "verbs": results})
    faults = sum(len(each["faults"]) for each in results)
    print(f"{sum(each['kills'] for each in results)} kills, {faults} faults")
    return 1 if faults else 0


def _kill_all(given: argparse.Namespace) -> list[dict[str, object]]:
    place, before = given.output.absolute() / "place", given.output.absolute() / "before"
    shutil.rmtree(given.output, ignore_errors=True)
    (place / OUT).mkdir(parents=True)
    width, height = map(int, given.size.split("x"))
    make_film(place / FILM, given.pictures, width, height)
    rng, results = random.Random(given.seed), []
    for verb in verbs(given.steps, given.width):
        shutil.rmtree(before, ignore_errors=True)
        shutil.copytree(place, before)
        whole = whole_run(verb, place)
        if given.verbs and verb.name not in given.verbs.split(","):
            continue
        done = kill_at_random(verb, place, before, given.kills, whole, rng)
        print(f"{verb.name:8} {whole[0]:6.1f} s  {done.kills} kills, {len(done.faults)} faults", flush=True)
        for fault in done.faults:
            print(f"  - {fault}", flush=True)
        results.append(dataclasses.asdict(done))
    return results


if __name__ == "__main__":
    sys.exit(main())
