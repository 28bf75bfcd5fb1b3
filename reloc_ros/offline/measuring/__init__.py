"""How good it is: held-out images under degraded conditions, errors, and SIFT as the baseline."""
