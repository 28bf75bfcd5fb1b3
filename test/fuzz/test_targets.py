"""Seconds of what `scripts/fuzz` does for minutes, always the same."""

import pytest
from fuzz.targets import TARGETS
from hypothesis import HealthCheck, Phase, given, settings

EXAMPLES = 40


@pytest.mark.filterwarnings("ignore:Generating overly large repr")
@pytest.mark.parametrize("name", TARGETS)
def test_odd_data_is_taken_or_refused_with_a_sentence(name):
    target, taken = TARGETS[name](), []

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(target.inputs)
    def read(data):
        taken.append(target.takes(data))

    read()
    assert len(taken) >= EXAMPLES // 2
