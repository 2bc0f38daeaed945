"""Features of a region of interest, and classifiers judged by nested cross-validation."""
