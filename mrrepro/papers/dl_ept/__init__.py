"""DL-EPT: electrical properties of tissue from B1 maps, by the Helmholtz equation and by networks (000)."""
