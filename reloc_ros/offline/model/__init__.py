"""The structure-from-motion model and what is done to it: read, triangulated, cleaned, edited, held out from."""
