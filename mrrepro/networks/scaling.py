"""Scaling of a network's input and output, saved with its weights.

Both classes have one call signature, ``scale_input`` and ``scale_output``, and are passed to a network's constructor.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from mrrepro.validation import require_range


class FixedScaling(nn.Module):
    """Input divided by one number, output multiplied by another.

    Parameters
    ----------
    input_scale : float
        Typical size of the input [unit of the input], positive.
    output_scale : float
        Typical size of the output [unit of the output], positive; the network inside works with numbers of order 1.
    """

    input_scale: Tensor
    output_scale: Tensor

    def __init__(self, input_scale: float = 1.0, output_scale: float = 1.0) -> None:
        super().__init__()
        require_range("input_scale", input_scale, 0.0, low_open=True)
        require_range("output_scale", output_scale, 0.0, low_open=True)
        self.register_buffer("input_scale", torch.tensor(float(input_scale)))
        self.register_buffer("output_scale", torch.tensor(float(output_scale)))

    def scale_input(self, images: Float[Tensor, "batch ..."]) -> Float[Tensor, "batch ..."]:
        """Return images / input_scale."""
        return images / self.input_scale

    def scale_output(self, values: Float[Tensor, "batch ..."]) -> Float[Tensor, "batch ..."]:
        """Return values * output_scale, at least in float32."""
        return values.float() * self.output_scale if values.dtype != torch.float64 else values * self.output_scale


class PerImageScaling(FixedScaling):
    """Each image divided by its own root mean square, output multiplied by a number.

    A magnitude image has no absolute unit, so what a network estimates should not depend on the receiver's gain.
    An image of zeros stays zero.

    Parameters
    ----------
    output_scale : float
        As in `FixedScaling`.
    """

    def __init__(self, output_scale: float = 1.0) -> None:
        super().__init__(1.0, output_scale)

    def scale_input(self, images: Float[Tensor, "batch ..."]) -> Float[Tensor, "batch ..."]:
        """Return images / rms over all but the first axis."""
        mean_square = images.square().mean(dim=tuple(range(1, images.ndim)), keepdim=True)
        return images / mean_square.clamp_min(torch.finfo(images.dtype).tiny).sqrt()
