"""The public data that this chapter can run on: patients with images before and after contrast agent.

open_ms has 30 patients with multiple sclerosis: lesions, some of which enhance, where the thesis has gliomas. EGD is
the thesis' own database and needs an account; its patients are taken in the order of their labels. Both are split by
patient.
"""

from __future__ import annotations

from typing import Any

from mrrepro.papers.contrast_t1.registered_patients import write_patients
from mrrepro.runs.real_data import ChapterData, DataSet

PATIENTS = tuple(f"{number:02d}" for number in range(1, 31))

ONE_TESTED: dict[str, Any] = {"cohort.folder_for": "test", "cohort.test": 1, "cohort.labelled": 1}
"""At `smoke` simulated patients train and one real patient is tested."""

THIRTY: dict[str, Any] = {"cohort.train": 20, "cohort.validation": 4, "cohort.test": 6, "cohort.labelled": 6}

THESIS: dict[str, Any] = {"cohort.train": 208, "cohort.validation": 45, "cohort.test": 45, "cohort.labelled": 45}

WHOLE = ("demo", "colab", "paper")

NO_TUMOR = "radiomics predicts the grade of a tumor, and these patients have none"

NO_GRADE = "radiomics predicts the grade, which the images' files do not state"

DATA = ChapterData(
    sets=(
        DataSet(
            "open_ms",
            "cohort.data",
            {"smoke": ("07",), **dict.fromkeys(WHOLE, PATIENTS)},
            {"smoke": ONE_TESTED, **dict.fromkeys(WHOLE, THIRTY)},
            prepare=write_patients,
            without={"06_radiomics_noise_registration": NO_TUMOR},
        ),
        DataSet(
            "egd",
            "cohort.data",
            {"smoke": ("first:1",), **dict.fromkeys(WHOLE, ("first:298",))},
            {
                "smoke": ONE_TESTED,
                **dict.fromkeys(WHOLE, THESIS),
            },
            prepare=write_patients,
            without={"06_radiomics_noise_registration": NO_GRADE},
        ),
    ),
    folder_setting="cohort.data",
    folder_without={"06_radiomics_noise_registration": NO_GRADE},
)
