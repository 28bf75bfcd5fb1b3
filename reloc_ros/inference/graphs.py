"""How a network is run, whatever the engine: as one graph, or as an encoder and a head for each place."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from reloc_ros.bundle import ENCODER, NETWORK, ONNX, PLACES, Bundle, NetworkShape, place_model
from reloc_ros.errors import RelocError
from reloc_ros.inference.places import ENOUGH, PlaceClassifier, described


class Graph(Protocol):
    """A part of a network that an engine runs: arrays in, arrays out."""

    any_size: bool
    """Whether it takes arrays of any height and width that fit together, or only of the bundle's."""

    def __call__(self, *inputs: NDArray[Any]) -> list[NDArray[np.float32]]: ...


class Engine(Protocol):
    """What runs graphs."""

    name: str
    """The engine, the device it runs on and its precision, for people; final once a graph is open."""
    suffix: str
    """Of the files it opens, by which those in bytes are told from others."""

    def open(self, file: Path) -> Graph: ...


class Backend(Protocol):
    """A started network. Decode is inside its graph, so all engines return the same K x (x, y, score, sigma)."""

    name: str
    """The engine and the device it runs on, for people."""
    any_size: bool
    """Whether it takes pictures of any size in multiples of 32 pixels, or only of the bundle's."""
    attempts: int
    """How often it pays to look at a picture: more than once where the first looks are for some places' landmarks."""

    def infer(self, image: NDArray[np.uint8], attempt: int = 0) -> NDArray[np.float32]:
        """(H, W, 3) uint8 BGR -> (K, 4): x, y, score, sigma; pixels are the picture's.

        What was not looked for is NaN.
        """
        ...


class WholeNetwork:
    """One graph that finds all landmarks."""

    attempts = 1

    def __init__(self, bundle: Bundle, engine: Engine) -> None:
        self._graph = engine.open(bundle.file(NETWORK + engine.suffix))
        self.name, self.any_size = engine.name, self._graph.any_size

    def infer(self, image: NDArray[np.uint8], attempt: int = 0) -> NDArray[np.float32]:
        return np.asarray(self._graph(image[None])[0][0], np.float32)


@dataclasses.dataclass(frozen=True, eq=False)
class _Looked:
    """A picture, its features and their means, and the keypoints (K, 4) that were found by them, by place."""

    image: NDArray[np.uint8]
    features: list[NDArray[np.float32]]
    description: NDArray[np.float32]
    found: dict[int, NDArray[np.float32]]


class NetworkOfPlaces:
    """One encoder for all places, and a head for each: where an image was taken, the encoder's features tell.

    Each look is for the landmarks of more places, those of the looks before included, and the last for all.
    """

    attempts = len(ENOUGH) + 1

    def __init__(self, bundle: Bundle, engine: Engine) -> None:
        self._encoder = engine.open(bundle.file(ENCODER + engine.suffix))
        self.name, self.any_size = engine.name, self._encoder.any_size
        self._bundle, self._engine = bundle, engine
        self._classifier = PlaceClassifier.load(bundle.file(PLACES))
        if len(self._classifier.biases) != len(bundle.network.places):
            raise RelocError(
                f"{bundle.path / PLACES} tells another number of places apart; export the bundle again"
            )
        self._heads: dict[int, Graph] = {}
        self._looked: _Looked | None = None

    def infer(self, image: NDArray[np.uint8], attempt: int = 0) -> NDArray[np.float32]:
        shape: NetworkShape = self._bundle.network
        looked = self._look(image, attempt)
        is_last = attempt == len(ENOUGH)
        everywhere = range(len(shape.places))
        for place in everywhere if is_last else self._classifier.likely_of(looked.description, attempt):
            if place not in looked.found:
                looked.found[place] = self._head(place)(*looked.features)[0][0]
        keypoints = np.full((shape.landmarks, 4), np.nan, dtype=np.float32)
        for place, found in looked.found.items():
            keypoints[shape.rows_of(place)] = found
        return keypoints

    def _look(self, image: NDArray[np.uint8], attempt: int) -> _Looked:
        """What is known of a picture, which is kept for the attempts after the first."""
        if attempt == 0 or self._looked is None or self._looked.image is not image:
            features = self._encoder(image[None])
            self._looked = _Looked(image, features, described(features), {})
        return self._looked

    def _head(self, place: int) -> Graph:
        if place not in self._heads:
            self._heads[place] = self._engine.open(self._bundle.file(place_model(place) + ONNX))
        return self._heads[place]


def open_network(bundle: Bundle, engine: Engine) -> Backend:
    """The network of a bundle, on an engine."""
    return NetworkOfPlaces(bundle, engine) if bundle.network.places else WholeNetwork(bundle, engine)
