"""Foreign data at the border: files that appear whole or not at all, bags, camera files, image messages."""
