"""A map of several places: which landmarks are of which, the network of each, and how they become one bundle."""
