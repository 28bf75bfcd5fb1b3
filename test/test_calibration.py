import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reloc_ros.calibration import UNCALIBRATED, Calibration
from reloc_ros.errors import RelocError

factors = st.floats(0.01, 100)


@given(sigma=factors, coarse=factors, refined=factors, evidence=factors)
def test_calibration_goes_to_json_and_back(sigma, coarse, refined, evidence):
    measured = Calibration(sigma, coarse, refined, evidence, 0.25, 0.5, {"photos": 8})
    text = json.dumps(measured.to_json(), allow_nan=False)
    assert Calibration.from_json(json.loads(text)) == measured


@pytest.mark.parametrize("number", [0, -1.5, 1e12, 10**400, float("inf"), float("nan"), True, "2", None])
def test_a_factor_that_no_measurement_gives_is_refused_by_name(number):
    with pytest.raises(RelocError, match="calibration coarse_scale must be a number above zero, got"):
        Calibration.from_json(UNCALIBRATED.to_json() | {"coarse_scale": number})


def test_without_a_calibration_the_networks_figures_stay_as_they_are():
    scales = UNCALIBRATED.sigma_scale, UNCALIBRATED.coarse_scale, UNCALIBRATED.refined_scale
    assert scales == (1, 1, 1)
