"""The embedded demo: a textured place of our own making, filmed by a simulated camera with exact poses."""
