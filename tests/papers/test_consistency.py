"""Settings that do not go together are refused before anything is computed; those of every scale do."""

from __future__ import annotations

import pytest

from mrrepro.cli.papers import paper_settings, paper_variants
from mrrepro.papers.condnet.heads import people
from mrrepro.runs.real_data import chapter_data
from mrrepro.runs.settings import SCALES, configure

CHAPTERS = ("condnet", "contrast_t1", "deepspio", "dl_ept")
CONFLICTS = (
    ("dl_ept", {"helmholtz.size_in_plane": 4}, r"helmholtz\.size_in_plane must be odd.* is 4: take 3 or 5"),
    ("dl_ept", {"helmholtz.size_through_plane": 8}, r"helmholtz\.size_through_plane must be odd"),
    ("dl_ept", {"simulation.coil_radius_mm": 400}, r"shield_radius_mm must exceed simulation\.coil_radius_mm \(400"),
    ("dl_ept", {"measurement.image_size": 100}, r"image_size must divide by 2\^network\.depth \(32\), but is 100"),
    ("dl_ept", {"network.discriminator_layers": 5}, r"at least 3 x 2\^network\.discriminator_layers \(96\).*is 64"),
    ("deepspio", {"bodies.fewest": 5}, r"bodies\.fewest must be at most bodies\.most \(1\), but is 5"),
    ("deepspio", {"bodies.lowest_concentration": 100}, r"lowest_concentration must be .* \(17\.5 .*\), but is 100"),
    ("deepspio", {"sequence.line_spacing_mm": 40}, r"line_spacing_mm must .* is 40 mm, so that they span 960 mm"),
    ("deepspio", {"sequence.line_spacing_mm": 1.5}, r"at least twice sequence\.line_thickness_mm \(1 mm\)"),
    ("deepspio", {"sequence.field_of_view_mm": 5000}, r"field_of_view_mm must be at most 1000 mm"),
    ("deepspio", {"sequence.size": 50}, r"sequence\.size must be a multiple of 16.* is 50: take 48 or 64"),
    ("deepspio", {"sequence.readout_gradient_mt_per_m": 0}, r"sequence\.readout_gradient_mt_per_m must not be 0"),
    ("condnet", {"stimulation.position": "C33"}, r"position must be .* 'C33': take .*C3"),
    ("condnet", {"network.encoder_kernel": 4}, r"network\.encoder_kernel must be odd"),
    ("condnet", {"stimulation.inner_diameter_mm": 100}, r"inner_diameter_mm must .* \(97 mm\), but is 100 mm"),
    ("condnet", {"evaluation.gaps_mm": ""}, r"evaluation\.gaps_mm must name at least one gap"),
    ("condnet", {"evaluation.gaps_mm": "6,0"}, r"evaluation\.gaps_mm must be 0\.5 to 200 mm"),
    ("condnet", {"solver.voxels_mm": "0"}, r"solver\.voxels_mm must be 0\.5 to 20 mm"),
    ("condnet", {"solver.grids": "0"}, r"solver\.grids must be 8 to 1024"),
    ("contrast_t1", {"training.patch": 48}, r"training\.patch must be at most 40, .* 40 x 48 x 40 at .* is 48"),
    ("contrast_t1", {"training.patch": 20}, r"training\.patch must divide by 2\^network\.depth \(8\), but is 20"),
    ("contrast_t1", {"network.depth": 5}, r"network\.depth must let 2\^depth divide .* is 5: take a smaller one"),
)


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_what_the_project_runs_goes_together(chapter):
    """Scales, data sets, and variants at the scale at which all are recorded; nothing is made here."""
    settings, data = paper_settings(chapter), chapter_data(chapter)
    for scale in SCALES:
        configure(settings, scale)
        for each in data.sets:
            configure(settings, scale, {**each.changes.get(scale, {}), each.setting: "/a/folder"})
        configure(settings, scale, {**data.folder_changes.get(scale, {}), data.folder_setting: "/a/folder"})
    for variant in paper_variants(chapter):
        configure(settings, "demo", variant.overrides)


@pytest.mark.parametrize(("chapter", "changes", "said"), CONFLICTS)
def test_a_conflict_names_the_setting_its_value_and_a_way_out(chapter, changes, said):
    with pytest.raises(ValueError, match=said):
        configure(paper_settings(chapter), "demo", changes)


def test_all_conflicts_are_said_at_once():
    with pytest.raises(ValueError, match=r"sequence\.size must.*bodies\.fewest must"):
        configure(paper_settings("deepspio"), "demo", {"sequence.size": 50, "bodies.fewest": 3})


def test_no_head_is_trained_and_tested_on():
    """As many heads as the settings admit, of either source, and those of the next seed."""
    for source in ("mni152", "folded"):
        most = {"heads.source": source, "heads.training": 500, "heads.testing": 100}
        for drawn in (0, 4, 100):
            chosen = configure(paper_settings("condnet"), "paper", {**most, "heads.drawn_testing": drawn}).heads
            heads = [person for seed in (0, 1) for part in people(chosen, seed) for person in part]
            assert len({(person.source, person.number) for person in heads}) == len(heads) == 1200
    for name in ("training", "testing"):
        with pytest.raises(ValueError, match=f"heads.{name} must be 1 to "):
            configure(paper_settings("condnet"), "paper", {f"heads.{name}": 501})
