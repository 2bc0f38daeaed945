"""Faults that are put in on purpose, and the verdicts that catch them; for the chapter 'Break it'."""
