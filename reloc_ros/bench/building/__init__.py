"""`python -m reloc_ros.bench.building`: a rendered building to measure on, and the score of what is found in it."""
