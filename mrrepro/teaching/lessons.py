"""The five lessons: a fault, what it is measured by, and the verdicts before and after it is put in."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

from mrrepro.papers.deepspio import checks as deepspio_checks
from mrrepro.papers.dl_ept import checks as dl_ept_checks
from mrrepro.runs.settings import require_known
from mrrepro.teaching import evidence, faults
from mrrepro.teaching.evidence import Outcome
from mrrepro.teaching.recipe import TeachingSettings

Measure = Callable[[TeachingSettings], Outcome]


@dataclass(frozen=True)
class Flip:
    """One verdict without and with a fault."""

    fault: str
    before: Outcome
    after: Outcome

    @property
    def flipped(self) -> bool:
        """Whether the verdict is another one."""
        return self.before.verdict != self.after.verdict

    def row(self) -> dict[str, object]:
        """Return the row of a table."""
        return {
            "fault": self.fault,
            "verdict on": f"`{self.before.id}`",
            "asked for": self.before.asked,
            "without": self.before.value,
            "verdict without": self.before.verdict,
            "with": self.after.value,
            "verdict with": self.after.verdict,
        }


@dataclass(frozen=True)
class Lesson:
    """A fault and what it is measured by.

    Parameters
    ----------
    fault : str
        In a few words.
    put_in : callable
        From settings to the context in which the fault acts.
    measures : tuple of callable
        Each gives a verdict that the fault turns.
    """

    fault: str
    put_in: Callable[[TeachingSettings], AbstractContextManager[None]]
    measures: tuple[Measure, ...]


def break_it(name: str, settings: TeachingSettings) -> tuple[Flip, ...]:
    """Measure without the fault and with it; the true functions stand again afterwards.

    Parameters
    ----------
    name : str
        A key of `LESSONS`.
    settings : TeachingSettings

    Returns
    -------
    tuple of Flip
        One for each verdict; computed now, nothing of it is stored.
    """
    require_known("fault", name, LESSONS)
    lesson = LESSONS[name]
    before = [measure(settings) for measure in lesson.measures]
    with lesson.put_in(settings):
        after = [measure(settings) for measure in lesson.measures]
    return tuple(Flip(lesson.fault, one, other) for one, other in zip(before, after, strict=True))


def sphere_field_check(settings: TeachingSettings) -> Outcome:
    """Field outside a magnetised sphere against its closed form."""
    return evidence.outcome_of_check(deepspio_checks.CHECKS, "deepspio.sphere_exterior")


def ranks(settings: TeachingSettings) -> Outcome:
    """Whether the network ranks concentrations."""
    statistic = evidence.ranks_of_concentrations(settings)
    return evidence.outcome_of_claim("deepspio.claim.ranks_concentrations", statistic, settings.samples)


def permuted_labels(settings: TeachingSettings) -> Outcome:
    """The control that must find nothing."""
    statistic = evidence.area_with_permuted_labels(settings)
    return evidence.outcome_of_claim("contrast_t1.claim.control_permuted_labels", statistic, settings.patients)


def conjugated_sphere(settings: TeachingSettings) -> Outcome:
    """The check of a dielectric sphere on a field whose phase has the wrong sign throughout: it must fall short."""
    evidence.forget_spheres()
    try:
        with faults.wrong_time_convention():
            return evidence.outcome_of_check(dl_ept_checks.CHECKS, "dl_ept.mie_5mm")
    finally:
        evidence.forget_spheres()


def error_sees(settings: TeachingSettings) -> Outcome:
    """Whether the global error tells a wrong field from a right one."""
    statistic = evidence.global_error_of_a_wrong_field(settings)
    return evidence.outcome_of_claim("condnet.claim.ge_sees_errors", statistic, settings.heads)


LESSONS = {
    "missing_fftshift": Lesson(
        "a missing fftshift", lambda settings: faults.missing_fftshift(), (sphere_field_check, ranks)
    ),
    "leaked_subjects": Lesson("leaked test subjects", lambda settings: faults.leaked_subjects(), (permuted_labels,)),
    "scaled_by_maximum": Lesson("a wrong normalisation", lambda settings: faults.scaled_by_maximum(), (ranks,)),
    "magnitude_error": Lesson(
        "magnitude for complex error", lambda settings: faults.magnitude_error(), (conjugated_sphere,)
    ),
    "forgotten_air_mask": Lesson(
        "a forgotten air mask",
        lambda settings: faults.forgotten_air_mask(settings.head_voxel_mm * 1e-3),
        (error_sees,),
    ),
}
"""By name, in the order of the notebook."""
