import numpy as np
import pytest

from reloc_ros.offline.training.schedule import COOL_DOWN, Keeper, Schedule, one_cycle


def test_one_cycle_rises_then_falls_to_nothing():
    shares = [one_cycle(fraction) for fraction in np.linspace(0, 1, 101)]
    assert np.argmax(shares) == 10 and shares[10] == pytest.approx(1)
    assert shares[0] < 0.1 and shares[-1] == pytest.approx(0, abs=1e-9)
    assert (np.diff(shares[:11]) > 0).all() and (np.diff(shares[10:]) < 0).all()


def test_fraction_is_of_the_steps_or_of_the_budget():
    assert Schedule(200, None).fraction(50, 1e9) == 0.25
    assert Schedule(200, 60.0).fraction(10**6, 15.0) == 0.25
    assert Schedule(200, 60.0).fraction(0, 100.0) == 1.0


@pytest.mark.parametrize("cool_from", [0.5, 0.7, 0.95, 1.0])
def test_an_early_end_takes_the_rate_down_to_nothing_and_never_up(cool_from):
    schedule = Schedule(100, None)
    assert schedule.end == 1
    schedule.cool_from = cool_from
    assert schedule.end == pytest.approx(min(cool_from + COOL_DOWN, 1))
    fractions = np.linspace(0.1, schedule.end, 200)
    rates = np.array([schedule.rate(fraction) for fraction in fractions])
    assert rates[-1] == pytest.approx(0, abs=1e-9)
    assert (np.diff(rates) <= 1e-12).all()
    before = fractions <= cool_from
    np.testing.assert_allclose(rates[before], [one_cycle(f) for f in fractions[before]])


def offer_all(errors: list[float]) -> Keeper:
    keeper = Keeper()
    for number, error in enumerate(errors):
        keeper.offer(error, number / 10, lambda number=number: {"number": number})
    return keeper


@pytest.mark.parametrize(
    ("errors", "kept"),
    [
        ([0.5, 0.3, 0.2], 2),
        ([0.5, 0.2, 0.4, 0.3], 1),  # the lowest
        ([0.5, 0.2, 0.209, 0.3], 2),  # of two that are much the same the later
        ([0.2, 0.209, 0.2195], 1),  # but not ever worse in small steps
        ([1.0, 1.0], 1),
    ],
)
def test_the_lowest_error_is_kept_and_of_much_the_same_the_latest(errors, kept):
    keeper = offer_all(errors)
    assert keeper.kept == {"number": kept} and keeper.kept_at == kept / 10


def test_waiting_is_counted_from_the_lowest_error():
    keeper = offer_all([0.5, 0.2, 0.205, 0.4])
    assert keeper.waited(0.3) == pytest.approx(0.2)


def test_weights_are_copied_only_when_kept():
    keeper = offer_all([0.2])
    keeper.offer(0.9, 0.5, lambda: pytest.fail("asked for the weights"))
