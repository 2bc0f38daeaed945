"""Images to distort: slices of the MNI152 T1 template, of a folder of NIfTI volumes, and drawn organs."""

from __future__ import annotations

import hashlib
import importlib.util
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float
from scipy import ndimage

from mrrepro.validation import require_finite, require_range

MNI152_T1 = "datasets/data/mni_icbm152_t1_tal_nlin_sym_09a_converted.nii.gz"
"""Within nilearn's package: the ICBM 2009a symmetric average of 152 T1-weighted heads at 1 mm, skull stripped."""

FILL = 0.9
"""Part of the field of view that the longer side of a slice fills."""


@dataclass(frozen=True)
class ImageSet:
    """Images in [0, 1], split so that no test image is of a slice that was trained on.

    What the two parts share beyond that is the maker's: `mni152_images` the subject, `folder_images` the orientation.

    Attributes
    ----------
    train, test : array, (images, size, size)
        Axes (x, z); the background is 0.
    source : str
        Where the images are from, in words.
    checksums : dict
        sha256 of each file read.
    """

    train: Float[np.ndarray, "train x z"]
    test: Float[np.ndarray, "test x z"]
    source: str
    checksums: dict[str, str]


def mni152_path() -> Path:
    """Path of the MNI152 T1 template inside nilearn, which need not be imported.

    Raises
    ------
    ValueError
        If nilearn is not installed.
    """
    spec = importlib.util.find_spec("nilearn")
    if spec is None or spec.origin is None:
        raise ValueError(
            "the MNI152 template is part of nilearn, which is not installed: pip install nilearn, or give a folder of "
            "NIfTI volumes as data."
        )
    return Path(spec.origin).parent / MNI152_T1


def mni152_images(size: int) -> ImageSet:
    """Axial slices of the MNI152 T1 to train on, coronal ones to test on.

    One template has one anatomy: the test images differ in orientation, not in subject.
    """
    path = mni152_path()
    volume = load_volume(path)
    axial = [volume[:, :, index] for index in range(55, 135)]
    coronal = [volume[:, index, :] for index in range(60, 180, 3)]
    return ImageSet(
        train=np.stack([fit_slice(image, size) for image in axial]),
        test=np.stack([fit_slice(image, size) for image in coronal]),
        source="MNI152 T1 template (one average anatomy): axial slices to train, coronal slices to test",
        checksums={path.name: sha256_of(path)},
    )


def folder_images(folder: Path, size: int, slices_per_volume: int = 8, test_share: float = 0.2) -> ImageSet:
    """Axial slices of every NIfTI volume in a folder; the last volumes in the order of names are for testing.

    Files are taken for subjects: give one volume of each, for two of one subject may fall on both sides.

    Raises
    ------
    ValueError
        If the folder is missing or holds fewer than two volumes, or a file is no 3D NIfTI with an affine.
    """
    files = sorted(path for path in Path(folder).glob("*.nii*") if path.is_file())
    if len(files) < 2:
        raise ValueError(
            f"data must be 'mni152' or a folder with at least two NIfTI volumes (*.nii, *.nii.gz), but {folder} "
            f"holds {len(files)}: give the folder itself, or data='mni152'."
        )
    tests = max(1, round(test_share * len(files)))
    stacks = [_volume_slices(path, size, slices_per_volume) for path in files]
    return ImageSet(
        train=np.concatenate(stacks[:-tests]),
        test=np.concatenate(stacks[-tests:]),
        source=f"{len(files)} volumes of the folder {Path(folder).name}: the last {tests} to test, the others to train",
        checksums={path.name: sha256_of(path) for path in files},
    )


def _volume_slices(path: Path, size: int, count: int) -> Float[np.ndarray, "slices x z"]:
    volume = load_volume(path)
    middle = np.linspace(0.4, 0.7, count) * volume.shape[2]
    return np.stack([fit_slice(volume[:, :, int(index)], size) for index in middle])


def load_volume(path: Path) -> Float[np.ndarray, "x y z"]:
    """Read a NIfTI volume in RAS orientation.

    Raises
    ------
    ValueError
        If the file is no readable NIfTI, is not 3D, says nowhere where it lies (neither qform nor sform), or holds NaN.
    """
    import nibabel

    try:
        image = nibabel.load(path)
        data = np.asarray(nibabel.as_closest_canonical(image).dataobj, dtype=np.float32)
    except (nibabel.filebasedimages.ImageFileError, OSError, EOFError, ValueError) as error:
        raise ValueError(f"{path} cannot be read as a NIfTI volume ({error}): check or replace the file.") from error
    if data.ndim != 3:
        raise ValueError(
            f"{path} must hold a 3D volume, but has shape {data.shape}: split the file into 3D volumes first."
        )
    header = image.header
    if int(header["qform_code"]) == 0 and int(header["sform_code"]) == 0:  # type: ignore[index]
        raise ValueError(
            f"{path} has no affine (qform and sform codes are 0), so its orientation is unknown: write one with the "
            "tool that made the file."
        )
    require_finite(str(path), data)
    return data


def fit_slice(image: Float[np.ndarray, "a b"], size: int) -> Float[np.ndarray, "size size"]:
    """Scale a slice into a square of ``size`` pixels, its 99th percentile at 1, its background at 0.

    Raises
    ------
    ValueError
        If ``size`` is below 16 or the slice holds no signal.
    """
    require_range("size", size, 16)
    inside = image > 0.05 * image.max()
    if not inside.any():
        raise ValueError("a slice holds no signal above 0: choose slices through the object.")
    rows, columns = np.where(inside.any(axis=1))[0], np.where(inside.any(axis=0))[0]
    cropped = image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    zoom = FILL * size / max(cropped.shape)
    smooth = ndimage.gaussian_filter(cropped.astype(np.float64), max(0.0, 0.5 / zoom - 0.5))
    scaled = ndimage.zoom(smooth, zoom, order=1, grid_mode=True, mode="grid-constant")
    square = np.zeros((size, size))
    top, left = (size - scaled.shape[0]) // 2, (size - scaled.shape[1]) // 2
    square[top : top + scaled.shape[0], left : left + scaled.shape[1]] = scaled
    level = np.percentile(square[square > 0.05 * square.max()], 99)
    return np.clip(square / level, 0.0, 1.0).astype(np.float32)


def breast_image(size: int, generator: np.random.Generator) -> Float[np.ndarray, "size size"]:
    """A drawn section through a breast: a half ellipse of fat with branching glandular tissue in it.

    It stands in for the paper's breast images, which are not public: another outline and another texture than
    any brain has. Simulated, not a patient.
    """
    require_range("size", size, 16)
    x, z = np.meshgrid(np.linspace(-1, 1, size), np.linspace(-1, 1, size), indexing="ij")
    width, height = generator.uniform(0.7, 0.85), generator.uniform(1.3, 1.6)
    outline = np.hypot(x / width, (z + 0.8) / height)
    noise = generator.standard_normal((3, size, size))
    texture = sum(ndimage.gaussian_filter(n, s * size) * s for n, s in zip(noise, (0.01, 0.025, 0.06), strict=True))
    gland = texture / texture.std() + 1.2 - 3.0 * np.hypot(x / (0.65 * width), (z + 0.35) / (0.6 * height)) ** 2 > 0
    blurred = ndimage.gaussian_filter(np.where(gland, 0.45, 0.9), 0.004 * size)
    skin = np.clip((1.0 - outline) * size / 4, 0.0, 1.0)
    return (blurred * skin * (z > -0.8)).astype(np.float32)


def sha256_of(path: Path) -> str:
    """Checksum of a file, read in pieces."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
