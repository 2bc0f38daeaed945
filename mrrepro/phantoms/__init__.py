"""Objects to be imaged: shapes, concentrations, anatomies."""
