"""`python -m reloc_ros.bench.scaling`: time and memory of every verb after `reloc map`, by the number of images."""
