"""Metres and gravity for a map: known distances, boards, trajectories, accelerometers, and whether they agree."""
