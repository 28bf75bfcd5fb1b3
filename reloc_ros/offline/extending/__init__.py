"""Further images for a finished map: read, matched, placed and judged, while all that it holds stays as it is."""
