"""The rendered places: surfaces, furniture, light, and the renderer that draws them."""
