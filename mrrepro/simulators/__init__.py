"""Forward models: from an object to the data of a scanner."""
