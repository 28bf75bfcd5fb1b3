import xml.etree.ElementTree as ET

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from reloc_ros.offline.report.charts import Axis, Plot, Series, cumulative, line_chart, log_axis, svg, text

sizes = st.floats(1e-6, 1e6)


@given(st.floats(-1e6, 1e6), sizes)
def test_linear_ticks_are_few_rise_and_lie_on_the_axis(low, span):
    axis = Axis("x", low, low + span)
    ticks = np.array(axis.ticks)
    if span > 1e-9 * abs(low):
        assert len(ticks) <= 10
    assert (np.diff(ticks) > 0).all()
    slack = 1e-6 * (abs(low) + span)
    assert ((ticks >= low - slack) & (ticks <= low + span + slack)).all()


@given(st.lists(sizes, min_size=1, max_size=20))
def test_a_log_axis_holds_its_values_and_has_a_tick(values):
    axis = log_axis("x", values)
    places = axis.place(values)
    assert ((places >= 0) & (places <= 1)).all()
    assert 1 <= len(axis.ticks) <= 14


@given(st.lists(st.floats(0, 100), max_size=30), st.integers(0, 10))
def test_cumulative_ends_at_the_share_that_was_localized(values, lost):
    total = len(values) + lost
    if total == 0:
        return
    x, y = cumulative(values, total)
    assert len(x) == len(y) and (np.diff(x) >= 0).all() and (np.diff(y) >= -1e-9).all()
    if values:
        assert abs(y[-1] - 100 * len(values) / total) < 1e-9
        for value in values:  # the curve's height at a value: how many have at most that
            assert (
                abs(y[x <= value].max() - 100 * np.mean(np.array(values + [np.inf] * lost) <= value)) < 1e-9
            )


@given(st.text())
def test_words_in_a_chart_cannot_become_markup(words):
    printable = "".join(c for c in words if c.isprintable())
    root = ET.fromstring(str(svg(10, 10, [text(1, 2, printable, "tick")], printable)))
    assert [child.tag for child in root] == ["title", "text"]
    assert (root[1].text or "") == printable


def test_a_chart_keeps_values_beyond_its_axes_inside():
    plot = Plot(Axis("x", 0, 1), Axis("y", 1, 10, log=True))
    drawn = line_chart(plot, [Series("s", [-5, 0.5, 5], [0.1, 3, 1e9], "s1")], "three points")
    (line,) = [p for p in ET.fromstring(str(drawn)) if p.get("class") == "line s1"]
    numbers = np.array(line.get("d")[1:].replace("L", " ").split(), dtype=float).reshape(-1, 2)
    assert (numbers >= 0).all() and (numbers <= (plot.width, plot.height)).all()
