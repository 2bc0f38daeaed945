"""Where a head is in MR images, from the images alone."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float
from scipy import ndimage

from mrrepro.validation import require_finite, require_range, require_shape


def head_outline(
    images: Float[np.ndarray, "images x y z"], fraction: float = 0.1, percentile: float = 98.0
) -> Bool[np.ndarray, "x y z"]:
    """Mask of the head: bright voxels of the smoothed sum of all images, their largest part, holes filled.

    Bone and air inside the head are dark and enclosed, so they belong to the mask; noise round it does not reach the
    threshold. A head that is cut by the volume's face stays open there: what is dark near the cut may be left out.

    Parameters
    ----------
    images : ndarray, (images, x, y, z)
        In any units; each is divided by its percentile first.
    fraction : float
        Of the bright tissue's intensity that counts as head.
    percentile : float
        Of each image that stands for bright tissue.

    Raises
    ------
    ValueError
        If values are not finite, or nothing is left: images without contrast.
    """
    require_shape("images", images, (None, None, None, None))
    require_finite("images", np.asarray(images))
    require_range("fraction", fraction, 0.0, 1.0, low_open=True)
    total = np.zeros(images.shape[1:], np.float32)
    for number, image in enumerate(images):
        bright = float(np.percentile(image, percentile))
        if not bright > 0.0:
            raise ValueError(f"images must show a head, but image {number} has no bright voxels: check the file.")
        total += np.asarray(image, np.float32) / bright
    smooth = ndimage.uniform_filter(total / len(images), 3)
    parts, count = ndimage.label(smooth > fraction)
    if count == 0:
        raise ValueError("images must show a head, but no voxel is brighter than the threshold.")
    largest = parts == 1 + int(np.argmax(np.bincount(parts.ravel())[1:]))
    filled = ndimage.binary_fill_holes(largest)
    return np.asarray(filled, bool)
