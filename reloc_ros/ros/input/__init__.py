"""What reaches the node: images, intrinsics and service calls, and the thread that works on them."""
