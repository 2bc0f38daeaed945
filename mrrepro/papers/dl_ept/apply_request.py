"""What a user asks of ``mrrepro apply dl_ept``."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from mrrepro.papers.dl_ept.apply import HelmholtzChoice
from mrrepro.runs.nifti import stem_of
from mrrepro.validation import require_choice

METHODS = ("helmholtz", "network")

TIME_DEPENDENCES = ("positive", "negative")
"""exp(+i omega t), that of EPTlib and inside this library, or exp(-i omega t): the phase is negated."""

FILES = {"conductivity": "conductivity", "relative_permittivity": "permittivity"}
"""What the file of a quantity is called after the stem."""


@dataclass(frozen=True)
class Request:
    """What `apply_to_files` is asked.

    Parameters
    ----------
    magnitude : Path or None
        NIfTI of |B1+| in any unit; None for the phase alone.
    phase : Path
        NIfTI of the transceive phase [rad], without wraps.
    mask : Path
        NIfTI of 0 and one other value.
    output : Path
        Folder for ``<stem>_conductivity.nii.gz``, ``<stem>_permittivity.nii.gz`` and ``<stem>_report.json``, the stem
        being that of the magnitude, or of the phase where there is none; made where it does not exist.
    frequency : float
        [Hz].
    method : str
        One of `METHODS`.
    helmholtz : HelmholtzChoice
        Of the method ``helmholtz``.
    networks : tuple of Path
        Of the method ``network``: one file for each quantity; by default those that come with the chapter, which take
        the tissue image where one is given.
    tissue : Path, optional
        NIfTI of an image with tissue contrast, for networks that take one.
    unwrap : bool
        Take wraps out of the phase first.
    time_dependence : str
        One of `TIME_DEPENDENCES`.
    force : bool
        Replace existing outputs.
    """

    magnitude: Path | None
    phase: Path
    mask: Path
    output: Path
    frequency: float
    method: str = "helmholtz"
    helmholtz: HelmholtzChoice = field(default_factory=HelmholtzChoice)
    networks: tuple[Path, ...] = ()
    tissue: Path | None = None
    unwrap: bool = False
    time_dependence: str = "positive"
    force: bool = False

    def __post_init__(self) -> None:
        require_choice("method", self.method, METHODS)
        require_choice("time_dependence", self.time_dependence, TIME_DEPENDENCES)
        if self.method != "network" and (self.networks or self.tissue is not None):
            raise ValueError(
                f"A network or tissue image is given, but the method is {self.method!r}: give --method network."
            )

    @property
    def inputs(self) -> dict[str, Path]:
        """Return the images by what they are."""
        named = {"magnitude": self.magnitude, "phase": self.phase, "mask": self.mask, "tissue": self.tissue}
        return {name: path for name, path in named.items() if path is not None}

    @property
    def stem(self) -> str:
        """Return what the outputs' names begin with."""
        return stem_of(self.magnitude or self.phase).name

    def outputs(self) -> dict[str, Path]:
        """Return the files that may be written, by quantity, and ``report``."""
        maps = {quantity: self.output / f"{self.stem}_{name}.nii.gz" for quantity, name in FILES.items()}
        return {**maps, "report": self.output / f"{self.stem}_report.json"}


def kernel_size(text: str) -> tuple[int, int, int]:
    """Read a size such as ``7x7x5``; ``ValueError`` for another form.

    Examples
    --------
    >>> kernel_size("7x7x5")
    (7, 7, 5)
    """
    numbers = text.lower().split("x")
    if len(numbers) != 3 or not all(number.strip().isdecimal() for number in numbers):
        raise ValueError(f"size must be three odd numbers joined by x, such as 7x7x5, but is {text!r}.")
    x, y, z = (int(number) for number in numbers)
    return x, y, z
