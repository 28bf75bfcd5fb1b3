"""What the node says: poses, status, diagnostics and debug views."""
