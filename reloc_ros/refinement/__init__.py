"""From a first pose to an exact one: patches of the map's reference views, found again in the image."""
