"""From photographs to a bundle: the steps that run on the mapping machine, on a workspace folder."""
