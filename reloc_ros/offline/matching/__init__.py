"""From images to pairs of them whose matches two-view geometry verified, in a COLMAP database."""
