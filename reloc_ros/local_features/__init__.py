"""The second way to a pose: features of the image matched with those that the map's images show of its points."""
