"""Filming a rendered place: trajectories, pictures, videos and models, with the truth."""
