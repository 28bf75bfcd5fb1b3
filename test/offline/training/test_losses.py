import numpy as np
import pytest
import torch

from reloc_ros.inference.network import STRIDE, LandmarkHead, decode
from reloc_ros.offline.landmarks.labels import Visibility
from reloc_ros.offline.training import losses
from reloc_ros.offline.training.losses import landmark_loss as loss_of_head

SEEN, HIDDEN, UNKNOWN = int(Visibility.SEEN), int(Visibility.HIDDEN), int(Visibility.UNKNOWN)
ROWS, COLUMNS = 9, 12


def random_maps(landmarks: int = 3, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn((2, 4, landmarks, ROWS, COLUMNS), generator=generator, dtype=torch.float64).float()


class FreeHead:
    """A head whose features (B, 4, K, h, w) are its maps: every value of every map is free."""

    groups = 1

    def context(self, maps: torch.Tensor) -> torch.Tensor:
        return maps

    def logits_of(self, maps: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
        images = torch.arange(len(maps))[:, None, None]
        return maps[:, 0].flatten(2)[images, places]

    def offsets_of(self, maps, images, landmarks, cells):
        return maps[:, 1:].float().flatten(3)[images, :, landmarks, cells]

    def offsets_of_all(self, maps, cells):
        batch, count = cells.shape
        images, landmarks = torch.arange(batch).repeat_interleave(count), torch.arange(count).repeat(batch)
        return self.offsets_of(maps, images, landmarks, cells.flatten()).view(batch, count, 3)


def landmark_loss(maps, places, visibility):
    torch.manual_seed(0)
    return loss_of_head(FreeHead(), maps, places, visibility)


def decoded(maps):
    return decode(maps[:, 0], lambda cells: FreeHead().offsets_of_all(maps, cells))


def keypoints(landmarks: int = 3, seed: int = 0) -> torch.Tensor:
    places = np.random.default_rng(seed).uniform([0, 0], [95, 71], (2, landmarks, 2))
    return torch.from_numpy(places.astype(np.float32))


def states(*rows: list[int]) -> torch.Tensor:
    return torch.tensor(rows, dtype=torch.int8)


def perfect_maps(places: torch.Tensor, visibility: torch.Tensor) -> torch.Tensor:
    maps = torch.full((*visibility.shape[:1], 4, visibility.shape[1], ROWS, COLUMNS), -12.0)
    maps[:, 1:3] = 0
    maps[:, 3] = -5
    for b, k in (visibility == SEEN).nonzero().tolist():
        cell = (places[b, k] + 0.5) / STRIDE - 0.5
        column, row = cell.round().long().tolist()
        for r in range(max(row - 1, 0), min(row + 2, ROWS)):
            for c in range(max(column - 1, 0), min(column + 2, COLUMNS)):
                step = cell - torch.tensor([c, r])
                maps[b, 0, k, r, c] = 12 - step.square().sum() / (2 * 0.6**2)
                maps[b, 1:3, k, r, c] = step
    return maps


MIXED = states([SEEN, HIDDEN, UNKNOWN], [SEEN, SEEN, UNKNOWN])


def test_right_maps_lose_least():
    right = perfect_maps(keypoints(), MIXED)
    best = landmark_loss(right, keypoints(), MIXED)
    for wrong in (random_maps(), torch.zeros_like(right), right.roll(3, dims=4), right.roll(1, dims=2)):
        worse = landmark_loss(wrong, keypoints(), MIXED)
        assert best["heatmap"] < worse["heatmap"] - 0.5
        assert best["loss"] < worse["loss"] - 0.5


def test_right_maps_decode_to_the_keypoints():
    places = torch.tensor(
        [[[0.0, 0.0], [95.0, 71.0], [40.2, 33.7]], [[3.5, 67.5], [91.9, 2.0], [47.5, 35.5]]]
    )
    visibility = states([SEEN] * 3, [SEEN] * 3)
    found = decoded(perfect_maps(places, visibility))
    torch.testing.assert_close(found[..., :2], places, atol=1e-4, rtol=0)
    assert found[..., 2].min() > 0.9


def test_training_leads_to_the_keypoints():
    """Gradient descent on the maps themselves: what the loss wants is what the decode reads."""
    visibility = states([SEEN, HIDDEN, SEEN], [SEEN, SEEN, HIDDEN])
    maps = random_maps().requires_grad_()
    optimizer = torch.optim.Adam([maps], lr=0.2)
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1, 0.01, 200)
    torch.manual_seed(0)
    for _ in range(200):
        optimizer.zero_grad()
        loss_of_head(FreeHead(), maps, keypoints(), visibility)["loss"].backward()
        optimizer.step()
        schedule.step()
    found = decoded(maps.detach())
    seen = visibility == SEEN
    torch.testing.assert_close(found[..., :2][seen], keypoints()[seen], atol=0.2, rtol=0)
    assert found[..., 2][seen].min() > 0.9 and found[..., 2][~seen].max() < 0.1
    assert found[..., 3][seen].max() < 0.5 * STRIDE


def test_unknown_landmarks_take_no_part():
    maps = random_maps().requires_grad_()
    loss = landmark_loss(maps, keypoints(), MIXED)["loss"]
    loss.backward()
    assert (maps.grad[:, :, 2] == 0).all()
    assert (maps.grad[:, 0, :2] != 0).any(dim=(2, 3)).all()
    changed = random_maps()
    changed[:, :, 2] = 7.0
    torch.testing.assert_close(landmark_loss(changed, keypoints(), MIXED)["loss"], loss.detach())


def test_hidden_landmarks_have_no_offset():
    maps = random_maps().requires_grad_()
    landmark_loss(maps, keypoints(), MIXED)["loss"].backward()
    assert (maps.grad[0, 1:, 1] == 0).all() and (maps.grad[0, 0, 1] > 0).all()
    assert (maps.grad[0, 1:, 0] != 0).any()


@pytest.mark.parametrize("state", [HIDDEN, UNKNOWN])
def test_keypoints_of_landmarks_that_are_not_seen_may_be_nan(state):
    places = keypoints()
    places[0, 1] = torch.nan
    maps = random_maps().requires_grad_()
    losses = landmark_loss(maps, places, states([SEEN, state, SEEN], [SEEN, SEEN, SEEN]))
    losses["loss"].backward()
    assert torch.isfinite(losses["loss"]) and torch.isfinite(maps.grad).all()


@pytest.mark.parametrize("state", [HIDDEN, UNKNOWN])
def test_batch_in_which_nothing_is_seen_has_a_finite_loss(state):
    maps = random_maps().requires_grad_()
    loss = landmark_loss(maps, keypoints(), states([state] * 3, [state] * 3))["loss"]
    loss.backward()
    assert torch.isfinite(loss) and torch.isfinite(maps.grad).all()
    if state == UNKNOWN:
        assert loss == 0 and (maps.grad == 0).all()


def test_heatmap_loss_is_the_plain_cross_entropy():
    places, visibility = keypoints(), states([SEEN, HIDDEN, UNKNOWN], [SEEN, SEEN, HIDDEN])
    maps = random_maps()
    total, known = 0.0, 0
    for b in range(2):
        for k in range(3):
            if visibility[b, k] == UNKNOWN:
                continue
            known += 1
            logits = maps[b, 0, k].double().numpy()
            log_p = logits - np.log(1 + np.exp(logits).sum())
            if visibility[b, k] == HIDDEN:
                total += np.log(1 + np.exp(logits).sum())
                continue
            x, y = (places[b, k].double().numpy() + 0.5) / STRIDE - 0.5
            rows, columns = np.mgrid[:ROWS, :COLUMNS]
            target = np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * 0.6**2))
            target[(abs(columns - np.rint(x)) > 1) | (abs(rows - np.rint(y)) > 1)] = 0
            total -= (target / target.sum() * log_p).sum()
    assert landmark_loss(maps, places, visibility)["heatmap"].item() == pytest.approx(total / known, rel=1e-5)


