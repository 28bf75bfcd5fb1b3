import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reloc_ros.errors import RelocError
from reloc_ros.offline.model.holdout import parse_holdout

NAMES = [f"{i:02d}.jpg" for i in range(10)]


def held_out(spec, names=NAMES):
    return [name for name, held in zip(names, parse_holdout(spec).is_held_out(names), strict=True) if held]


def test_every_counts_places_in_name_order():
    assert held_out("every:5:2") == ["02.jpg", "07.jpg"]
    assert sorted(held_out("every:5:2", NAMES[::-1])) == ["02.jpg", "07.jpg"]


def test_last_and_none():
    assert held_out("last:3") == ["07.jpg", "08.jpg", "09.jpg"]
    assert held_out("none") == []


def test_list_reads_names_and_skips_comments(tmp_path):
    file = tmp_path / "held.txt"
    file.write_text("# these\n03.jpg\n\n 08.jpg \n")
    assert held_out(f"list:{file}") == ["03.jpg", "08.jpg"]


@given(st.integers(2, 20), st.data())
def test_every_remainders_partition_the_images(every, data):
    names = [f"{i:04d}" for i in range(data.draw(st.integers(2 * every, 100)))]
    masks = [parse_holdout(f"every:{every}:{remainder}").is_held_out(names) for remainder in range(every)]
    assert (np.sum(masks, axis=0) == 1).all()


@pytest.mark.parametrize(
    "spec",
    ["", "every", "every:", "every:5", "every:5:2:1", "every:0:0", "every:1:0", "every:5:5", "every:5:-1",
     "every:a:b", "every:5:²", "every:5:" + "0" * 5000 + "2",
     "last:0", "last:-1", "last:x", "last", "none:3", "list:", "list:/no/such/file", "all"],
)  # fmt: skip
def test_bad_specs_are_one_sentence_that_names_them(spec):
    with pytest.raises(RelocError) as error:
        parse_holdout(spec)
    assert spec in str(error.value) and "\n" not in str(error.value)


def test_nothing_left_for_the_map_is_refused():
    with pytest.raises(RelocError, match="leaves none"):
        held_out("last:10")


def test_listed_image_that_does_not_exist_is_refused(tmp_path):
    file = tmp_path / "held.txt"
    file.write_text("99.jpg\n")
    with pytest.raises(RelocError, match=r"99\.jpg"):
        held_out(f"list:{file}")


def test_empty_list_is_refused(tmp_path):
    file = tmp_path / "held.txt"
    file.write_text("\n# nothing\n")
    with pytest.raises(RelocError, match="names no image"):
        held_out(f"list:{file}")
