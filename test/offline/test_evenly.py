import numpy as np
import pytest

from reloc_ros.offline.evenly import evenly


@pytest.mark.parametrize("count", [0, 1, 2, 39, 40, 41, 97, 10_007])
def test_rows_differ_are_as_many_as_there_may_be_and_reach_from_end_to_end(count):
    rows = evenly(count, 40)
    assert len(np.unique(rows)) == len(rows) == min(count, 40)
    if count:
        assert (rows[0], rows[-1]) == (0, count - 1)
        assert np.ptp(np.diff(rows)) <= 1 if count > 1 else len(rows) == 1
