"""Who is whose parent in the TF tree, by what other nodes say: so that no frame is given a second one."""

from __future__ import annotations

import dataclasses
from collections.abc import Hashable

MEMORY_S = 10.0
"""A changing transform that nobody has repeated for so long is gone: tf2's own memory by default. Static ones stay."""
OWN_MESSAGES = 1000
"""How many of our own transforms to know again when they come back; some seconds' worth."""


@dataclasses.dataclass(frozen=True)
class Link:
    """A frame's parent, as another node says."""

    parent: str
    static: bool
    heard_s: float
    """When it was last said, on the node's clock."""


class Links:
    """The links heard on /tf and /tf_static, less our own."""

    def __init__(self) -> None:
        self._links: dict[str, Link] = {}
        self._own: dict[Hashable, None] = {}  # a set that remembers its order

    def inherit(self, former: Links) -> None:
        """Know what the same node sent before again, which may still be under way."""
        self._own |= former._own

    def sending(self, message: Hashable) -> None:
        """Remember what is about to be sent, by whatever tells it from what others send."""
        self._own[message] = None
        if len(self._own) > OWN_MESSAGES:
            del self._own[next(iter(self._own))]

    def is_own(self, message: Hashable) -> bool:
        return message in self._own

    def heard(self, parent: str, child: str, now_s: float, *, static: bool) -> None:
        known = self._links.get(child)
        if known is None or static or not known.static:  # nobody takes a static link back
            self._links[child] = Link(parent, static, now_s)

    def parent_of(self, child: str, now_s: float) -> Link | None:
        """The link that gives `child` its parent; None when it has none now."""
        link = self._links.get(child)
        return link if link and (link.static or now_s - link.heard_s <= MEMORY_S) else None

    def ancestors_of(self, frame: str, now_s: float) -> list[str]:
        """From its parent to the root; ends where the links form a loop."""
        ancestors: list[str] = []
        while (link := self.parent_of(frame, now_s)) is not None and link.parent not in ancestors:
            frame = link.parent
            ancestors.append(frame)
        return ancestors

    def restart(self, now_s: float) -> None:
        """The clock was set: what was known until then counts as said now."""
        self._links = {child: dataclasses.replace(link, heard_s=now_s) for child, link in self._links.items()}
