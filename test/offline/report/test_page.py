"""The report as a page: it stands alone, is well formed, and says what is missing."""

import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest
import report_workspace as made
from synthetic_model import write_colmap_text

from reloc_ros.errors import RelocError
from reloc_ros.geometry import SE3
from reloc_ros.offline.model.sfm import SfmModel
from reloc_ros.offline.model.similarity import Similarity
from reloc_ros.offline.report.collect import collect
from reloc_ros.offline.report.page import headline, render, write_report
from reloc_ros.offline.workspace import Workspace

VOID = {"meta", "img", "br", "input", "hr", "link", "source"}


class Page(HTMLParser):
    """Checks that tags nest, and gathers what the page refers to and says."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.ids: list[str] = []
        self.tags: list[str] = []
        self.references: list[str] = []
        self.handlers: list[str] = []
        self.without_alternative = 0
        self.words: list[str] = []
        self.scripts: list[str] = []
        self.feed(text)
        self.close()
        assert not self.open, f"never closed: {self.open}"
        assert len(self.ids) == len(set(self.ids)), "ids are not unique"

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        values = dict(attributes)
        if "id" in values:
            self.ids.append(values["id"])
        self.references += [
            v for k, v in attributes if k in ("src", "href", "xlink:href", "data", "action", "srcset")
        ]
        self.handlers += [k for k, _ in attributes if k.startswith("on")]
        if tag == "img" and not values.get("alt"):
            self.without_alternative += 1
        if tag == "svg" and not values.get("aria-label"):
            self.without_alternative += 1
        if tag not in VOID and not (self.open and self.open[-1] == "svg" and tag in ("image",)):
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        if self.open and self.open[-1] == tag:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open and self.open[-1] == tag, f"</{tag}> closes {self.open[-1:]}"
        self.open.pop()

    def handle_data(self, data):
        inside = self.open[-1] if self.open else ""
        if inside == "script":
            self.scripts.append(data)
        elif inside != "style":
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def page_of(workspace) -> Page:
    return Page(render(collect(workspace)))


SECTIONS = {"map", "coverage", "accuracy", "worst", "lost", "landmarks", "making"}


@pytest.mark.parametrize("state", ["mapped", "selected", "labelled", "trained", "evaluated"])
def test_a_report_can_be_made_after_any_step(workspace, state):
    made.advance(workspace, state)
    text = render(collect(workspace))
    page = Page(text)
    assert set(page.ids) >= SECTIONS
    assert page.without_alternative == 0
    assert all(ref.startswith(("#", "data:image/")) for ref in page.references), page.references
    assert "url(" not in text and "@import" not in text and "http" not in text.replace("http-equiv", "")
    assert "nan" not in re.findall(r"[a-z]+", page.text) and "None" not in page.text.replace("None of", "")
    todo = {
        "mapped": "Not chosen yet: run reloc select",
        "selected": "run reloc select and reloc label",
        "labelled": "Not trained yet: run reloc train",
        "trained": "Not evaluated yet: run reloc eval",
    }
    assert all(
        (words in page.text) == (state == reached) or reached != state for reached, words in todo.items()
    )
    if state in todo:
        assert todo[state] in page.text
    else:
        assert "Not evaluated yet" not in page.text


def test_a_full_report_shows_figures_of_every_step(evaluated):
    page = page_of(evaluated)
    for words in (
        "3 of 3 images that the map has never seen are localized",
        "SIFT + LO-RANSAC",
        "brightness x0.3",
        "lost, no consensus",
        "keypoints 0.25 network px from fp32's",
        "x1.40",
        "Rotation error of validation images",
    ):
        assert words in page.text, words
    assert "not run" in page.text  # align


def test_names_of_files_and_folders_cannot_inject_markup(tmp_path):
    evil = "x<\x2fscript><script>alert(1)<\x2fscript><img src=q onerror=alert(2)>\"'&amp;{{7*7}}"
    folder = tmp_path / '<b onclick="x">ws'
    folder.mkdir()
    workspace = made.make_workspace(folder, lambda name: f"{evil}{name}", (f"z<i>{evil}.jpg",))
    made.advance(workspace, "evaluated")
    page = page_of(workspace)
    plain = page_of_a_plain_one(tmp_path)
    assert page.handlers == []
    assert page.tags.count("script") == plain.tags.count("script") == 2
    assert "i" not in set(page.tags) - set(plain.tags) and "b" not in set(page.tags) - set(plain.tags)
    assert set(page.tags) <= set(plain.tags) | {"details", "summary"}
    assert "{{7*7}}" in page.text and "alert(1)" in page.text
    scene = json.loads(page.scripts[0])
    assert scene["cameras"][0]["n"].startswith("x</script>")


def page_of_a_plain_one(tmp_path) -> Page:
    (tmp_path / "plain").mkdir()
    workspace = made.make_workspace(tmp_path / "plain")
    made.advance(workspace, "evaluated")
    return page_of(workspace)


def test_a_metric_map_is_told_in_centimetres(workspace):
    made.advance(workspace, "trained")
    made.set_metric(workspace)
    made.evaluate(workspace, metric=True)
    notes = {"origin": "the door", "scale": {"source": "a board", "metres_per_unit": 0.0123, "notes": []}}
    workspace.record("align", {}, summary=notes | {"map_from_sfm": {"rotation": [[1.0]]}})
    page = page_of(workspace)
    assert "scale: metres per unit 0.0123" in page.text and "the door" in page.text
    assert "rotation" not in page.words
    assert "In metres, z up." in page.text and "within 5 cm, 5°" in page.text
    assert "cm off at the median" in page.text and "position error, cm" in page.text


def test_errors_that_were_measured_before_alignment_are_not_told_in_centimetres(evaluated):
    made.set_metric(evaluated)
    page = page_of(evaluated)
    assert "within 5 %, 5°" in page.text and " cm" not in page.text


def test_results_of_an_earlier_network_are_marked(evaluated):
    assert not collect(evaluated).stale
    (evaluated.path / "train" / "network.pt").write_bytes(b"other weights")
    page = page_of(evaluated)
    assert "changed after the step 'evaluate'" in page.text and "run reloc eval again" in page.text


def test_labels_and_scores_of_other_landmarks_are_left_out(evaluated):
    from reloc_ros.offline import steps

    steps.select_step(evaluated, 10)
    facts = collect(evaluated)
    assert facts.labels is None and facts.scores is None
    assert any("reloc label" in sentence for sentence in facts.stale)
    assert "left out" in Page(render(facts)).text


def test_without_its_photographs_the_report_says_so(evaluated):
    for file in evaluated.images_dir.iterdir():
        file.unlink()
    page = page_of(evaluated)
    assert "photographs cannot be read" in page.text and "None can be shown" in page.text


def test_all_lost_is_told_without_a_median(workspace):
    made.advance(workspace, "trained")
    scores = made.evaluate(workspace)
    lost = [
        made.Score(
            s.method,
            s.condition,
            tuple(made.Outcome(o.name, "no_keypoints", *[None] * 4, made.TIMES) for o in s.outcomes),
            False,
        )
        for s in scores[:1]
    ]
    made.write_evaluation(workspace.evaluation_path, lost)
    facts = collect(workspace)
    assert "None of 3 images" in headline(facts)
    assert "nan" not in re.findall(r"[a-z]+", Page(render(facts)).text)


def test_the_page_is_written_whole_and_its_size_told(evaluated, tmp_path):
    size = write_report(evaluated, tmp_path / "r.html")
    assert size == (tmp_path / "r.html").stat().st_size < 5_000_000
    assert (tmp_path / "r.html").read_text().startswith("<!DOCTYPE html>")
    assert not list(tmp_path.glob(".new-*"))


def test_outputs_that_cannot_be_written_are_refused_before_the_work(workspace, tmp_path):
    def work(*_):
        pytest.fail("worked")

    with pytest.raises(RelocError, match="there is no folder"):
        write_report(workspace, tmp_path / "nowhere" / "r.html", work)
    with pytest.raises(RelocError, match="is a folder; name the HTML file"):
        write_report(workspace, tmp_path, work)


STEP_FILES = ["model.npz", "landmarks.npz", "labels.npz", "evaluation.json"]
DAMAGED = [(file, damage) for file in STEP_FILES for damage in (b"", b"nonsense")]
DAMAGED += [
    ("train/run/curves/metrics.csv", text) for text in (b"loss,step\n1,2\nx,y\n", b"loss\n1\n", b"\xff\xfe")
]


@pytest.mark.parametrize(("file", "damage"), DAMAGED)
def test_damaged_files_are_refused_by_name(evaluated, tmp_path, file, damage):
    (evaluated.path / file).write_bytes(damage)
    with pytest.raises(RelocError, match=f"{re.escape(file)}.*; run|{re.escape(file)}.*run reloc"):
        write_report(evaluated, tmp_path / "r.html")
    assert not (tmp_path / "r.html").exists()


@pytest.mark.parametrize(
    ("step", "summary"),
    [("calibrate", {"sigma_scale": "x"}), ("export", {"bytes": 3}), ("train", {"shape": {"a": 1}})],
)
def test_damaged_notes_of_a_step_are_refused_by_its_name(evaluated, tmp_path, step, summary):
    evaluated.record(step, {}, summary=summary)
    with pytest.raises(RelocError, match=f"workspace.json' is damaged in what step '{step}' noted"):
        write_report(evaluated, tmp_path / "r.html")


def test_positions_of_the_3d_view_are_those_of_the_model(evaluated):
    import base64

    facts = collect(evaluated)
    scene = json.loads(Page(render(facts)).scripts[0])
    steps = np.frombuffer(base64.b64decode(scene["points"]), "<u2").reshape(-1, 3)
    shown = (steps / 65535 * 2 - 1) * scene["span"]
    assert len(shown) == len(facts.known.points_map)
    moved = shown - facts.known.points_map  # z is up already: the axes are the map's own
    np.testing.assert_allclose(
        moved, np.broadcast_to(moved.mean(axis=0), moved.shape), atol=2e-4 * scene["span"]
    )


def test_images_left_out_are_told_by_why_and_drawn_where_they_were_placed(workspace):
    """The model of the workspace was made in another frame; the last of its images disagreed."""
    pycolmap = pytest.importorskip("pycolmap")
    model = SfmModel.load(workspace.model_path)
    turn = SE3.from_rotation_vector([0.3, -1.0, 0.4], [0, 0, 0]).rotation
    built = model.transformed(Similarity(0.2, turn, np.array([3.0, -1, 2])))
    sparse = workspace.path / "sfm" / "sparse" / "0"
    write_colmap_text(built, sparse)
    pycolmap.Reconstruction(str(sparse)).write_binary(str(sparse))
    parts = [list(built.names), ["far 1.jpg", "far 2.jpg"]]
    (sparse.parent / "parts.json").write_text(json.dumps({"parts": parts}))
    odd = model.names[-1]
    model.without(np.arange(len(model.names)) == len(model.names) - 1).save(workspace.model_path)
    names = (*model.names, "far 1.jpg", "far 2.jpg", "nowhere.jpg")
    again = Workspace.create(workspace.path, workspace.images_dir, names, "every:5:2")
    summary = {"dropped": [odd], "grade": "usable", "advice": ["film more"], "remarks": ["tried twice"]}
    again.record("map", {}, [again.model_path], summary)

    facts = collect(again)
    assert facts.left_out == {
        "placed where their matches do not agree": [odd],
        "in a part of its own, no. 2": ["far 1.jpg", "far 2.jpg"],
        "found no place": ["nowhere.jpg"],
    }
    page = Page(render(facts))
    assert all(
        words in page.text for words in ("film more", "tried twice", "red ones are left out", "usable")
    )
    drawn = {camera["n"]: camera for camera in json.loads(page.scripts[0])["cameras"]}
    assert drawn[odd]["h"] == 2 and len(drawn) == len(model.names)
    centers = np.array([drawn[name]["p"][0] for name in model.names])
    np.testing.assert_allclose(np.diff(centers, axis=0), np.diff(model.centers_map, axis=0), atol=3e-4)
