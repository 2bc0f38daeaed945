"""One thin layer a paper: settings, recipe, checks."""
