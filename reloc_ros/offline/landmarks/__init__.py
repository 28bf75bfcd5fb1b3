"""Which points the network learns to find, and which image sees which of them."""
