"""The command ``mrrepro``."""
