"""The public data that this chapter can run on: whole heads as label maps, each an anatomy of its own."""

from __future__ import annotations

from typing import Any

from mrrepro.runs.real_data import ChapterData, DataSet

NONE_DRAWN: dict[str, Any] = {"heads.drawn_testing": 0}
"""Every head of a folder is another anatomy, so none is drawn beside them."""

HEADS = tuple(f"{number:02d}" for number in range(1, 21))

DATA = ChapterData(
    sets=(
        DataSet(
            "synthseg_heads",
            "heads.source",
            {"smoke": HEADS[:3], "demo": HEADS[:6], "colab": HEADS, "paper": HEADS},
            dict.fromkeys(("smoke", "demo", "colab", "paper"), NONE_DRAWN),
        ),
    ),
    folder_setting="heads.source",
    folder_changes=dict.fromkeys(("smoke", "demo", "colab", "paper"), NONE_DRAWN),
)
"""At `colab` and `paper` 10 heads train, 8 test and 2 are spare, drawn by the seed; at `smoke` one trains, two test."""
