"""The documentation's site: it builds, it is current, and it leaves nothing out."""

from __future__ import annotations

import re
import shutil
import subprocess
import xml.etree.ElementTree as ET

import cv2
import figures
import pytest
import reference
import yaml
from document_commands import DOCS, PAGES, ROOT, VERBS, options_of_reloc

from reloc_ros.localizer import LostReason
from reloc_ros.offline.mapping.verdict import _LIMITS

GUIDE = DOCS / "mapping-guide.md"
STATUS = ROOT / "msg" / "RelocStatus.msg"


def test_the_pages_made_from_code_are_current():
    made = reference.pages()
    assert sorted(made) == sorted(page.name for page in reference.FOLDER.iterdir())
    for name, text in made.items():
        page = (reference.FOLDER / name).read_text(encoding="utf-8")
        assert page == text, f"docs/reference/{name} is old: run scripts/docs"


def test_the_page_of_commands_has_every_option():
    page = (DOCS / "reference" / "commands.md").read_text(encoding="utf-8")
    sections = dict(re.findall(r"^## reloc (\w+)\n(.*?)(?=^## |\Z)", page, re.MULTILINE | re.DOTALL))
    assert set(sections) == set(VERBS)
    for verb, text in sections.items():
        options = options_of_reloc(verb) - {"--help"}
        assert all(re.search(rf"`{option}[ `]", text) for option in options if option.startswith("-")), verb


def test_the_site_builds_without_a_warning(tmp_path):
    zensical = shutil.which("zensical")
    if zensical is None:
        pytest.skip("needs zensical: pip install 'reloc_ros[docs]'")
    shutil.copytree(DOCS, tmp_path / "docs")
    shutil.copy(ROOT / "mkdocs.yml", tmp_path)
    run = subprocess.run(
        [zensical, "build", "--strict"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert "No issues found" in run.stdout + run.stderr
    site = tmp_path / "build" / "site"
    assert {path.stem for path in (tmp_path / "docs").rglob("*.md")} <= {
        path.stem for path in site.rglob("*.html")
    }


def test_every_page_is_in_the_sites_contents():
    nav = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))["nav"]

    def listed(part) -> list[str]:
        if isinstance(part, str):
            return [part]
        return [name for each in (part if isinstance(part, list) else part.values()) for name in listed(each)]

    assert sorted(listed(nav)) == sorted(str(page.relative_to(DOCS)) for page in DOCS.rglob("*.md"))


def sections_of(page: str) -> dict[str, str]:
    """Text under each heading of a page."""
    text = (DOCS / page).read_text(encoding="utf-8")
    parts = re.split(r"^#+ (.*)$", text, flags=re.MULTILINE)[1:]
    return dict(zip(parts[::2], parts[1::2], strict=True))


@pytest.mark.parametrize("reason", [reason.value for reason in LostReason])
def test_every_reason_to_be_lost_has_a_section_of_what_to_do(reason):
    section = sections_of("troubleshooting.md")[f"`{reason}`"]
    meaning = section.partition("**Look at**")[0].split()
    assert len(meaning) >= 8, "it does not say what the reason means"
    assert "**Look at**" in section and "**Change**" in section


def test_every_word_of_the_status_is_explained():
    """The node's reasons beside the localizer's, and those for which no transform is broadcast."""
    comments = re.findall(r"((?:^#.*\n)+)^string (reason|transform)$", STATUS.read_text(), re.MULTILINE)
    assert [field for _, field in comments] == ["reason", "transform"]
    page = (DOCS / "troubleshooting.md").read_text(encoding="utf-8")
    for comment, _ in comments:
        sentence = " ".join(comment.replace("#", " ").split())
        words = re.findall(r"(?:[:,] )([a-z]+(?:_[a-z]+)*)(?=[,.;:])", sentence)
        assert len(words) > 8
        for word in words:
            assert f"`{word}`" in page, word


def test_the_localizers_words_are_those_of_the_status():
    assert all(reason.value in STATUS.read_text() for reason in LostReason)


def test_the_guide_tells_the_limits_that_the_verdict_goes_by():
    rows = re.findall(
        r"^\| .*? \| ([\d.]+)(?: %|°)? \| ([\d.]+)(?: %|°)? \| ", GUIDE.read_text(), re.MULTILINE
    )
    shares = ("registered", "coverage", "error")
    told = [
        tuple(abs(100 * value if name in shares else value) for value in row) for name, row in _LIMITS.items()
    ]
    assert [tuple(map(float, row)) for row in rows] == [pytest.approx(row) for row in told]


def test_every_picture_is_shown_and_its_command_told():
    text = "".join(page.read_text(encoding="utf-8") for page in PAGES)
    told = (DOCS / "performance.md").read_text(encoding="utf-8")
    for picture in [*(DOCS).glob("*.png"), *(DOCS).glob("*.jpg")]:
        assert f"({picture.name})" in text or f"(docs/{picture.name})" in text, (
            f"{picture.name} is on no page"
        )
        assert f"`{picture.name}`" in told, f"no command is told for {picture.name}"
        assert picture.stat().st_size < 320_000


def test_a_figure_can_be_drawn_again(tmp_path, monkeypatch):
    monkeypatch.setattr(figures, "DOCS", tmp_path)
    figures.FIGURES["frames"]()
    assert cv2.imread(str(tmp_path / "frames.jpg")).shape == (480, 640, 3)


ROS_OWN = {"/tf_static", "/clock", "/bond", "/rosout", "/parameter_events", "~/transition_event"}
"""Topics that every managed node has, or that say nothing of what this one is for."""
LIFECYCLE_AND_PARAMETERS = r"~/(change_state|get_\w+|describe_parameters|list_parameters|set_parameters\w*)"


def test_the_node_page_has_every_topic_and_service_with_its_type():
    """Those of the policy for SROS 2, which test/ros/test_security_policy.py compares with a running node."""
    policy = ET.parse(ROOT / "config" / "security" / "reloc.policy.xml").getroot()
    topics = {each.text for each in policy.iter("topic")} - ROS_OWN
    services = {each.text for each in policy.iter("service")}
    services = {name for name in services if not re.fullmatch(LIFECYCLE_AND_PARAMETERS, name)}
    page = sections_of("node.md")
    for heading, names in (("Topics", topics), ("Services", services)):
        rows = re.findall(r"^\| (`.*?) \| (.*?) \|", page[heading], re.MULTILINE)
        assert {name for cell, _ in rows for name in re.findall("`(.*?)`", cell)} == names
        for package, kind in re.findall(r"(\w+)/(\w+)", "".join(types for _, types in rows)):
            interfaces = pytest.importorskip(f"{package}.{'msg' if heading == 'Topics' else 'srv'}")
            assert hasattr(interfaces, kind), f"{package}/{kind}"
