"""DeepSPIO: concentration of iron-oxide particles from View Line images (002)."""
