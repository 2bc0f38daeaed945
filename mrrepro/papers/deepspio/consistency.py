"""Which settings of the DeepSPIO chapter do not go together, said before anything is computed."""

from __future__ import annotations

from collections.abc import Iterator

from mrrepro.papers.deepspio.settings import DeepSpioSettings, SequenceSettings

_MULTIPLE = 16
"""By which the four halvings of the networks make the size of an image divide."""


def conflicts(settings: DeepSpioSettings) -> Iterator[str]:
    """Say of each conflict which setting must be what, what it is and what to do."""
    yield from _of_sequence(settings.sequence)
    bodies = settings.bodies
    if bodies.fewest > bodies.most:
        yield f"bodies.fewest must be at most bodies.most ({bodies.most}), but is {bodies.fewest}: change one of them."
    if bodies.lowest_concentration > bodies.highest_concentration:
        yield (
            f"bodies.lowest_concentration must be at most bodies.highest_concentration "
            f"({bodies.highest_concentration:g} ug/mm^3), but is {bodies.lowest_concentration:g} ug/mm^3: "
            "change one of them."
        )


def _of_sequence(sequence: SequenceSettings) -> Iterator[str]:
    if sequence.size % _MULTIPLE:
        below = max(32, sequence.size - sequence.size % _MULTIPLE)
        yield (
            f"sequence.size must be a multiple of {_MULTIPLE}, since networks halve it four times, but is "
            f"{sequence.size}: take {below} or {sequence.size - sequence.size % _MULTIPLE + _MULTIPLE}."
        )
    if sequence.field_of_view_mm > 1000:
        yield (
            f"sequence.field_of_view_mm must be at most 1000 mm, but is {sequence.field_of_view_mm:g} mm: "
            "give millimetres."
        )
    for name in ("slice_gradient_mt_per_m", "readout_gradient_mt_per_m"):
        if getattr(sequence, name) == 0:
            yield f"sequence.{name} must not be 0, for it encodes position: give a gradient of either sign."
    if sequence.line_spacing_mm < 2 * sequence.line_thickness_mm:
        yield (
            f"sequence.line_spacing_mm must be at least twice sequence.line_thickness_mm "
            f"({sequence.line_thickness_mm:g} mm), since a spin belongs to one line only, but is "
            f"{sequence.line_spacing_mm:g} mm: space the lines out or make them thinner."
        )
    extent = (sequence.line_count - 1) * sequence.line_spacing_mm
    if extent > sequence.field_of_view_mm * (1 + 1e-12):
        yield (
            f"sequence.line_spacing_mm must keep all sequence.line_count ({sequence.line_count}) lines within "
            f"sequence.field_of_view_mm ({sequence.field_of_view_mm:g} mm), but is {sequence.line_spacing_mm:g} mm, so "
            f"that they span {extent:g} mm: take fewer or closer lines."
        )