def test_loss_is_computed_in_single_precision_whatever_the_maps_are():
    maps = random_maps().bfloat16()
    found = landmark_loss(maps, keypoints(), MIXED)["loss"]
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, landmark_loss(maps.float(), keypoints(), MIXED)["loss"])


@pytest.mark.parametrize("groups", [1, 3])
def test_heads_own_maps_give_the_same_loss_as_free_ones(groups):
    """Landmarks of several groups, 10 of them so that the groups are not equally large."""
    torch.manual_seed(0)
    head = LandmarkHead(5, 6, 10, groups)
    features = torch.randn((2, 5, ROWS, COLUMNS))
    places = keypoints(10)
    visibility = torch.randint(-1, 2, (2, 10), dtype=torch.int8)
    logits = head(features).logits
    maps = torch.cat([logits[:, None], torch.zeros((2, 3, 10, ROWS, COLUMNS))], dim=1)
    expected = landmark_loss(maps, places, visibility)["heatmap"]
    torch.testing.assert_close(loss_of_head(head, features, places, visibility)["heatmap"], expected.detach())


def test_drawn_hidden_landmarks_stand_for_all(monkeypatch):
    """Of 40 hidden ones 5 are looked at, and over many draws the loss is that of all."""
    maps = random_maps(48)
    visibility = torch.full((2, 48), HIDDEN, dtype=torch.int8)
    visibility[:, ::6] = SEEN

    def heatmap_loss(seed: int) -> torch.Tensor:
        torch.manual_seed(seed)
        return loss_of_head(FreeHead(), maps, keypoints(48), visibility)["heatmap"]

    whole = heatmap_loss(0)
    monkeypatch.setattr(losses, "HIDDEN_DRAWS", 5)
    drawn = torch.stack([heatmap_loss(seed) for seed in range(300)])
    assert drawn.std() > 1e-4
    assert drawn.mean().item() == pytest.approx(whole.item(), rel=2e-3)


def test_seen_landmarks_are_never_left_out(monkeypatch):
    monkeypatch.setattr(losses, "HIDDEN_DRAWS", 0)
    visibility = states([SEEN, HIDDEN, SEEN], [HIDDEN, HIDDEN, SEEN])
    maps = random_maps().requires_grad_()
    landmark_loss(maps, keypoints(), visibility)["loss"].backward()
    looked_at = (maps.grad[:, 0] != 0).flatten(2).any(dim=2)
    assert looked_at[visibility == SEEN].all()
