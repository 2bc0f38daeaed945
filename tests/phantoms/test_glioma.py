"""The simulated patients and their scans: fixed by seed and number, and with the law's enhancement in them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mrrepro.phantoms.enhancement_law import EnhancementLaw
from mrrepro.phantoms.glioma import TISSUES, Anatomy, glioma_patient, mni152_template, smooth_field
from mrrepro.simulators.glioma_scans import GliomaCohort, ScanVariation, scan_patient

LAW = EnhancementLaw()


@pytest.fixture(scope="module")
def template():
    return mni152_template(4)


@pytest.fixture(scope="module")
def patients(template):
    return [glioma_patient(template, LAW, Anatomy(), seed=3, number=number) for number in range(24)]


def test_template_fills_the_known_part_of_the_crop_and_knows_its_place(template):
    assert template.shape == (40, 48, 40)
    # the atlas has 1.89 million voxels of brain in 160 x 192 x 160 mm: 38.4 %
    assert template.brain.mean() == pytest.approx(0.384, abs=0.005)
    parts = template.white_matter + template.grey_matter + template.csf
    np.testing.assert_allclose(parts, template.brain.astype(float), atol=1e-6)
    # the first cube covers -80 to -77 mm along x: its middle is -78.5
    assert template.affine_mm[0].tolist() == [4.0, 0.0, 0.0, -78.5]


def test_a_patient_is_a_function_of_seed_and_number(template, patients):
    again = glioma_patient(template, LAW, Anatomy(), seed=3, number=5)
    np.testing.assert_array_equal(again.tissues, patients[5].tissues)
    np.testing.assert_array_equal(again.uptake, patients[5].uptake)
    other = glioma_patient(template, LAW, Anatomy(), seed=4, number=5)
    assert not np.array_equal(other.tissues, patients[5].tissues)


def test_tissues_fill_the_brain_and_nothing_else(template, patients):
    for patient in patients[:6]:
        assert patient.tissues.shape[0] == len(TISSUES)
        assert patient.tissues.min() >= 0.0
        np.testing.assert_allclose(patient.tissues.sum(0), template.brain.astype(float), atol=1e-4)


def test_every_second_patient_enhances_in_the_laws_fraction_of_the_solid_core(patients):
    for number, patient in enumerate(patients):
        assert patient.enhances == (number % 2 == 1)
        share = patient.leaky.sum() / patient.solid.sum()
        assert share == pytest.approx(0.6 if patient.enhances else 0.0, abs=1.0 / patient.solid.sum() + 0.01)
        assert not (patient.leaky & ~patient.solid).any()
        assert (patient.uptake[patient.leaky] > 0.05).all()


def test_evidence_drives_oedema_and_necrosis_and_nothing_tells_where_it_leaks(template):
    """Oedema and necrosis over the core's size rank as z does; leaky voxels have the same tissue as tight ones."""
    few = [glioma_patient(template, LAW, Anatomy(), seed=1, number=number) for number in range(24)]
    z = np.array([patient.evidence for patient in few])
    for tissue in ("oedema", "necrosis"):
        part = np.array([p.tissues[TISSUES.index(tissue)].sum() for p in few])
        core = np.array([p.tissues[TISSUES.index("core")].sum() for p in few])
        assert np.corrcoef(np.argsort(np.argsort(part / core)), np.argsort(np.argsort(z)))[0, 1] > 0.6
    enhancing = [patient for patient in few if patient.enhances]
    leaky = np.mean([p.tissues[4][p.leaky].mean() for p in enhancing])
    tight = np.mean([p.tissues[4][p.solid & ~p.leaky].mean() for p in enhancing])
    assert leaky == pytest.approx(tight, abs=0.02)


def test_smooth_field_has_the_gaussian_correlation(template):
    """Between neighbours one voxel apart, exp(-d^2 / (4 l^2)); twelve fields, tolerance three standard errors."""
    generator = np.random.default_rng(0)
    length = 12e-3
    fields = [smooth_field(template.shape, length, template.voxel, generator) for _ in range(12)]
    found = np.mean([np.mean(f[10:-11] * f[11:-10]) / np.mean(f[10:-10] ** 2) for f in fields])
    assert found == pytest.approx(np.exp(-(template.voxel**2) / (4 * length**2)), abs=0.01)


def test_contrast_agent_brightens_what_leaks_and_vessels_alone(template, patients):
    quiet = ScanVariation(noise=0.0, bias=0.0, shift=0.0, rotation=0.0, timing_jitter=0.0)
    for patient in patients[:4]:
        scan = scan_patient(patient, template, quiet, np.random.default_rng(0))
        gains = scan.images[:, template.brain & (patient.uptake == 0)].mean(1)
        ratio = scan.images[3] / gains[3] * gains[0] / np.maximum(scan.images[0], 1e-6)
        untouched = template.brain & (patient.uptake == 0)
        np.testing.assert_allclose(ratio[untouched], 1.0, atol=1e-3)
        if patient.enhances:
            assert ratio[patient.leaky].min() > 1.3


def test_scans_show_oedema_bright_and_fluid_dark_on_flair(template, patients):
    patient = patients[1]
    quiet = ScanVariation(noise=0.0, bias=0.0, shift=0.0, rotation=0.0)
    flair = scan_patient(patient, template, quiet, np.random.default_rng(0)).images[2]
    oedema, white, fluid = (flair[patient.tissues[k] > 0.95].mean() for k in (3, 0, 2))
    assert oedema > 1.2 * white > 1.2 * 3 * fluid


def test_noise_is_rician_with_the_stated_deviation(template, patients):
    """Outside the head only noise is left, whose mean is sigma sqrt(pi/2)."""
    variation = ScanVariation(bias=0.0, shift=0.0, rotation=0.0, noise=0.1)
    scan = scan_patient(patients[0], template, variation, np.random.default_rng(0))
    clean = scan_patient(patients[0], template, replace(variation, noise=0.0), np.random.default_rng(0))
    gain = scan.images[0][template.brain].mean() / clean.images[0][template.brain].mean()
    outside = scan.images[0][~template.brain].mean() / scan.images[0][template.brain].mean()
    assert gain > 0
    assert outside == pytest.approx(0.1 * np.sqrt(np.pi / 2), rel=0.03)


def test_a_cohort_is_made_fast_and_in_any_order(template):
    cohort = GliomaCohort(template, LAW, Anatomy(), ScanVariation(), 0)
    later, first = cohort.scan(7), cohort.scan(2)
    np.testing.assert_array_equal(cohort.scan(7).images, later.images)
    np.testing.assert_array_equal(cohort.scan(2).images, first.images)


def test_bad_input_is_named(template):
    with pytest.raises(ValueError, match="voxel_mm must be 1, 2, 4 or 8"):
        mni152_template(3)
    with pytest.raises(ValueError, match="number"):
        glioma_patient(template, LAW, Anatomy(), seed=0, number=-1)


def test_a_core_that_stands_out_is_darker_on_t1_and_nothing_else_changes(template, patients):
    plain, contrasted = (
        scan_patient(
            patients[1],
            template,
            ScanVariation(noise=0.0, bias=0.0, shift=0.0, rotation=0.0, core_contrast=contrast),
            np.random.default_rng(0),
        ).images[0]
        for contrast in (0.0, 0.5)
    )
    core = patients[1].tissues[TISSUES.index("core")]
    np.testing.assert_array_equal(plain[core == 0], contrasted[core == 0])
    assert (contrasted[core > 0.95] < 0.8 * plain[core > 0.95]).all()
