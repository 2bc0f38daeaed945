"""``python -m data_fetch``."""

from data_fetch.cli import app

if __name__ == "__main__":
    app(prog_name="python -m data_fetch")
