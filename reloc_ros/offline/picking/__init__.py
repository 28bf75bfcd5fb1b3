"""Choosing landmarks by hand: the browser page of `reloc web` and the session behind it."""
