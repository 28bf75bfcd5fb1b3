"""From keypoints to a pose: the robust search, a prediction among its hypotheses, and the tests it must pass."""
