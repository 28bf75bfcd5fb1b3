import json
import sys

import cv2
import pytest

from reloc_ros.demo.fusion.__main__ import main


@pytest.mark.slow
def test_a_drive_leaves_its_figures_and_their_picture(tmp_path, monkeypatch, capsys):
    options = ["--seconds", "3", "--rate", "2", "--runs", "1", "--output", str(tmp_path)]
    monkeypatch.setattr(sys, "argv", ["fusion", *options])
    main()
    written = json.loads((tmp_path / "fusion.json").read_text())
    assert written["pictures"] == 6 and written["filter_nees_of_other_slips"]["runs"] == 1
    assert cv2.imread(str(tmp_path / "fusion.png")) is not None
    assert "filter_nees_mean" in capsys.readouterr().out
