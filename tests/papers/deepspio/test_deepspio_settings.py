"""The chapter's settings: the paper's values with their sources, valid at every scale, and none that nothing reads."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import mrrepro.papers.deepspio
from mrrepro.networks.cost import forward_flops
from mrrepro.networks.variants import KINDS, NetworkSettings, build_network
from mrrepro.papers.deepspio import recipe
from mrrepro.papers.deepspio.settings import DeepSpioSettings
from mrrepro.papers.deepspio.stages import IMAGES, TRAINING
from mrrepro.runs.settings import SCALES, check_settings, configure, describe
from mrrepro.runs.stages import stage_key

PAPER = {
    "sequence.field_of_view_mm": (50.0, "exp. 4"),
    "sequence.size": (256, "exp. 4"),
    "sequence.line_count": (25, "exp. 4"),
    "sequence.line_thickness_mm": (1.0, "exp. 4"),
    "sequence.te_ms": (8.7, "exp. 4"),
    "bodies.lowest_concentration": (0.22, "3.2"),
    "bodies.highest_concentration": (17.5, "3.2"),
    "bodies.fewest": (1, "3.2"),
    "bodies.most": (5, "3.2"),
    "network.kind": ("multi_decoder", "Fig. 3"),
    "network.width": (64.0, "4.1"),
    "network.wavelet": ("db4", "3.2"),
    "training.samples": (4_000_000, "3.2"),
    "training.batch_size": (32, "4.4"),
    "training.learning_rate": (1e-5, "4.4"),
    "training.momentum": (0.9, "4.4"),
    "evaluation.noise_draws": (10, "5.1"),
    "evaluation.noise_draws_detail": (100, "5.1"),
}
"""As printed in the paper, with a part of the place."""

OTHER = {
    "images.data": "elsewhere",
    "sequence.field_of_view_mm": 60.0,
    "sequence.line_spacing_mm": 2.05,
    "sequence.size": 272,
    "training.precision": "float32",
}
"""Another valid value where three quarters, or one less, is none."""


def another(row):
    value = row.values["paper"]
    if row.name in OTHER:
        return OTHER[row.name]
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 1 if row.name == "bodies.fewest" or value < 2 else value - 1
    if isinstance(value, float):
        return 0.75 * value
    return next(choice for choice in row.admissible.removeprefix("one of ").split(", ") if choice != value)


ROWS = {row.name: row for row in describe(DeepSpioSettings)}


def built(settings):
    return (
        settings.sequence.sequence(),
        settings.iron.iron(),
        settings.bodies.distribution(),
        settings.network.network(),
        settings.training.plan(),
    )


@pytest.mark.parametrize("scale", SCALES)
def test_every_scale_is_valid_and_builds(scale):
    settings = configure(DeepSpioSettings, scale)
    check_settings(settings)
    sequence, iron, bodies, network, plan = built(settings)
    assert sequence.size == settings.sequence.size
    assert sequence.size % 16 == 0
    assert iron.tesla_per_concentration == pytest.approx(0.119e-3, rel=0.005)  # 95 A m^2/kg, per kg/m^3
    assert bodies.concentration[1] == 17.5
    assert 0 < bodies.reach < sequence.field_of_view / 2
    assert network.width == settings.network.width
    assert plan.steps * plan.batch_size <= settings.training.samples
    assert plan.validate_every <= plan.steps


def test_console_units_become_si():
    sequence = DeepSpioSettings().sequence.sequence()
    lengths = (sequence.field_of_view, sequence.line_thickness, sequence.line_spacing, sequence.echo_time)
    assert lengths == pytest.approx((0.05, 0.001, 0.002, 0.0087), rel=1e-12)
    assert (sequence.slice_gradient, sequence.readout_gradient) == pytest.approx((0.1, -0.2), rel=1e-12)


@pytest.mark.parametrize("name", PAPER)
def test_scale_paper_has_the_papers_value_and_says_where_from(name):
    value, place = PAPER[name]
    assert ROWS[name].values["paper"] == value
    assert place in ROWS[name].source


def test_what_the_paper_leaves_open_is_said_to_be_our_choice():
    ours = {name for name, row in ROWS.items() if row.source == "our choice"}
    assert {"sequence.line_spacing_mm", "sequence.slice_gradient_mt_per_m", "training.l2_coefficient"} <= ours
    assert not ours & set(PAPER)


def stages_that_see(group):
    if group == "images":
        return set(recipe.STAGES)
    after_images = set(recipe.STAGES) - {IMAGES}
    return after_images - {TRAINING} if group == "evaluation" else after_images


@pytest.mark.parametrize("name", ROWS)
def test_setting_changes_the_keys_of_what_depends_on_it_and_of_nothing_else(name):
    changed = configure(DeepSpioSettings, "paper", {name: another(ROWS[name])})
    as_it_is = configure(DeepSpioSettings, "paper")
    moved = {stage for stage in recipe.STAGES if stage_key(stage, changed, 0).key != stage_key(stage, as_it_is, 0).key}
    expected = set(recipe.STAGES) if name == "sequence.size" else stages_that_see(name.partition(".")[0])
    assert moved == expected


BUILT = [name for name in ROWS if name.partition(".")[0] in ("sequence", "iron", "bodies", "network")] + [
    f"training.{name}"
    for name in (
        "samples",
        "batch_size",
        "learning_rate",
        "momentum",
        "l2_coefficient",
        "warmup_steps",
        "decay_from",
        "precision",
        "validations",
        "patience",
    )
]


@pytest.mark.parametrize("name", BUILT)
def test_setting_changes_what_is_built(name):
    changed = configure(DeepSpioSettings, "paper", {name: another(ROWS[name])})
    assert built(changed) != built(configure(DeepSpioSettings, "paper"))


def test_every_other_setting_is_read_by_a_stage():
    folder = Path(mrrepro.papers.deepspio.__file__).parent
    trees = [ast.parse((folder / f"{name}.py").read_text()) for name in ("stages", "experiments", "attention")]
    read = {node.attr for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    assert {name.partition(".")[2] for name in ROWS if name not in BUILT} <= read


def test_networks_compared_cost_the_same():
    def cost(kind, width):
        return forward_flops(lambda: build_network(NetworkSettings(kind=kind, width=width)), 128, 128)

    reference = cost("multi_decoder", 8.0)
    assert configure(DeepSpioSettings, "demo").network.width == 8.0
    assert set(recipe.MATCHED_WIDTHS) == set(KINDS) - {"multi_decoder"}
    for kind, width in recipe.MATCHED_WIDTHS.items():
        assert cost(kind, width) == pytest.approx(reference, rel=0.10), kind


def test_every_variant_is_valid_and_differs_from_the_others_in_settings():
    found = [configure(DeepSpioSettings, scale, variant.overrides) for variant in recipe.VARIANTS for scale in SCALES]
    for settings in found:
        built(settings)
    assert len({variant.name for variant in recipe.VARIANTS}) == len(recipe.VARIANTS)
    assert len(set(found)) == len(found)
