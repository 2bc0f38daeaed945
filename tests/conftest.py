"""What tests of every folder share."""

from __future__ import annotations

import pytest

from mrrepro.cli.main import entry


@pytest.fixture
def mrrepro_command(monkeypatch, capsys):
    """Run the command line in this process: (exit code, standard output, standard error)."""

    def call(*arguments):
        monkeypatch.setattr("sys.argv", ["mrrepro", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            entry()
        captured = capsys.readouterr()
        return ended.value.code or 0, captured.out, captured.err

    return call
