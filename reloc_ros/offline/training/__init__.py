"""From labelled images to a trained network: augmented views, features, losses, schedule, checkpoints."""
