"""From an image to keypoints: the network, and the engines that run it behind one small protocol."""
