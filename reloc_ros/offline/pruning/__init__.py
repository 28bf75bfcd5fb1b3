"""Find the landmarks on what has moved since the map was made, in images of other days, and leave them out."""
