"""`reloc web`: choose landmarks by hand in the browser.  (viser)

The page is a thin view of a `LandmarkSession`, which knows everything that is shown here.
"""

from __future__ import annotations

import contextlib
import io
import logging
import socket
import threading
from collections.abc import Callable

import numpy as np
import viser

from reloc_ros.errors import RelocError
from reloc_ros.offline.landmarks.spread import VIEW_NEEDS, Selection
from reloc_ros.offline.picking import web_panel
from reloc_ros.offline.picking.landmark_session import LandmarkSession
from reloc_ros.offline.picking.web_guard import Guard, guarding
from reloc_ros.offline.picking.web_point import PointView
from reloc_ros.offline.picking.web_scene import Scene

logger = logging.getLogger(__name__)

TOLERANCE = 0.01
"""A click this share of the window's height beside a point still means it; pixels are of any size."""
WHOLE = "the whole"


class Page:
    """The page of one session, to all browsers that look at it."""

    def __init__(self, session: LandmarkSession, guard: Guard, port: int) -> None:
        """Serve it at a port of this machine, where the guard says; 0 takes a free one."""
        self._session, self._editor = session, session.editor
        self._workspace = session.workspace
        self._model = session.editor.model
        self._image: int | None = None  # the one that is looked through
        self._stopped = False
        self._server = serve(guard, port)
        self.port = self._server.get_port()
        metric = self._workspace.scale == "metric"
        with session.lock:
            self.scene = Scene(self._server, self._model, self._editor.pickable, metric)
            self._server.scene.on_click()(self._clicked)
            self._server.scene.on_click(modifier="shift")(lambda event: self._clicked(event, changes=False))
            self._add_panel()
            self._refresh()  # a browser that shows the numbers takes clicks by then
        self._server.on_client_connect(self._greet)
        self._thumbnails = threading.Thread(target=self._read_thumbnails, daemon=True)
        self._thumbnails.start()

    def stop(self) -> None:
        """End it, after the change that is under way."""
        self._stopped = True
        self._thumbnails.join()
        self._view.stop()
        with self._session.lock, quietly():
            self._server.stop()

    def _add_panel(self) -> None:
        gui = self._server.gui
        gui.set_panel_label("reloc landmarks")
        gui.configure_theme(control_width="large", dark_mode=True, show_logo=False, show_share_button=False)
        self._status = gui.add_html("")
        gui.add_html(web_panel.paragraph(web_panel.HELP))
        self._save = gui.add_button("Save", color="green", hint="Make these the landmarks (Ctrl+S)")
        self._save.on_click(lambda event: self._ask_to_save(event.client))
        changes = {"Undo": self._editor.undo, "Redo": self._editor.redo, "As saved": self._editor.revert}
        group = gui.add_button_group(
            "Changes", tuple(changes), hint="Undo takes back what the others do, too"
        )
        group.on_click(lambda event: self._edit(event.client, changes[group.value]))
        with gui.add_folder("The point"):
            self._view = PointView(self._session, self.scene, gui.add_html(""))
        with gui.add_folder("The images"):
            self._through = gui.add_dropdown("Look from", (WHOLE, *self._model.names))
            self._through.on_update(lambda event: self._look(event.client))
            following = gui.add_button("Next image that sees too few")
            following.on_click(lambda event: self._look_at_next(event.client))
            self._coverage = gui.add_html("")
        with gui.add_folder("Drawing", expand_by_default=False):
            size = gui.add_slider("Point size", 0.2, 4.0, 0.1, 1.0)
            size.on_update(lambda _: self.scene.resize(size.value))
            cameras = gui.add_checkbox("Cameras", True)
            cameras.on_update(lambda _: self.scene.show_cameras(cameras.value))
        for label, key, modifier, action in (
            ("Undo", "Z", "cmd/ctrl", lambda event: self._edit(event.client, self._editor.undo)),
            ("Redo", "Z", "cmd/ctrl+shift", lambda event: self._edit(event.client, self._editor.redo)),
            ("Save", "S", "cmd/ctrl", lambda event: self._ask_to_save(event.client)),
        ):
            gui.add_command(label, hotkey=key, modifier=modifier).on_trigger(action)

    def _clicked(self, event: viser.SceneClickEvent, changes: bool = True) -> None:
        """Show what the click means; where it `changes` something, take away a landmark, or add another point."""
        editor, pointed = self._editor, (event.ray_origin + self.scene.origin, event.ray_direction)
        tolerance, meant = TOLERANCE * event.client.camera.fov, None
        with self._session.lock:
            if (row := editor.landmark_at(*pointed, tolerance, self._image)) is not None:
                meant, change = editor.landmarks.subset(np.array([row])), editor.remove
            elif (row := editor.point_at(*pointed, tolerance, self._image)) is not None:
                meant, change = editor.cloud.subset(np.array([row])), editor.add
            if changes and meant is not None:
                self._edit(event.client, lambda: change(row))
            self._view.show(meant)

    def _edit(self, client: viser.ClientHandle | None, change: Callable[[], object]) -> None:
        """Do something to the landmarks, keep the draft, and show what became of it."""
        with self._session.lock:
            try:
                change()
            except (RelocError, OSError) as error:
                _tell(client, "Not done", str(error))
            try:
                self._session.changed()
            except OSError as error:
                _tell(client, "Not kept", f"The change is on this page only: {error}.")
            self._refresh()

    def _ask_to_save(self, client: viser.ClientHandle | None) -> None:
        """Save, but not over another's landmarks without asking."""
        if client is None or not self._session.changed_elsewhere:
            self._edit(client, self._session.save)
            return
        with client.gui.add_modal("Replace the landmarks?") as modal:
            client.gui.add_markdown(
                "Another command has changed the landmarks of this workspace since this page read them. "
                "Saving replaces its choice with this one."
            )
            replace, leave = client.gui.add_button("Replace"), client.gui.add_button("Leave it")

        @replace.on_click
        def _(_: viser.GuiEvent) -> None:
            modal.close()
            self._edit(client, self._session.save)

        leave.on_click(lambda _: modal.close())

    def _refresh(self) -> None:
        editor = self._editor
        selection = editor.selection
        with self._server.atomic():
            self.scene.show_landmarks(selection.landmarks.positions_map[editor.shown_landmarks(self._image)])
            self._status.content = web_panel.status(selection, editor.unsaved)
            self._coverage.content = web_panel.coverage(self._model.names, selection)
            self._save.disabled = not editor.unsaved
            self._view.refresh()

    def _look(self, client: viser.ClientHandle | None) -> None:
        if client is None:  # the choice was made here, by whoever does the rest as well
            return
        with self._session.lock:
            names = self._model.names
            self._image = None if self._through.value == WHOLE else names.index(self._through.value)
            try:
                if self._image is None:
                    self.scene.overview(client)
                else:
                    self.scene.look_through(client, self._image, self._workspace.images_dir)
            except RelocError as error:
                _tell(client, "No photograph", str(error))
                self._image, self._through.value = None, WHOLE
                self.scene.overview(client)
            self.scene.show_cloud(self._editor.shown_points(self._image))
            self._view.show(None)
            self._refresh()

    def _look_at_next(self, client: viser.ClientHandle | None) -> None:
        """Go to the image that sees fewest landmarks, then to the next; where more cannot help, last."""
        order = _worst_first(self._editor.selection)
        if not order:
            _tell(client, "All served", "Every image sees as many landmarks as it needs.")
            return
        names = [self._model.names[image] for image in order]
        here = names.index(self._through.value) if self._through.value in names else -1
        self._through.value = names[(here + 1) % len(names)]
        self._look(client)

    def _read_thumbnails(self) -> None:
        for image in range(len(self._model.names)):
            if self._stopped:
                return
            try:
                self.scene.add_thumbnail(image, self._workspace.images_dir)
            except RelocError as error:
                logger.warning("the cameras are shown without their photographs: %s", error)
                return

    def _greet(self, client: viser.ClientHandle) -> None:
        for notice in self._session.notices:
            _tell(client, "Before you start", notice[0].upper() + notice[1:])


