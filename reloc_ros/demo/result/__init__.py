"""What a run of the demo came to: its record, the verdict, the table on the terminal and the picture."""
