"""Readers of file formats. None of them runs anything that a file contains, and none unpickles."""
