"""What the node says: poses, status, diagnostics, debug views and bonds."""
