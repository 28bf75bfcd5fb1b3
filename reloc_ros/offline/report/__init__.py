"""One self-contained page about a workspace: what was mapped, how well it works, and where it will not."""
