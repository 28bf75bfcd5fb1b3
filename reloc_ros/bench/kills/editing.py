"""What a person does in `reloc web`, without the browser: landmarks are added one by one, and saved now and then."""

from __future__ import annotations

import contextlib
import sys
import time
from pathlib import Path

from reloc_ros.errors import RelocError
from reloc_ros.offline.picking.landmark_session import LandmarkSession
from reloc_ros.offline.workspace import Workspace

STEP, EDITS, SAVE_EVERY = 7, 60, 10
BETWEEN_S = 0.03


def main() -> None:
    session = LandmarkSession(Workspace.open(Path(sys.argv[1])))
    for edit in range(EDITS):
        with contextlib.suppress(RelocError):  # there is a landmark already, as after a kill
            session.editor.add(STEP * edit)
        session.changed()
        time.sleep(BETWEEN_S)
        if (edit + 1) % SAVE_EVERY == 0:
            session.save()


if __name__ == "__main__":
    main()
