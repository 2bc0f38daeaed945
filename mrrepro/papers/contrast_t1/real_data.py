"""The public data that this chapter can run on: patients with images before and after contrast agent."""

from __future__ import annotations

from mrrepro.runs.real_data import ChapterData

DATA = ChapterData(sets=(), folder_setting="cohort.data")
