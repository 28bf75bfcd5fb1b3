"""The node under load: a camera process sends images over DDS, the real node localizes them."""
