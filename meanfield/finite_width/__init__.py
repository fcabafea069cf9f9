"""The same network at a width N and depth L: how far it strays from the maps, and whether it keeps its signal."""
