"""What tracking saves, measured on the first images of the demo's walk."""

import numpy as np
import pytest

from reloc_ros.bench.node.tracking import WAYS, main, measure
from reloc_ros.demo.film.rendered_walk import RenderedWalk
from reloc_ros.demo.pipeline import EMBEDDED_BUNDLE
from reloc_ros.localizer import Localizer


@pytest.mark.slow
def test_followed_images_are_as_exact_and_every_way_is_timed(tmp_path):
    walk = RenderedWalk.within(tmp_path, 30.0, 0.5)
    walk.render_missing()
    alone, tracking, never = measure(
        Localizer.from_bundle(EMBEDDED_BUNDLE, "onnx", threads=1), walk, ["clean"]
    )
    assert [alone.way, tracking.way, never.way] == list(WAYS)
    assert alone.images == 15 and alone.tracked == 0
    assert tracking.tracked >= 12 and never.tracked >= 12
    assert tracking.localized >= alone.localized
    assert max(tracking.cm_max, never.cm_max) < 1.0
    assert np.isfinite([one.cpu_ms_in_view for one in (alone, tracking, never)]).all()


def test_an_unknown_condition_is_refused(capsys):
    assert main(["--conditions", "clean,half"]) == 2
    assert "unknown condition 'half'; use all or some of clean, dark" in capsys.readouterr().err
