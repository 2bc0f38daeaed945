"""What the choices of the register of deviations do to the error, in words made from the recorded sweeps.

``mrrepro ledger effects deepspio`` writes them into the register's column; a test holds the two together.
"""

from __future__ import annotations

import numpy as np
import torch

from mrrepro.papers.deepspio.apply import read_estimator
from mrrepro.papers.deepspio.evidence import RecordedSweeps, rank_interval
from mrrepro.papers.deepspio.experiments import select
from mrrepro.papers.deepspio.settings import DeepSpioSettings
from mrrepro.papers.deepspio.surroundings import surroundings
from mrrepro.phantoms.brain_images import mni152_images


def effects(sweeps: RecordedSweeps) -> dict[str, str]:
    """Effect of each measured deviation, by the last part of its id."""

    def nmae(variant: str, samples: str = "test") -> str:
        return f"{sweeps.mean_nmae(variant, samples).mean():.2f}"

    def made(variant: str) -> str:
        return f"(recorded at {sweeps.scale}, {len(sweeps.runs(variant))} seeds)."

    ours, whole = nmae("reference"), made("headline")
    concentration = sweeps.arrays("air_sphere", "concentration")[0].reshape(3, -1)  # one row a susceptibility
    trained = concentration[0] >= sweeps.lowest_trained("headline")
    by_air = sweeps.arrays("air_sphere", "nmae").mean(axis=0).reshape(concentration.shape)
    air = [f"{value:.2f}" for value in by_air[:, trained].mean(axis=1)]
    within = ", ".join(f"{value:g}" for value in concentration[0][trained])
    true, estimated = (sweeps.scores("no_field", kind=kind) for kind in ("true_mean", "estimated_mean"))
    pooled = rank_interval(true.ravel(), estimated.ravel())
    each = [rank_interval(*pair) for pair in zip(true, estimated, strict=True)]
    by_seed = ", ".join(f"{i.estimate:.2f} ({i.low:.2f} to {i.high:.2f})" for i in each)
    inside = {name: f"{nmae_inside(sweeps, name):.2f}" for name in ("breast", "test")}
    held_out = read_estimator().receipt["held_out"]
    return {
        "images": f"NMAE {nmae('headline')} on coronal slices, {nmae('headline', 'train')} on the slices trained on, "
        f"with new bodies {whole}",
        "magnetisation": f"NMAE {nmae('headline', 'saturation_0.85')} when the tested iron has 85 % of it, "
        f"{nmae('headline', 'saturation_1.15')} with 115 %, {nmae('headline', 'saturation_1')} with the same {whole}",
        "gradients": f"NMAE {nmae('equal_gradients')} with G_r = G_s, {ours} with ours {made('equal_gradients')}",
        "void": f"NMAE {nmae('no_void')} without the void, {ours} with it {made('no_void')}",
        "loss_schedule": f"NMAE {nmae('printed_loss')} with the printed loss alone, {ours} with ours "
        f"{made('printed_loss')}",
        "air": f"Mean NMAE at {within} ug/mm^3: {air[1]} as printed, {air[2]} with ten times that, {air[0]} with the "
        f"void alone {whole}",
        "breast": f"NMAE {nmae('headline', 'breast')}, against {nmae('headline')} on brains; with tissue all around "
        f"the iron {inside['breast']} and {inside['test']} {whole}",
        "region": "Partly filled pixels tie the mean to the size of a body, which a void shows: without any field the "
        f"rank correlation is {pooled.estimate:.2f} ({pooled.low:.4f} to {pooled.high:.3f}) over all seeds; by seed "
        f"{by_seed} {made('no_field')}",
        "magnitude": f"NMAE {held_out['nmae']:.2f} on signed images, {held_out['nmae_magnitude']:.2f} on their "
        f"magnitudes ({held_out['n']} held-out samples, the shipped network).",
    }


def nmae_inside(sweeps: RecordedSweeps, name: str) -> float:
    """Mean NMAE, over the recorded seeds, of held-out samples with tissue all around their iron.

    Parameters
    ----------
    sweeps : RecordedSweeps
        Of a scale whose images are the template's.
    name : str
        ``test`` or ``breast``.
    """
    settings = DeepSpioSettings.at_scale(sweeps.scale)
    images = torch.tensor(mni152_images(settings.sequence.size).test)
    by_seed = zip(sweeps.seeds("headline"), sweeps.scores("headline", name), strict=True)
    means = [errors[surroundings(select(settings), seed, name, images).inside].mean() for seed, errors in by_seed]
    return float(np.mean(means))
