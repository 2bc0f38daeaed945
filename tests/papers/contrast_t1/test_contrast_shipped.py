"""The network that comes with the chapter: small, of known origin, and enhancing the cores of new patients."""

from __future__ import annotations

import torch

from mrrepro.networks.image_normalization import StandardScoreNormalization
from mrrepro.papers.contrast_t1.own_images import read_saved
from mrrepro.papers.contrast_t1.shipped import shipped_file
from mrrepro.papers.contrast_t1.stages import predict
from mrrepro.phantoms.enhancement_law import EnhancementLaw
from mrrepro.phantoms.glioma import Anatomy, mni152_template
from mrrepro.simulators.glioma_scans import GliomaCohort, ScanVariation


def test_the_file_is_small_and_says_what_it_is():
    saved = read_saved(shipped_file())
    assert shipped_file().stat().st_size < 5e6
    assert saved.receipt["voxel_mm"] == 4
    assert saved.receipt["seed"] == 0
    assert "simulated" in saved.receipt["data"]
    assert "No medical device" in saved.receipt["no_medical_device"]


def test_it_brightens_the_core_of_patients_it_has_never_seen():
    """The mix enhances cores; a seed of the cohort that no training has."""
    saved = read_saved(shipped_file())
    cohort = GliomaCohort(mni152_template(4), EnhancementLaw(), Anatomy(), ScanVariation(), seed=987)
    rises = []
    for number in range(6):
        scan = cohort.scan(number)
        images, brain = torch.from_numpy(scan.images)[None], torch.from_numpy(scan.brain)[None, None]
        scaled = StandardScoreNormalization()(images, brain)
        synthetic = predict(saved.network, scaled[:, :3], int(saved.settings["depth"]))
        rise = synthetic - scaled[:, :1]
        solid = torch.from_numpy(scan.patient.solid)[None, None]
        rises.append(float(rise[solid].mean() - rise[brain & ~solid].mean()))
    assert min(rises) > 0.0
    assert sum(rises) / len(rises) > 0.1
