import numpy as np
import pytest
import report_workspace as made

from reloc_ros.offline.landmarks.labels import Visibility
from reloc_ros.offline.landmarks.spread import CELL_HOLDS, CELLS_ACROSS
from reloc_ros.offline.landmarks.visibility import label_images
from reloc_ros.offline.progress import silent
from reloc_ros.offline.report.collect import collect
from reloc_ros.offline.report.coverage import view_coverage
from reloc_ros.offline.report.gallery import PATCHES, find_rates, found_sentence, landmark_cards
from reloc_ros.offline.report.pictures import Photos


@pytest.fixture(scope="module")
def facts(tmp_path_factory):
    workspace = made.make_workspace(tmp_path_factory.mktemp("gallery"))
    made.advance(workspace, "evaluated")
    return collect(workspace)


def test_hits_and_strays_are_those_that_were_made(facts):
    """Four fifths of the keypoints are a pixel from their landmark, the others far away."""
    truth = label_images(facts.model, facts.landmarks, "depth")
    hits = strays = 0
    for outcome in facts.ours[0].outcomes:
        i = facts.model.names.index(outcome.name)
        states = truth.visibility[i, outcome.keypoints.landmarks]
        hits += np.count_nonzero((states == Visibility.SEEN) & outcome.inliers)
        strays += np.count_nonzero(~outcome.inliers)
    found = find_rates(facts, facts.ours[0])
    assert sum(each.hits for each in found) == hits > 0
    assert sum(each.strays for each in found) == strays > 0
    assert all(each.hits <= each.shown for each in found)
    errors = [each.error_px for each in found if each.error_px is not None]
    assert 0.5 < np.median(errors) < 2.5
    assert {each.sigma_px for each in found} <= {1.5, None}


def test_cards_are_of_all_landmarks_worst_first_with_their_patches(facts):
    photos = Photos(facts.workspace.images_dir)
    cards = landmark_cards(facts, photos, silent)
    assert sorted(card.id for card in cards) == sorted(facts.landmarks.ids.tolist())
    assert all(card.strip.startswith("data:image/webp;base64,") for card in cards)
    rates = [card.found.rate for card in cards if card.found.rate is not None]
    assert rates == sorted(rates)
    assert not photos.missing and PATCHES == 3
    assert "The network finds" in found_sentence(cards)
    tracks = dict(zip(facts.known.point_ids.tolist(), facts.known.track_lengths.tolist(), strict=True))
    assert all(card.track == tracks[card.id] for card in cards)


def test_no_picture_of_a_held_out_image_is_shown_as_the_map_s(facts):
    read = []

    class Noted(Photos):
        def read(self, model, image):
            read.append(model.names[image])
            return super().read(model, image)

    landmark_cards(facts, Noted(facts.workspace.images_dir), silent)
    assert read and not facts.workspace.is_held_out(read).any()


def test_coverage_counts_a_crowded_cell_once_over(facts):
    views = view_coverage(facts)
    assert [view.name for view in views] == list(facts.labels.names)
    for i, view in enumerate(views):
        pixels = facts.labels.keypoints_px[i][facts.labels.visibility[i] == Visibility.SEEN]
        counts: dict[tuple[int, int], int] = {}
        for x, y in pixels:
            cell = (int((x + 0.5) / 640 * CELLS_ACROSS), int((y + 0.5) / 480 * CELLS_ACROSS))
            counts[cell] = counts.get(cell, 0) + 1
        assert view.seen == len(pixels)
        assert view.spread == sum(min(count, CELL_HOLDS) for count in counts.values())
