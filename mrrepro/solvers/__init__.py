"""Solvers of field equations and of inverse problems."""
