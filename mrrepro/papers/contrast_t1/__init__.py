"""Contrast T1: synthetic post-contrast T1 images of gliomas by 3D U-Nets (004)."""
