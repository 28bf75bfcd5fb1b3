"""What the way of an image does beside the images; the way itself is tested over DDS."""

import weakref

from reloc_ros.ros import image_way
from reloc_ros.ros.image_way import ImageWay


class Map:
    """Of which one can know whether it is still there."""


def test_the_map_before_is_given_back_once_the_last_image_that_needs_it_is_done(monkeypatch):
    way = object.__new__(ImageWay)
    way.loaded = Map()
    former, left = weakref.ref(way.loaded), []
    monkeypatch.setattr(image_way, "give_back_memory", lambda: left.append(former()))

    def look(images):
        in_work = way.loaded
        way.loaded = Map()  # by the executor's thread, meanwhile
        assert in_work is former() and not left

    way._freeing(look, [])
    assert left == [None]
    way._freeing(lambda images: None, [])
    assert left == [None]
