"""What a stream of single-image results is worth: tracking or lost, with hysteresis, rates and smoothing."""
