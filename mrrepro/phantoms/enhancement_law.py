"""Who enhances, how much of it the images tell, and what the best estimates under simple losses are.

The difficulty of predicting enhancement is built in, so that the best that any network can do is known beforehand:

- a patient enhances (E = 1) or does not (E = 0), with probability one half;
- evidence ``z ~ N(+d'/2, 1)`` where E = 1 and ``N(-d'/2, 1)`` where E = 0. The images show z, and of E nothing but z;
- where E = 1, a fraction q of the solid core takes up contrast agent. Which part does, nothing in the images tells.

A voxel of the solid core so enhances with probability ``p = q P(E = 1 | z)``, ``P(E = 1 | z) = 1 / (1 + exp(-d' z))``.
An estimate of its rise that minimises the expected square is ``p`` times the rise; one that minimises the expected
absolute error is the whole rise where ``p > 1/2``, and nothing elsewhere: with q up to one half it never shows any.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from scipy.special import expit
from scipy.stats import norm

from mrrepro.validation import require_finite, require_range

USUAL_SEPARATION = 1.14
"""d' of the usual cohort: an area under the curve of 0.79, near what the thesis found (Fig. 9)."""


@dataclass(frozen=True)
class EnhancementLaw:
    """The law by which patients enhance.

    Parameters
    ----------
    evidence_separation : float
        d', distance of the two means of the evidence in its standard deviations, at least 0. The area under the
        curve of z as a score is ``Phi(d' / sqrt(2))``: 0.79 for 1.14, 0.5 for 0, 1 for infinity.
    enhancing_fraction : float
        q, part of the solid core that enhances where E = 1, in (0, 1].
    """

    evidence_separation: float = USUAL_SEPARATION
    enhancing_fraction: float = 0.6

    def __post_init__(self) -> None:
        require_range("evidence_separation", self.evidence_separation, 0.0)
        require_range("enhancing_fraction", self.enhancing_fraction, 0.0, 1.0, low_open=True)

    @property
    def area_under_curve(self) -> float:
        """Area under the curve of the best score that can be made from the evidence.

        >>> round(EnhancementLaw().area_under_curve, 2)
        0.79
        """
        return float(norm.cdf(self.evidence_separation / math.sqrt(2.0)))

    def evidence(self, enhances: bool, generator: np.random.Generator) -> float:
        """Draw z of a patient who enhances or does not."""
        return float(generator.normal((0.5 if enhances else -0.5) * self.evidence_separation))

    def appearance(self, evidence: float) -> float:
        """Return the evidence as the anatomy shows it: scaled to the spread over all patients that the usual d' has.

        The variance of z over both kinds of patients is ``1 + d'^2 / 4``. Unscaled, a large d' would make tumors that
        no d' of the usual size has: all necrosis, or none.

        >>> EnhancementLaw().appearance(0.7), round(EnhancementLaw(4.0, 1.0).appearance(2.0), 2)
        (0.7, 1.03)
        """
        usual, own = (1.0 + 0.25 * separation**2 for separation in (USUAL_SEPARATION, self.evidence_separation))
        return evidence * math.sqrt(usual / own)

    def posterior(self, evidence: Float[np.ndarray, " patients"]) -> Float[np.ndarray, " patients"]:
        """Return ``P(E = 1 | z)``."""
        require_finite("evidence", np.asarray(evidence))
        return np.asarray(expit(self.evidence_separation * np.asarray(evidence, dtype=float)))

    def best_rise_squared(self, evidence: Float[np.ndarray, " patients"]) -> Float[np.ndarray, " patients"]:
        """Return the rise in the core, as part of the true one, that minimises the expected square: its mean."""
        return self.enhancing_fraction * self.posterior(evidence)

    def best_rise_absolute(self, evidence: Float[np.ndarray, " patients"]) -> Float[np.ndarray, " patients"]:
        """Return the rise in the core, as part of the true one, of least expected absolute error: its median."""
        return (self.enhancing_fraction * self.posterior(evidence) > 0.5).astype(float)

    def best_rise_mixed(
        self, evidence: Float[np.ndarray, " patients"], enhancing_share: float, weight: float = 1.0
    ) -> Float[np.ndarray, " patients"]:
        """Return the rise that minimises an absolute error over the image plus one over the enhancing voxels alone.

        With N voxels of which n enhance where E = 1, an estimate of the whole rise in a core voxel costs ``(1 - p)/N``
        and one of nothing ``p (1/N + weight/n)``, since the second term never sees a voxel that does not enhance. The
        whole rise pays where ``p (2 + weight N/n) > 1``, which is nearly always: N/n counts thousands. The structural
        term of the mix is left out.

        Parameters
        ----------
        evidence : array
            z.
        enhancing_share : float
            n/N, in (0, 1).
        weight : float
            Of the error over the enhancing voxels relative to that over the image, at least 0.
        """
        require_range("enhancing_share", enhancing_share, 0.0, 1.0, low_open=True)
        require_range("weight", weight, 0.0)
        probability = self.best_rise_squared(evidence)
        return (probability * (2.0 + weight / enhancing_share) > 1.0).astype(float)

    def amplitude_kept(self, rise: str, draws: int = 200_000, seed: int = 0) -> float:
        """Return by Monte Carlo the mean best rise over the truly enhancing voxels, as part of the true one.

        Parameters
        ----------
        rise : {"squared", "absolute"}
            Under which loss.
        draws : int
            Patients drawn; the standard error is at most ``0.5 / sqrt(draws)``.
        seed : int
            Of the draws.

        >>> law = EnhancementLaw()
        >>> round(law.amplitude_kept("squared"), 2), round(law.amplitude_kept("absolute"), 2)
        (0.38, 0.2)
        """
        best = {"squared": self.best_rise_squared, "absolute": self.best_rise_absolute}
        if rise not in best:
            raise ValueError(f"rise must be one of {', '.join(best)}, but is {rise!r}.")
        require_range("draws", draws, 1)
        evidence = np.random.default_rng(seed).normal(0.5 * self.evidence_separation, 1.0, draws)
        return float(best[rise](evidence).mean())


def balanced_labels(first: int, count: int) -> Bool[np.ndarray, " patients"]:
    """Return who enhances among the ``count`` patients from ``first`` on: every second one.

    Half of any even number enhance exactly, as in the balanced cohort of the thesis.
    """
    return np.arange(first, first + count) % 2 == 1
