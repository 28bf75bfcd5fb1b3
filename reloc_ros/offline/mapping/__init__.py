"""From images to a structure-from-motion model: pairs, features, COLMAP's mappers, and a verdict on the result."""