def _worst_first(selection: Selection) -> list[int]:
    """The views that see too few landmarks."""
    order = np.lexsort([selection.spread, selection.poor])
    return order[selection.spread[order] < VIEW_NEEDS].tolist()


def _tell(client: viser.ClientHandle | None, title: str, sentence: str) -> None:
    if client is not None:
        client.add_notification(title, sentence, auto_close_seconds=8)


def quietly() -> contextlib.AbstractContextManager[object]:
    """While it starts and stops, viser prints: whoever called says better where it is."""
    return contextlib.redirect_stdout(io.StringIO())


def serve(guard: Guard, port: int) -> viser.ViserServer:
    """A server at just this port: viser would take the next free one without a word."""
    host = guard.host
    try:
        with socket.create_server((host, port)) as probe:
            port = probe.getsockname()[1]
    except (OSError, OverflowError) as error:
        raise RelocError(
            f"cannot serve at port {port} of {host}: {error}; choose others with --port, --host"
        ) from error
    with quietly(), guarding(guard) as guarded:
        server = viser.ViserServer(host=host, port=port, verbose=False)
    if not guarded:
        server.stop()
        raise RelocError(
            "this version of viser cannot be guarded; install another: pip install 'viser>=1,<2'"
        )
    if server.get_port() != port:
        server.stop()
        raise RelocError(f"cannot serve at port {port} of {host}: it is in use; choose another with --port")
    return server
