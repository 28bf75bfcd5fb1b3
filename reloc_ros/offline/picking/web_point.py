"""The one point that the page of `reloc web` looks at: where it is seen, and what it looks like there.  (viser)"""

from __future__ import annotations

import functools
import html
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import viser

from reloc_ros.errors import RelocError
from reloc_ros.landmarks import Landmarks
from reloc_ros.offline.landmarks.labels import Visibility
from reloc_ros.offline.landmarks.visibility import METHODS, label_images
from reloc_ros.offline.picking import web_panel
from reloc_ros.offline.picking.landmark_session import LandmarkSession
from reloc_ros.offline.picking.web_scene import Scene

logger = logging.getLogger(__name__)


class PointView:
    """Shows a point at once by the depth test, and a moment later by the test that `reloc label` uses.

    Callers hold the session's lock.
    """

    def __init__(self, session: LandmarkSession, scene: Scene, panel: viser.GuiHtmlHandle) -> None:
        self._session, self._scene, self._panel = session, scene, panel
        self._test = _test_of_label(session)
        self._point: Landmarks | None = None
        self._described: Callable[[str], str] | None = None  # what is known of it, given a title
        self._careful = ThreadPoolExecutor(max_workers=1)

    def stop(self) -> None:
        """For good. The one call for which the lock must not be held."""
        self._point = None
        self._careful.shutdown(cancel_futures=True)

    def show(self, point: Landmarks | None) -> None:
        """Look at one point, a landmark or what would be one, or at none."""
        self._point, self._described = point, None
        if point is not None:
            self._careful.submit(self._examine, point)
            self._describe(point, {"method": "depth"}, with_pictures=False)
            return
        self._scene.show_focus(None, [])
        self.refresh()

    def refresh(self) -> None:
        """Say it again, since the landmarks, and how they serve the views, may have changed."""
        editor = self._session.editor
        if self._point is None:
            self._panel.content = web_panel.paragraph("None yet.")
            self._scene.colour_cameras(web_panel.view_colours(editor.selection))
        elif self._described is not None:
            identity = self._point.ids[0]
            kind = "Landmark" if identity in editor.landmarks.ids else "No landmark"
            self._panel.content = self._described(f"{kind}, point {identity} of the map")

    def _examine(self, point: Landmarks) -> None:
        """Look at a point carefully, unless another one is looked at by now."""
        if point is not self._point:
            return
        try:
            self._describe(point, self._test, with_pictures=True)
        except RelocError as error:
            logger.warning("%s", error)
            self._panel.content = web_panel.paragraph(html.escape(str(error)))

    def _describe(self, point: Landmarks, test: dict[str, Any], with_pictures: bool) -> None:
        model, images_dir = self._session.editor.model, self._session.workspace.images_dir
        labels = label_images(model, point, images_dir=images_dir, **test)
        found = web_panel.portraits(model, labels, images_dir) if with_pictures else []
        note = (
            f"by the {test['method']} test of reloc label" if with_pictures else "comparing with the images …"
        )
        states = labels.visibility[:, 0]
        with self._session.lock:
            if point is not self._point:
                return  # another one is looked at by now
            self._described = functools.partial(web_panel.point, labels=labels, found=found, note=note)
            self.refresh()
            self._scene.show_focus(point.positions_map[0], np.flatnonzero(states == Visibility.SEEN).tolist())
            self._scene.colour_cameras(web_panel.state_colours(states))


def _test_of_label(session: LandmarkSession) -> dict[str, Any]:
    """The test, as arguments of `label_images`, that made the labels of the workspace, or that would make them."""
    how = (session.workspace.summary("label") or {}).get("how", {})
    return how if how.get("method") in METHODS else {"method": "appearance"}
