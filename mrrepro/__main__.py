"""``python -m mrrepro``, where the command is not on the path, and for ``torchrun -m mrrepro``."""

from mrrepro.cli.main import entry

if __name__ == "__main__":
    entry()
