"""`python -m reloc_ros.bench.mapping`: how much of a map is right, on rendered walks that are known to mislead."""
