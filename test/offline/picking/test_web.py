"""The page of `reloc web`, in a real browser where there is one."""

from __future__ import annotations

import contextlib
import errno
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from synthetic_model import make_model, write_workspace

import reloc_ros.offline.picking.landmark_session
from reloc_ros.geometry import SE3
from reloc_ros.landmarks import Landmarks
from reloc_ros.offline import steps
from reloc_ros.offline.landmarks.keypoints_json import write_keypoints
from reloc_ros.offline.landmarks.label_step import import_labels_step
from reloc_ros.offline.landmarks.labels import Labels, Visibility
from reloc_ros.offline.landmarks.visibility import label_images
from reloc_ros.offline.model.similarity import Similarity
from reloc_ros.offline.picking.landmark_session import LandmarkSession
from reloc_ros.offline.workspace import Workspace

pytest.importorskip("viser", reason="viser is not installed: pip install 'reloc_ros[web]'")
from reloc_ros.offline.picking.web import TOLERANCE, Page
from reloc_ros.offline.picking.web_guard import Guard
from reloc_ros.offline.picking.web_point import PointView

CHROMIUM = shutil.which("chromium") or "/usr/bin/chromium"
ARGUMENTS = [
    "--no-sandbox",  # it refuses to run as root with it
    "--use-gl=angle",
    "--use-angle=swiftshader",  # WebGL without a GPU
    "--enable-unsafe-swiftshader",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
WINDOW = {"width": 900, "height": 520}
PATIENCE_S = 30


@pytest.fixture(scope="module")
def browser():
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if not Path(CHROMIUM).exists():
        pytest.skip("chromium is not installed: apt-get install chromium")
    with playwright.sync_playwright() as api:
        chromium = api.chromium.launch(executable_path=CHROMIUM, headless=True, args=ARGUMENTS)
        yield chromium
        chromium.close()


@pytest.fixture
def shift() -> np.ndarray:
    """Of the map."""
    return np.zeros(3)


@pytest.fixture
def workspace(tmp_path, shift) -> Workspace:
    model = make_model(images=8, points=60, camera="pinhole", seed=3)
    workspace = write_workspace(model.transformed(Similarity(1.0, np.eye(3), shift)), tmp_path)
    steps.select_step(workspace, 12)
    steps.label_step(workspace, "appearance")
    return workspace


class Visitor:
    """Somebody before the page, with a mouse and eyes."""

    def __init__(self, browser, session: LandmarkSession, page: Page) -> None:
        self.session, self.editor, self.page = session, session.editor, page
        self.tab = browser.new_page(viewport=WINDOW)
        self.tab.set_default_timeout(1000 * PATIENCE_S)
        self.tab.goto(f"http://localhost:{page.port}")
        self.wait(lambda: self.client is not None)
        self.wait(lambda: np.allclose(self.client.camera.position, page.scene.frame.eye, atol=1e-3))
        self.reads(f"{len(self.editor)} landmarks")  # now it takes clicks

    @property
    def client(self):
        return next(iter(self.page._server.get_clients().values()), None)

    def wait(self, condition: Callable[[], object]) -> None:
        end = time.monotonic() + PATIENCE_S
        while not condition():
            assert time.monotonic() < end, "nothing came of it"
            self.tab.wait_for_timeout(20)

    def reads(self, text: str) -> None:
        """Wait until the page says this."""
        self.tab.wait_for_function(
            r"text => document.body.innerText.replace(/\s+/g, ' ').includes(text)", arg=text
        )

    def pixels(self, points_map: np.ndarray) -> np.ndarray:
        """(N, 2) where points are in the window."""
        camera = self.client.camera
        camera_from_map = SE3.from_quaternion_wxyz(camera.wxyz, camera.position).inverse()
        points = camera_from_map.apply(points_map - self.page.scene.origin)
        # Not the size that the camera tells: that is what is drawn, which a slow machine makes coarser.
        focal = WINDOW["height"] / 2 / np.tan(camera.fov / 2)
        middle = np.array([WINDOW["width"], WINDOW["height"]]) / 2
        return points[:, :2] / points[:, 2:] * focal + middle

    def click(self, position_map: np.ndarray, **how) -> None:
        self.tab.mouse.move(5, 5)
        x, y = self.pixels(position_map[None])[0].tolist()
        self.tab.mouse.click(x, y, **how)

    def clear_point(self) -> int:
        """A point of the cloud, no landmark, that nothing else is near to in the window."""
        positions = self.editor.model.points_map
        pixels = self.pixels(positions)
        apart = np.linalg.norm(pixels[:, None] - pixels[None], axis=2)
        apart[np.diag_indices(len(apart))] = np.inf
        left_of_the_panel = (pixels[:, 0] > 20) & (pixels[:, 0] < 500) & (pixels[:, 1] > 160)
        new = ~np.isin(self.editor.model.point_ids, self.editor.landmarks.ids)
        good = new & left_of_the_panel & (pixels[:, 1] < WINDOW["height"] - 20)
        nearest = np.where(good, apart.min(axis=1), 0)
        assert nearest.max() > 2 * TOLERANCE * WINDOW["height"]
        return int(nearest.argmax())


@pytest.fixture
def visitor(browser, workspace) -> Iterator[Visitor]:
    session = LandmarkSession(workspace)
    page = Page(session, Guard("localhost"), 0)
    made = Visitor(browser, session, page)
    yield made
    made.tab.close()
    page.stop()


def test_a_disk_that_is_full_when_it_saves_is_told(workspace, monkeypatch):
    def fail(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    session, told = LandmarkSession(workspace), []
    page = Page(session, Guard("localhost"), 0)
    monkeypatch.setattr(reloc_ros.offline.picking.landmark_session, "keep_selection", fail)
    client = SimpleNamespace(add_notification=lambda title, sentence, **_: told.append((title, sentence)))
    page._edit(client, lambda: session.editor.remove(0))
    page._edit(client, session.save)
    page.stop()
    assert told == [("Not done", "[Errno 28] No space left on device")]
    assert session.editor.unsaved and len(saved_ids(workspace)) == 12


def test_where_a_photograph_is_gone_the_whole_is_looked_at_not_the_one_before(workspace):
    session, told = LandmarkSession(workspace), []
    first, second = session.editor.model.names[:2]
    cv2.imwrite(str(workspace.images_dir / first), np.zeros((480, 640, 3), np.uint8))
    (workspace.images_dir / second).unlink(missing_ok=True)
    page = Page(session, Guard("localhost"), 0)
    client = SimpleNamespace(
        camera=SimpleNamespace(image_width=WINDOW["width"], image_height=WINDOW["height"]),
        atomic=contextlib.nullcontext,
        add_notification=lambda title, sentence, **_: told.append(title),
    )
    for name in (first, second):
        page._through.value = name
        page._look(client)
    seen = page._through.value, tuple(client.camera.position), page.scene.cameras[0].visible
    page.stop()
    assert told == ["No photograph"]
    assert seen == ("the whole", tuple(page.scene.frame.eye), True)


def saved_ids(workspace: Workspace) -> list[int]:
    return Landmarks.load(workspace.landmarks_path).ids.tolist()


def test_the_address_with_the_token_opens_the_page_and_its_socket(browser, workspace):
    guard = Guard("localhost", "a-word-of-its-own")
    page = Page(LandmarkSession(workspace), guard, 0)
    tab = browser.new_page(viewport=WINDOW)
    try:
        assert tab.goto(guard.address(page.port).partition("?")[0]).status == 403
        tab.goto(guard.address(page.port))
        says = "() => document.body.innerText.includes('12 landmarks')"  # which comes by the socket
        tab.wait_for_function(says, timeout=1000 * PATIENCE_S)
    finally:
        tab.close()
        page.stop()


@pytest.mark.parametrize("shift", [np.zeros(3), np.array([500_123.4, 5_400_216.7, 312.0])])
def test_a_click_adds_a_landmark_and_save_puts_it_into_the_workspace(visitor, workspace):
    before, row = saved_ids(workspace), visitor.clear_point()
    visitor.reads("12 landmarks, ● saved")
    position, identity = visitor.editor.model.points_map[row], int(visitor.editor.model.point_ids[row])
    visitor.click(position)
    visitor.reads("13 landmarks, ● not saved yet")
    assert visitor.editor.landmarks.ids.tolist() == [*before, identity]

    visitor.reads("by the appearance test of reloc label")
    visitor.reads(f"Landmark, point {identity} of the map")
    landmark = visitor.editor.cloud.subset(np.array([row]))
    states = label_images(visitor.editor.model, landmark, "appearance", workspace.images_dir).visibility
    seen, hidden, unknown = (np.count_nonzero(states == state) for state in (1, 0, -1))
    visitor.reads(f"seen in {seen} ● hidden in {hidden} ● unknown in {unknown}")
    pictures = visitor.tab.locator("img[title*=': seen']")
    assert pictures.count() == min(seen, 8)
    assert all(pictures.nth(i).evaluate("img => img.naturalWidth") > 0 for i in range(pictures.count()))

    assert saved_ids(workspace) == before
    visitor.tab.get_by_role("button", name="Save", exact=True).click()
    visitor.reads("13 landmarks, ● saved")
    assert saved_ids(workspace) == [*before, identity]
    assert workspace.summary("select")["chosen"] == "by hand"
    steps.label_step(workspace, "appearance")
    labels = Labels.load(workspace.labels_path)
    np.testing.assert_array_equal(
        labels.visibility[:, -1] == Visibility.SEEN, states[:, 0] == Visibility.SEEN
    )


def test_landmarks_are_looked_at_added_taken_away_and_brought_back(visitor, workspace):
    editor, button = visitor.editor, lambda name: visitor.tab.get_by_role("button", name=name)
    row = visitor.clear_point()
    position, identity = editor.model.points_map[row], int(editor.model.point_ids[row])
    visitor.tab.keyboard.down("Shift")
    visitor.click(position)
    visitor.tab.keyboard.up("Shift")
    visitor.reads(f"No landmark, point {identity} of the map")
    assert editor.landmarks.ids.tolist() == saved_ids(workspace)
    visitor.click(position)
    visitor.reads("13 landmarks")
    visitor.reads(f" Landmark, point {identity} of the map")
    visitor.click(position)
    visitor.reads("12 landmarks, ● saved")
    assert editor.landmarks.ids.tolist() == saved_ids(workspace)
    button("Undo").click()
    visitor.reads("13 landmarks")
    assert editor.landmarks.ids[-1] == identity
    button("Undo").click()
    visitor.reads("12 landmarks, ● saved")
    button("Redo").click()
    visitor.reads("13 landmarks, ● not saved yet")
    visitor.tab.keyboard.press("Control+z")
    visitor.reads("12 landmarks, ● saved")
    visitor.tab.keyboard.press("Control+Shift+z")
    visitor.reads("13 landmarks, ● not saved yet")
    visitor.tab.reload()
    visitor.reads("13 landmarks, ● not saved yet")


def test_looking_through_an_image_puts_its_photograph_behind_its_points(visitor):
    """From where it was taken, and only what it shows can be clicked."""
    editor, tab = visitor.editor, visitor.tab
    worst = editor.model.names[int(np.argmin(editor.selection.spread))]
    tab.get_by_role("button", name="Next image that sees too few").click()
    image = editor.model.names.index(worst)
    pose = editor.model.camera_from_map[image]
    shown = editor.shown_points(image)
    pixels = editor.model.camera(image).project(pose.apply(editor.model.points_map[shown]))

    def are_drawn_where_the_photograph_shows_them() -> bool:
        drawn = visitor.pixels(editor.model.points_map[shown])
        scale, shift = np.polyfit(pixels[:, 1], drawn[:, 1], 1)
        # The window shows all of it, and a little around it.
        return 1 < scale < 520 / 480 and np.allclose(drawn[:, 1], scale * pixels[:, 1] + shift, atol=3)

    visitor.wait(are_drawn_where_the_photograph_shows_them)
    visitor.wait(lambda: visitor.page.scene.cloud.points.shape == (len(shown), 3))
    np.testing.assert_allclose(visitor.client.camera.position, pose.center, atol=1e-3)


def test_another_choice_meanwhile_is_not_replaced_unasked(visitor, workspace):
    row = visitor.clear_point()
    visitor.click(visitor.editor.model.points_map[row])
    visitor.reads("13 landmarks, ● not saved yet")
    steps.select_step(workspace, 16)
    save = visitor.tab.get_by_role("button", name="Save", exact=True)
    save.click()
    visitor.tab.get_by_role("button", name="Leave it").click()
    visitor.tab.get_by_role("button", name="Leave it").wait_for(state="hidden")
    assert len(saved_ids(workspace)) == 16
    save.click()
    visitor.tab.get_by_role("button", name="Replace").click()
    visitor.reads("13 landmarks, ● saved")
    assert saved_ids(workspace) == visitor.editor.landmarks.ids.tolist()


@pytest.mark.parametrize("method", ["voxels", "depth", "import"])
def test_points_are_looked_at_by_the_test_that_made_the_labels(workspace, tmp_path, method):
    """Where they are from a file, by the one that `reloc label` would use."""
    if method == "import":
        write_keypoints(tmp_path / "k.json", Labels.load(workspace.labels_path))
        import_labels_step(workspace, tmp_path / "k.json")
    else:
        steps.label_step(workspace, method)
    session = LandmarkSession(workspace)
    point = session.editor.cloud.subset(np.array([7]))
    panel = SimpleNamespace(content="")
    view = PointView(session, NoScene(), panel)
    try:
        with session.lock:
            view.show(point)
        used = method if method != "import" else "appearance"
        end = time.monotonic() + PATIENCE_S
        while f"by the {used} test of reloc label" not in panel.content:
            assert time.monotonic() < end, panel.content
            time.sleep(0.02)
    finally:
        view.stop()
    states = label_images(session.editor.model, point, used, workspace.images_dir).visibility
    assert f"seen in {np.count_nonzero(states == Visibility.SEEN)}" in panel.content


class NoScene:
    """Takes what would be drawn."""

    def show_focus(self, *_): ...

    def colour_cameras(self, *_): ...
