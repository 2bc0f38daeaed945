"""Measures of error and the statistics that decide claims."""
