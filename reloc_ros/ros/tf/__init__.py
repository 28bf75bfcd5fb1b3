"""The node's part in the TF tree: what it looks up and broadcasts, and whose parent it may be."""
