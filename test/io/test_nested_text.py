import pytest

from reloc_ros.io.nested_text import MOST_LEVELS, MOST_VALUES, parse_json, parse_yaml, read_json


def test_json_is_read_as_it_stands(tmp_path):
    (tmp_path / "a.json").write_text('{"a": [1, null]}')
    assert read_json(tmp_path / "a.json") == {"a": [1, None]}


def test_json_without_end_is_no_json():
    with pytest.raises(ValueError, match="nested too deeply"):
        parse_json("[" * 50_000 + "]" * 50_000)


@pytest.mark.parametrize(
    "number", ["Infinity", "-Infinity", "1e999", "-1e999", "1e19", str(2**63), str(-(10**400)), "9" * 5000]
)
def test_numbers_that_nothing_of_numpy_can_hold_are_refused(number):
    with pytest.raises(ValueError, match=f"^its number {number[:20]} is too large$"):
        parse_json(f'{{"a": [1, {number}]}}')


def test_numbers_of_json_keep_their_kind_and_every_digit():
    read = parse_json(f"[{2**62 + 1}, -3, -0.1, 1e-400, 1e3]")
    assert read == [2**62 + 1, -3, -0.1, 0.0, 1000.0]
    assert [type(number) for number in read] == [int, int, float, float, float]


def test_yaml_with_an_alias_stands_for_what_it_names():
    assert parse_yaml(b"a: &x [1, 2]\nb: *x\n---\nc: 3\n") == [{"a": [1, 2], "b": [1, 2]}, {"c": 3}]


@pytest.mark.parametrize(("open_", "close"), [("[", "]"), ("{a: ", "}")])
def test_yaml_deeper_than_any_camera_needs_is_refused(open_, close):
    deep = (open_ * MOST_LEVELS + "1" + close * MOST_LEVELS).encode()
    assert parse_yaml(deep)
    with pytest.raises(ValueError, match="levels deep"):
        parse_yaml(open_.encode() + deep + close.encode())


def test_aliases_count_for_what_they_stand_for():
    # Thrice ten times: a thousand values that are written in sixty characters.
    doubled = "a: &a [1,1,1,1,1,1,1,1,1]\nb: &b [*a,*a,*a]\nc: [*b,*b,*b]\n"
    assert len(parse_yaml(doubled.encode())[0]["c"]) == 3
    rows = MOST_VALUES // 100
    many = f"a: &a [{','.join(['1'] * 100)}]\nb: [{','.join(['*a'] * rows)}]\n"
    with pytest.raises(ValueError, match=f"more than {MOST_VALUES} values"):
        parse_yaml(many.encode())


def test_an_alias_of_what_it_is_in_is_refused():
    with pytest.raises(ValueError, match=r"\*a stands for nothing"):
        parse_yaml(b"&a [1, *a]")


@pytest.mark.parametrize(
    "text", [b"a: [1", b"\xff\xfe\x00", b"a: 2024-13-45", b"a: !!python/object/new:dict {}", b"a: *b"]
)
def test_what_is_no_plain_yaml_is_refused(text):
    with pytest.raises(ValueError):
        parse_yaml(text)
