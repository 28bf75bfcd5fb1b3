"""`scripts/bench`: how exact, how fast and how large everything is, all in one run, beside the baselines."""
