"""Pictures larger than a request: cut into overlapping tiles, asked tile by tile, joined into one GeoTIFF.

`grid` says where tiles lie, `blending` joins their answers, `raster` reads and writes files (extra `geo`), `mosaic`
puts the three together. Who sends the tiles is not known here: a client hands answers back in the tiles' order.
"""
