"""The rendered places: painted surfaces, the faces built of them, baked light, exposure, and the renderer."""
