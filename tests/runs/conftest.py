"""A small package of stages in a temporary folder, so that the engine is tested without any paper."""

from __future__ import annotations

import importlib
import os
import sys
import uuid
from pathlib import Path
from textwrap import dedent

import pytest

from mrrepro.runs.artifacts import ArtifactStore

SETTINGS = '''
    from __future__ import annotations
    from dataclasses import dataclass
    from typing import Self
    from mrrepro.runs.settings import setting

    @dataclass(frozen=True)
    class Counting:
        """How far to count."""
        steps: int = setting(4, "numbers to draw", source="Section 2", low=1, high=1000)
        pause: float = setting(0.0, "wait between two numbers", unit="s", low=0.0)

    @dataclass(frozen=True)
    class Summing:
        """How to sum."""
        factor: float = setting(1.0, "weight of the sum")

    @dataclass(frozen=True)
    class Settings:
        counting: Counting = Counting()
        summing: Summing = Summing()

        @classmethod
        def at_scale(cls, scale: str) -> Self:
            return cls(counting=Counting(steps={"smoke": 4, "demo": 8, "colab": 16, "paper": 32}[scale]))
'''
NUMBERS = '''
    """Numbers."""

    def double(value):
        """Twice the value."""
        return 2 * value
'''
RECIPE = '''
    from __future__ import annotations
    import random, time
    from mrrepro.runs.files import write_json, read_json
    from mrrepro.runs.stages import Stage
    from .numbers import double
    from .settings import Settings

    def draw(context):
        """Draw numbers one by one, with a checkpoint after each, a slip of paper beside."""
        checkpoint = context.resume / "state.json"
        state = read_json(checkpoint) if checkpoint.exists() else {"drawn": [], "resumed_at": None}
        generator = random.Random(context.derived_seed("numbers"))
        numbers = [generator.random() for _ in range(context.settings.steps)]
        start = len(state["drawn"])
        if start:
            write_json(context.workspace / "resumed.json", start)
        for index in context.progress(range(start, context.settings.steps)):
            time.sleep(context.settings.pause)
            state["drawn"].append(numbers[index])
            write_json(checkpoint, state)
        write_json(context.workspace / "numbers.json", state["drawn"])

    def total(context):
        drawn = context.inputs["fake/draw"].json("numbers.json")
        write_json(context.workspace / "total.json", double(context.settings.factor * sum(drawn)))

    DRAW = Stage("fake/draw", draw, lambda settings: settings.counting)
    TOTAL = Stage("fake/total", total, lambda settings: settings.summing, inputs=(DRAW,))
    STAGES = (DRAW, TOTAL)
    SETTINGS = Settings
'''


class FakePackage:
    """Modules on disk that a test can write, rewrite and import."""

    def __init__(self, folder: Path) -> None:
        self.name = f"fake_{uuid.uuid4().hex[:10]}"
        self.root = folder
        self.folder = folder / self.name
        self.folder.mkdir(parents=True)
        self.write("__init__", "")

    def write(self, module: str, text: str) -> Path:
        path = self.folder / f"{module}.py"
        path.write_text(dedent(text))
        return path

    def replace(self, module: str, old: str, new: str) -> None:
        path = self.folder / f"{module}.py"
        text = path.read_text()
        assert old in text
        before = path.stat()
        path.write_text(text.replace(old, new))
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns + 1_000_000))  # as a later edit has it

    def module(self, name: str):
        importlib.invalidate_caches()
        return importlib.import_module(f"{self.name}.{name}")


@pytest.fixture
def package(tmp_path, monkeypatch):
    made = FakePackage(tmp_path / "code")
    monkeypatch.syspath_prepend(str(made.root))
    made.write("settings", SETTINGS)
    made.write("numbers", NUMBERS)
    made.write("recipe", RECIPE)
    yield made
    for name in [name for name in sys.modules if name.partition(".")[0] == made.name]:
        del sys.modules[name]


@pytest.fixture(autouse=True)
def _quiet_cpu(monkeypatch):
    monkeypatch.setenv("MRREPRO_DEVICE", "cpu")
    monkeypatch.delenv("MRREPRO_ARTIFACTS", raising=False)


@pytest.fixture
def store(tmp_path):
    return ArtifactStore(tmp_path / "artifacts")
