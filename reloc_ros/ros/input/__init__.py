"""What reaches the node, images and intrinsics, and the thread that works on each image."""
