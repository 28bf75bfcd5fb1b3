"""Playing a bag to the node: raw messages at the times they were recorded at, with the clock of then."""
