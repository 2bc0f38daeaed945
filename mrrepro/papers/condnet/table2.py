"""Table II of the paper: the resolved sizes and parameter count, and where the printed one contradicts itself.

What is written here follows from the table's formulas, not from the network, and so serves to check it.
"""

from __future__ import annotations

from dataclasses import dataclass

from mrrepro.networks.condnet import CondNetDesign


@dataclass(frozen=True)
class Contradiction:
    """One place where the printed table cannot hold.

    Parameters
    ----------
    row : str
        The table's row.
    printed : str
        What it says.
    conflict : str
        Why that cannot be.
    resolved : str
        What this package does.
    """

    row: str
    printed: str
    conflict: str
    resolved: str


CONTRADICTIONS = (
    Contradiction(
        "EncMod, convolution, BN & ReLU",
        "size 2^(8-i)",
        "the convolution of the first encoder would halve a slice of 2^8 before pooling, and pooling halves it again",
        "size 2^(9-i): the convolution keeps the size",
    ),
    Contradiction(
        "EncMod, pooling",
        "size 2^(7-i), so 2^2 for i = 6",
        "the concatenation at level i has size 2^(8-i) and takes the encoder's features",
        "size 2^(8-i), so 4^2 for i = 6",
    ),
    Contradiction(
        "Hub",
        "U x 2^I x (2^(9-I))^2: 64 channels of 8^2 for each input",
        "the last encoder gives 2^(I+1) = 128 channels of a smaller size; no row leads from one to the other",
        "a deconvolution with 2^I kernels after the last encoder of each track, as in the authors' public code",
    ),
    Contradiction("DecMod, kernel", "2^(9-i) kernels", "the output has 2^(i+1) channels", "2^(i+1) kernels of 2 x 2"),
    Contradiction("CnvMod, kernel", "2^(8-i) kernels", "the output has 2^(i+2) channels", "2^(i+2) kernels of S x S"),
    Contradiction("Map, kernel", "2^(9-i) kernels", "the output has 2^i channels", "2^i kernels of T x T for i > 1"),
    Contradiction(
        "Map, i = 1",
        "the convolution gives 2 channels and the sigmoid 1",
        "a sigmoid joins no channels",
        "one kernel",
    ),
    Contradiction(
        "Concat",
        "(U+1) x 2^(i+2) channels",
        "each encoder's pooled features and the map from level i + 1 have 2^(i+1) channels at that size",
        "(U+1) x 2^(i+1) channels",
    ),
)
"""In the order of the table."""


def table_sizes(design: CondNetDesign, side: int = 256) -> dict[str, tuple[int, int]]:
    """Channels and side length of every layer's output in the resolved table, by the table's labels."""
    depth = design.depth
    sizes: dict[str, tuple[int, int]] = {}
    for u in range(1, design.inputs + 1):
        for i in range(1, depth + 1):
            sizes[f"EncMod {u},{i} convolution"] = (2 ** (i + 1), side >> (i - 1))
            sizes[f"EncMod {u},{i} pooling"] = (2 ** (i + 1), side >> i)
        sizes[f"Bridge {u}"] = (2**depth, side >> (depth - 1))
    sizes["Hub"] = (design.inputs * 2**depth, side >> (depth - 1))
    for v in range(1, design.outputs + 1):
        for i in range(depth - 1, 0, -1):
            sizes[f"CnvMod {v},{i}"] = (2 ** (i + 2), side >> i)
            sizes[f"DecMod {v},{i}"] = (2 ** (i + 1), side >> (i - 1))
            sizes[f"Map {v},{i}"] = (2**i if i > 1 else 1, side >> (i - 1))
            if i < depth - 1:
                sizes[f"Concat {v},{i}"] = ((design.inputs + 1) * 2 ** (i + 1), side >> i)
    return sizes


def table_parameter_count(design: CondNetDesign) -> int:
    """Weights, biases and the two trained vectors of each batch normalisation."""
    depth, total = design.depth, 0
    for row in design.kernels("encoder"):
        channels = 1
        for i, kernel in enumerate(row, start=1):
            filters = 2 ** (i + 1)
            total += channels * filters * kernel**2 + 3 * filters
            channels = filters
        total += 4 * 2 ** (depth + 1) * 2**depth + 3 * 2**depth
    for convolution, maps in zip(design.kernels("convolution"), design.kernels("map"), strict=True):
        for i in range(1, depth):
            entering = design.inputs * 2**depth if i == depth - 1 else (design.inputs + 1) * 2 ** (i + 1)
            total += entering * 2 ** (i + 2) * convolution[i - 1] ** 2 + 3 * 2 ** (i + 2)
            total += 4 * 2 ** (i + 2) * 2 ** (i + 1) + 3 * 2 ** (i + 1)
            filters = 2**i if i > 1 else 1
            total += 2 ** (i + 1) * filters * maps[i - 1] ** 2 + filters
    return total
