"""From a trained network to a bundle: folded, exported, quantized, calibrated, with reference views."""
