"""The public data that this chapter can run on: whole heads as label maps in place of the template's."""

from __future__ import annotations

from mrrepro.runs.real_data import ChapterData, DataSet
from mrrepro.runs.settings import SCALES

ANATOMIES = ("01", "02", "03")
"""Heads of SynthSeg's set: two that train, one that stays unseen. All three reach from the crown to below the jaw."""

DATA = ChapterData(
    sets=(DataSet("synthseg_heads", "bodies.data", dict.fromkeys(SCALES, ANATOMIES)),), folder_setting="bodies.data"
)
