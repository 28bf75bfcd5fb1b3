import pytest
import typer
from rich.console import Console

from reloc_ros.cli import app
from reloc_ros.demo import pipeline
from reloc_ros.errors import RelocError


@pytest.mark.parametrize("minutes", [None, 2.5])
def test_every_command_is_one_that_reloc_understands(tmp_path, minutes):
    commands = pipeline.commands(tmp_path, tmp_path / "bundle", minutes)
    assert [words[0] for words in commands] == ["map", "align", "select", "label", "train", "eval", "export"]
    verbs = typer.main.get_command(app).commands
    for verb, *arguments in commands:
        verbs[verb].make_context(verb, arguments)  # raises where an argument or option is unknown
    assert ("--minutes" in [word for words in commands for word in words]) == (minutes is not None)


def test_a_step_that_fails_ends_the_pipeline_with_a_sentence(tmp_path):
    (tmp_path / "film").mkdir()
    (tmp_path / "film" / "video.avi").write_bytes(b"no video")
    with pytest.raises(RelocError, match="reloc map ended with code 2"):
        pipeline.make_bundle(tmp_path, Console(quiet=True))
