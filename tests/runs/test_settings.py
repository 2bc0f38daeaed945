"""Settings: scales, overrides from code and from a command line, and what is refused."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import Literal, Self

import pytest

from mrrepro.runs.settings import SCALES, as_plain, check_settings, configure, describe, from_plain, setting


@dataclass(frozen=True)
class Training:
    samples: int = setting(100, "training samples", source="Section 3.2", low=1)
    learning_rate: float = setting(1e-3, "step of Adam", unit="1", low=0.0, high=1.0)
    snr: float = setting(math.inf, "signal to noise", unit="dB")
    schedule: Literal["constant", "cosine"] = setting("cosine", "how the step falls")
    widths: tuple[int, ...] = setting((8, 16), "filters at each level", low=1)
    window: tuple[float, float] = setting((0.0, 1.0), "limits")
    augment: bool = setting(True, "whether to flip")
    limit: float | None = setting(None, "clip of the gradient", low=0.0)
    loss: str = setting("l1", "what is minimised", choices=("l1", "l2"))


@dataclass(frozen=True)
class Paper:
    training: Training = Training()
    draws: int = setting(10, "noise draws", low=1)

    @classmethod
    def at_scale(cls, scale: str) -> Self:
        return cls(Training(samples={"smoke": 4, "demo": 100, "colab": 1000, "paper": 4_000_000}[scale]))


@pytest.mark.parametrize(
    ("name", "given", "expected"),
    [
        ("training.samples", "1e4", 10_000),
        ("training.samples", 7, 7),
        ("training.learning_rate", "0.5", 0.5),
        ("training.learning_rate", 1, 1.0),
        ("training.snr", "inf", math.inf),
        ("training.schedule", "constant", "constant"),
        ("training.widths", "4,8,16", (4, 8, 16)),
        ("training.widths", "[4, 8]", (4, 8)),
        ("training.widths", [4], (4,)),
        ("training.window", "(0.1, 2)", (0.1, 2.0)),
        ("training.augment", "no", False),
        ("training.limit", "none", None),
        ("training.limit", "2.5", 2.5),
        ("training.loss", "l2", "l2"),
    ],
)
def test_override_is_parsed_to_the_type_of_its_field(name, given, expected):
    settings = configure(Paper, "smoke", {name: given})
    value = getattr(settings.training, name.partition(".")[2])
    assert value == expected
    assert type(value) is type(expected)


def test_other_values_stay_those_of_the_scale():
    settings = configure(Paper, "demo", {"draws": 3, "training": {"augment": False}})
    assert (settings.draws, settings.training.augment, settings.training.samples) == (3, False, 100)


@pytest.mark.parametrize(
    ("name", "given", "message"),
    [
        ("training.samples", "0", r"training\.samples must be at least 1, but is 0"),
        ("training.samples", "2.5", r"training\.samples must be int, but is '2\.5'"),
        ("training.samples", 2.0, r"training\.samples must be int"),
        ("training.samples", True, r"training\.samples must be int"),
        ("training.learning_rate", "2", r"training\.learning_rate must be 0 to 1 1, but is 2\.0"),
        ("training.learning_rate", "nan", r"training\.learning_rate must be a number, but is nan"),
        ("training.schedule", "linear", r"training\.schedule must be one of constant, cosine, but is 'linear'"),
        ("training.widths", "8,0", r"training\.widths must be at least 1"),
        ("training.window", "1", r"training\.window must be \(float, float\)"),
        ("training.augment", "maybe", r"training\.augment must be bool"),
        ("training.loss", "l3", r"training\.loss must be one of l1, l2, but is 'l3'"),
        (
            "training.sample",
            "5",
            r"Unknown parameter 'training\.sample'\. Did you mean 'training\.samples'\? Known: draws,",
        ),
        ("samples", "5", r"Unknown parameter 'samples'\. Did you mean 'training\.samples'\?"),
    ],
)
def test_wrong_override_names_parameter_requirement_and_what_came(name, given, message):
    with pytest.raises(ValueError, match=message):
        configure(Paper, "smoke", {name: given})


def test_unknown_scale_lists_the_known_ones():
    with pytest.raises(
        ValueError, match=r"Unknown scale 'dmeo'\. Did you mean 'demo'\? Known: colab, demo, paper, smoke"
    ):
        configure(Paper, "dmeo")


def test_values_of_a_scale_are_checked_too():
    with pytest.raises(ValueError, match=r"training\.samples must be at least 1"):
        check_settings(Paper(Training(samples=0)))
    with pytest.raises(ValueError, match=r"draws must be int, but is '3'"):
        check_settings(Paper(draws="3"))


def test_json_round_trip_keeps_every_value():
    settings = configure(Paper, "colab", {"training.widths": (1, 2, 3), "training.limit": 0.5})
    assert from_plain(Paper, json.loads(json.dumps(as_plain(settings), allow_nan=False))) == settings


def test_plain_settings_with_unknown_or_missing_fields_are_refused():
    plain = as_plain(Paper())
    with pytest.raises(ValueError, match="Unknown field of Paper 'drawz'"):
        from_plain(Paper, {**plain, "drawz": 3})


def test_description_has_a_row_per_setting_with_its_value_at_each_scale():
    rows = {row.name: row for row in describe(Paper)}
    assert set(rows) == {f"training.{name}" for name in Training.__dataclass_fields__} | {"draws"}
    row = rows["training.samples"]
    assert (row.type, row.admissible, row.source) == ("int", "at least 1", "Section 3.2")
    assert row.values == dict(zip(SCALES, (4, 100, 1000, 4_000_000), strict=True))
    assert rows["training.widths"].type == "tuple of int"
