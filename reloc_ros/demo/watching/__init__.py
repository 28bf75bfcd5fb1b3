"""What the demo saw: its record and verdict, the live table, and the picture of the run."""
