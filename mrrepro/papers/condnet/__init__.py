"""CondNet: conductivity of the head without segmentation, and the field of a stimulating coil in it (001)."""
