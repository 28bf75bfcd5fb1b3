"""From matches between images to a structure-from-motion model, by COLMAP's mappers, and a verdict on it."""
