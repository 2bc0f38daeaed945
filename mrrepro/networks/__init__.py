"""Networks, each a module without loss, optimiser, device or file access inside."""
