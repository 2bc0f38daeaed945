"""Cross-entropy between outputs in (0, 1) and targets that are numbers in [0, 1], not classes."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from mrrepro.validation import require_finite


class SoftTargetCrossEntropy:
    """Mean of ``-t log p - (1 - t) log(1 - p)`` over all pixels.

    Its minimum over p is p = t, where it is the entropy of t and not zero: two losses are to be compared after
    `entropy` has been taken from both. Logarithms are cut at -100, as torch does.
    """

    def __call__(self, estimate: Float[Tensor, "*shape"], target: Float[Tensor, "*shape"], step: int) -> Tensor:
        """The loss [nat]; ``step`` is not used."""
        return torch.nn.functional.binary_cross_entropy(estimate.to(target.dtype), target)


def entropy(target: Float[Tensor, "*shape"]) -> float:
    """The least value that `SoftTargetCrossEntropy` can take for these targets [nat].

    Raises
    ------
    ValueError
        If a target is not finite or outside [0, 1].

    Examples
    --------
    >>> round(entropy(torch.tensor([0.5, 1.0])), 4)
    0.3466
    """
    require_finite("target", target)
    if bool((target < 0).any()) or bool((target > 1).any()):
        raise ValueError(
            f"target must lie in [0, 1], but ranges from {target.min().item():g} to {target.max().item():g}: scale it."
        )
    values = target.double()
    return float((-torch.xlogy(values, values) - torch.xlogy(1.0 - values, 1.0 - values)).mean())
