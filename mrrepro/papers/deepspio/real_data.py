"""The public data that this chapter can run on: images of whole heads, in place of the template's, to distort."""

from __future__ import annotations

from mrrepro.runs.real_data import ChapterData, DataSet
from mrrepro.runs.settings import SCALES

DATA = ChapterData(
    sets=(
        DataSet(
            "ixi_pd",
            "images.data",
            {"smoke": ("first:4",), "demo": ("first:20",), "colab": ("first:60",), "paper": ("first:578",)},
        ),
        DataSet("hcp_mni152", "images.data", dict.fromkeys(SCALES, ("2mm",)), roles=("T1", "T2")),
    ),
    folder_setting="images.data",
)
"""IXI's volumes are split by person. The template of HCP is one average head: its T1 trains, its T2 tests."""
