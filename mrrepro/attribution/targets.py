"""Named scalars whose gradients an attribution follows.

Each takes the network's output and returns one number a batch, the sum over images of a number for each, so that in
evaluation mode an image's gradient does not depend on the others.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from mrrepro.validation import require_range

Target = Callable[[Tensor], Tensor]
"""From a network's output to a scalar."""


@dataclass(frozen=True)
class ChannelSum:
    """Sum over one output channel, that is over one decoder's map.

    Parameters
    ----------
    channel : int
        Index of the channel, for instance 0 for the decoder of the wavelet transform's LL.
    """

    channel: int

    @property
    def name(self) -> str:
        """What is differentiated, in words."""
        return f"sum over output channel {self.channel}"

    def __call__(self, output: Float[Tensor, "batch channels height width"]) -> Float[Tensor, ""]:
        """Return the sum."""
        require_range("channel", self.channel, 0, output.shape[1] - 1)
        return output[:, self.channel].sum()


@dataclass(frozen=True, eq=False)
class TrainingLoss:
    """The loss against true channels, of one image at a time.

    Parameters
    ----------
    loss : callable
        (estimate, truth) -> scalar, a mean over images.
    truth : Float[Tensor, "batch channels height width"]
        The network's ``target`` of the true maps.
    """

    loss: Callable[[Tensor, Tensor], Tensor]
    truth: Float[Tensor, "batch channels height width"]

    @property
    def name(self) -> str:
        """What is differentiated, in words."""
        return "training loss"

    def __call__(self, output: Float[Tensor, "batch channels height width"]) -> Float[Tensor, ""]:
        """Return the loss times the number of images."""
        return self.loss(output, self.truth) * output.shape[0]
