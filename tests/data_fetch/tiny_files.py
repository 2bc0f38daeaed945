"""Tiny files in true formats, written from the formats' specifications, not with the libraries that read them."""

from __future__ import annotations

import gzip
import io
import struct
import tarfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

_NIFTI_TYPES = {"uint8": 2, "int16": 4, "int32": 8, "float32": 16, "float64": 64, "complex64": 32}


def nifti_bytes(
    array: np.ndarray,
    affine_mm: np.ndarray,
    slope: float = 0.0,
    intercept: float = 0.0,
    unit: int = 2,
    coded: bool = True,
    shape: Sequence[int] | None = None,
) -> bytes:
    """Return a NIfTI-1 file (.nii): 348 bytes of header, 4 of extension flag, voxels with the first axis fastest.

    ``unit`` is 1 for metre, 2 for millimetre, 3 for micrometre, 0 for unknown. ``shape`` may lie about the array's.
    """
    header = bytearray(348)
    extents = list(shape or array.shape)
    struct.pack_into("<i", header, 0, 348)
    struct.pack_into("<8h", header, 40, len(extents), *extents, *[1] * (7 - len(extents)))
    struct.pack_into("<2h", header, 70, _NIFTI_TYPES[array.dtype.name], array.dtype.itemsize * 8)
    zooms = np.linalg.norm(affine_mm[:3, :3], axis=0)
    struct.pack_into("<8f", header, 76, 1.0, *zooms, 1.0, 1.0, 1.0, 1.0)
    struct.pack_into("<3f", header, 108, 352.0, slope, intercept)
    struct.pack_into("<B", header, 123, unit)
    struct.pack_into("<2h", header, 252, 0, int(coded))
    struct.pack_into("<12f", header, 280, *affine_mm[:3].ravel())
    header[344:348] = b"n+1\0"
    return bytes(header) + bytes(4) + array.astype(array.dtype.newbyteorder("<")).tobytes(order="F")


def write_nifti(path: Path, array: np.ndarray, affine_mm: np.ndarray | None = None, **options) -> Path:
    """Write a NIfTI-1 file, packed where the name ends in .gz."""
    path.parent.mkdir(parents=True, exist_ok=True)
    raw = nifti_bytes(array, np.eye(4) if affine_mm is None else affine_mm, **options)
    path.write_bytes(gzip.compress(raw, mtime=0) if path.suffix == ".gz" else raw)
    return path


def _element(group: int, number: int, kind: bytes, value: bytes) -> bytes:
    """One DICOM data element, explicit VR, little endian; values are padded to an even length."""
    value += (b"\0" if kind in (b"UI", b"OB", b"OW") else b" ") * (len(value) % 2)
    if kind in (b"OB", b"OW"):
        return struct.pack("<HH2s2xI", group, number, kind, len(value)) + value
    return struct.pack("<HH2sH", group, number, kind, len(value)) + value


def dicom_bytes(
    pixels: np.ndarray,
    position: Sequence[float],
    orientation: Sequence[float] = (1, 0, 0, 0, 1, 0),
    spacing: Sequence[float] = (1.5, 0.75),
    series: str = "1.2.3",
    rescale: tuple[float, float] | None = None,
) -> bytes:
    """Return a DICOM file with one slice of 16-bit pixels (rows, columns); lengths in millimetre, spacing row first."""

    def decimal(values: Sequence[float]) -> bytes:
        return "\\".join(f"{value:g}" for value in values).encode()

    meta = _element(2, 0x02, b"UI", b"1.2.840.10008.5.1.4.1.1.4")
    meta += _element(2, 0x03, b"UI", f"{series}.{hash(tuple(position)) % 1000}".encode())
    meta += _element(2, 0x10, b"UI", b"1.2.840.10008.1.2.1")
    body = _element(8, 0x16, b"UI", b"1.2.840.10008.5.1.4.1.1.4")
    body += _element(8, 0x60, b"CS", b"MR")
    body += _element(0x18, 0x50, b"DS", b"3")
    body += _element(0x20, 0x0E, b"UI", series.encode())
    body += _element(0x20, 0x32, b"DS", decimal(position))
    body += _element(0x20, 0x37, b"DS", decimal(orientation))
    body += _element(0x28, 0x02, b"US", struct.pack("<H", 1))
    body += _element(0x28, 0x04, b"CS", b"MONOCHROME2")
    body += _element(0x28, 0x10, b"US", struct.pack("<H", pixels.shape[0]))
    body += _element(0x28, 0x11, b"US", struct.pack("<H", pixels.shape[1]))
    body += _element(0x28, 0x30, b"DS", decimal(spacing))
    for number, value in ((0x100, 16), (0x101, 16), (0x102, 15), (0x103, 1)):
        body += _element(0x28, number, b"US", struct.pack("<H", value))
    if rescale:
        body += _element(0x28, 0x1052, b"DS", decimal(rescale[1:])) + _element(
            0x28, 0x1053, b"DS", decimal(rescale[:1])
        )
    body += _element(0x7FE0, 0x10, b"OW", pixels.astype("<i2").tobytes())
    return bytes(128) + b"DICM" + _element(2, 0, b"UL", struct.pack("<I", len(meta))) + meta + body


def write_series(folder: Path, volume: np.ndarray, step: float = 3.0, **options) -> list[Path]:
    """Write a volume (slice, row, column) as one file a slice, named against the order of their positions."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for number, pixels in enumerate(volume):
        path = folder / f"{len(volume) - number:03d}.dcm"
        path.write_bytes(dicom_bytes(pixels, (-10.0, 20.0, 5.0 + step * number), **options))
        paths.append(path)
    return paths


def write_mat_7_3(path: Path, write) -> Path:
    """Write an HDF5 file behind the 512 bytes of user block with which MATLAB marks version 7.3."""
    import h5py

    with h5py.File(path, "w", userblock_size=512) as opened:
        write(opened)
    head = b"MATLAB 7.3 MAT-file, Platform: GLNXA64, Created on: Mon Jan  1 00:00:00 2024 HDF5 schema 1.00 ."
    with path.open("r+b") as stream:
        stream.write(head.ljust(116) + bytes(8) + b"\x00\x02IM")
    return path


def tar_bytes(members: dict[str, bytes]) -> bytes:
    """Return an uncompressed tar archive."""
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w") as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return sink.getvalue()
