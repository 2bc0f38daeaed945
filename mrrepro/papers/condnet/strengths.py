"""A stage that says how strong the field is in each region of Table III, by the uniform map: no training is in it."""

from __future__ import annotations

from dataclasses import dataclass

from mrrepro.metrics.electric_fields import magnitude
from mrrepro.papers.condnet.heads import HEADS, read_heads
from mrrepro.papers.condnet.settings import CondNetSettings, StimulationSettings
from mrrepro.papers.condnet.stimulation import FIELDS, read_fields, regions_of
from mrrepro.runs.files import write_json
from mrrepro.runs.stages import Stage, StageContext

REGIONS = ("motor_area", "brain", "non_brain", "head")
"""Of Table III."""


@dataclass(frozen=True)
class StrengthSelection:
    """What the strengths depend on beside the heads and their fields."""

    stimulation: StimulationSettings


def field_strengths(context: StageContext[StrengthSelection]) -> None:
    """Mean |E| [V/m] of each test head by region, from the field by its uniform map."""
    heads = read_heads(context.inputs[HEADS.name], "testing")
    entries = []
    for head, fields in zip(heads, read_fields(context.inputs[FIELDS.name]), strict=True):
        strength, regions = magnitude(fields["uniform"]), regions_of(head)
        means = {name: float(strength[regions[name]].mean(dtype=float)) for name in REGIONS}
        entries.append({"name": head.name, "strength": means})
    write_json(context.workspace / "strengths.json", {"heads": entries})


def select(settings: CondNetSettings) -> StrengthSelection:
    """What the strengths may see of the settings."""
    return StrengthSelection(settings.stimulation)


STRENGTHS = Stage("condnet/strengths", field_strengths, select, inputs=(HEADS, FIELDS))
