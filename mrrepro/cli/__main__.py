"""``python -m mrrepro.cli``, where the command is not on the path."""

from mrrepro.cli.main import entry

entry()
