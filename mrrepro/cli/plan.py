"""``mrrepro plan``: how long the stages of a chapter should take on a GPU, from what was counted, and the commands."""

from __future__ import annotations

import math
import shlex
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Annotated, Any

import typer

from mrrepro.cli.papers import paper_module, paper_settings, paper_stages
from mrrepro.cli.reporting import one_line_errors, print_json, print_table
from mrrepro.cli.speed import AS_IT_IS

COMMAND_MINUTES = 8.0
"""Limit that the commands of a plan set themselves, so that each ends before nine minutes."""

STAGE_MINUTES = 25.0
"""How long a stage may take on one GPU at scale ``paper``."""


@dataclass(frozen=True)
class Gpu:
    """What a plan assumes of a GPU; ``mrrepro bench`` measures it.

    Parameters
    ----------
    name : str
    models : tuple of str
        What the name of such a device holds, the one that is planned for first: where both were measured, it counts.
    bfloat16, float32 : float
        Floating-point operations a second of a large matrix product; 0 where it cannot.
    bandwidth : float
        Bytes a second.
    share : float
        Part of them that a training reaches.
    step_seconds : float
        Least time of a step, whatever its size: starting its kernels one by one.
    slower : float
        How many times longer a simulator or solver takes than its goal says, which is for a data-centre GPU.
    workers : int
        Cores beside it, over which ``MRREPRO_WORKERS`` spreads what is made on a processor.
    crowded : float
        How many times longer each of these then takes than alone, for the cores share their memory's bandwidth.
    """

    name: str
    models: tuple[str, ...]
    bfloat16: float
    float32: float
    bandwidth: float
    share: float = 0.3
    step_seconds: float = 0.010
    slower: float = 1.0
    workers: int = 1
    crowded: float = 1.0

    def is_one(self, device: str) -> bool:
        """Tell whether a device is such a GPU, by its name."""
        return any(model in device for model in self.models)

    def seconds_of_step(self, cost: Mapping[str, Any], precision: str) -> float:
        """Expected seconds of a step whose cost a sample is given with its batch size."""
        from mrrepro.training.training_work import StepCost

        one = StepCost(cost["weights"], cost["operations"], cost["saved_bytes"])
        step = one.of_batch(cost["batch_size"])
        rate = self.bfloat16 if precision == "bfloat16" and self.bfloat16 else self.float32
        return max(
            step.operations / (self.share * rate), step.moved_bytes / (self.share * self.bandwidth), self.step_seconds
        )


GPUS = {
    "paper": Gpu("one H100", ("H100", "H200"), 800e12, 400e12, 3.0e12, workers=16, crowded=2.7),
    "colab": Gpu("one T4", ("T4",), 0.0, 8.1e12, 0.32e12, share=0.5, step_seconds=0.015, slower=10.0, workers=2),
}
"""By scale. Of the H100 a matrix product and a copy, TF32 at half of bfloat16; of the T4 the maker's figures. An H200
is the same processor with more memory, and faster by at most the ratio of their bandwidths, 1.4. The
share, the least time of a step, the factor for simulators and the cores are assumptions of ours. Of 353 patients of
post-contrast T1, made by 15 workers beside an H200, each took 13.4 s, 2.7 times as long as alone."""


@dataclass(frozen=True)
class PlannedStage:
    """A stage, or stages that are alike, with the time expected.

    Parameters
    ----------
    stages : tuple of str
    words : str
        What it takes, in words.
    seconds : float
        Of all these stages together.
    basis : str
        ``"recorded"`` (a run of the stages that is in the repository), ``"measured"`` (a step or an item on such a GPU,
        or where no GPU helps on a processor), ``"operations"`` or ``"goal"`` (of a simulator or solver).
    workers : int
        Processes that the commands ask for.
    """

    stages: tuple[str, ...]
    words: str
    seconds: float
    basis: str
    workers: int = 1

    @property
    def seconds_each(self) -> float:
        """Of one of the stages."""
        return self.seconds / len(self.stages)

    @property
    def commands(self) -> int:
        """How many commands of `COMMAND_MINUTES` they take."""
        return math.ceil(self.seconds / (60.0 * COMMAND_MINUTES))


@dataclass(frozen=True)
class ChapterPlan:
    """The stages of a chapter at a scale, and with settings changed, whose time can be told, and those that can not."""

    chapter: str
    scale: str
    gpu: str
    stages: tuple[PlannedStage, ...]
    others: tuple[str, ...]
    overrides: Mapping[str, str]

    @property
    def seconds(self) -> float:
        """Of all stages that can be told."""
        return sum(stage.seconds for stage in self.stages)


def plan_of(chapter: str, scale: str, overrides: Mapping[str, str] | None = None) -> ChapterPlan:
    """Return the plan of a chapter at scale ``colab`` or ``paper``, from its rehearsals and its settings.

    Raises
    ------
    ValueError
        For another scale, or where nothing was counted yet.
    """
    from mrrepro.runs.rehearsed import read_rehearsed
    from mrrepro.runs.settings import configure, require_known

    require_known("scale", scale, GPUS)
    gpu, module, held = GPUS[scale], paper_module(chapter, "paper_scale"), read_rehearsed(chapter)
    on_gpu = measured_on(gpu, chapter)
    if module is None or not held["training"]:
        raise ValueError(f"Nothing of {chapter} was counted yet: mrrepro rehearse {chapter} --steps 0 --keep.")
    settings: Any = configure(paper_settings(chapter), scale, overrides)
    planned = []
    for item in module.ITEMS:
        measured = held["items"].get(item.id)
        if item.planned is None:
            continue
        if item.on_processor:
            if measured is None:
                continue
            figure, basis, slower = measured["value"], "measured", 1.0
        elif item.id in on_gpu:
            figure, basis, slower = on_gpu[item.id]["value"], "measured", 1.0
        else:
            figure, basis, slower = item.goal, "goal", gpu.slower
        count, each = item.planned.count(settings), item.planned.seconds(settings, item.seconds_an_item(figure))
        workers = min(count, gpu.workers) if item.planned.over_workers else 1
        slower *= gpu.crowded if item.on_processor and workers > 1 else 1.0
        at_once = f", {workers} at once" if workers > 1 else ""
        words = f"{count} {item.planned.words}{at_once}, {_seconds(each * slower)} each"
        seconds = math.ceil(count / workers) * each * slower
        planned.append(PlannedStage(item.planned.stages, words, seconds, basis, workers))
    for work in module.WORK:
        if work.stages and work.id in held["training"]:
            cost, row = held["training"][work.id]["cost"][scale], on_gpu.get(work.id) if scale == "paper" else None
            planned.append(_training(work, cost, settings, gpu, row))
    taken = _recorded_seconds(chapter, scale, gpu) if not overrides else {}
    planned = [_as_recorded(stage, taken) for stage in planned]
    told = {name for stage in planned for name in stage.stages}
    planned += [
        PlannedStage((name,), "as recorded", each, "recorded") for name, each in taken.items() if name not in told
    ]
    told |= set(taken)
    names = [stage.name for stage in paper_stages(chapter)]
    ordered = sorted(planned, key=lambda stage: min((names.index(name) for name in stage.stages), default=0))
    others = tuple(name for name in names if name not in told)
    return ChapterPlan(chapter, scale, gpu.name, tuple(ordered), others, dict(overrides or {}))


def _recorded_seconds(chapter: str, scale: str, gpu: Gpu) -> dict[str, float]:
    """Seconds of each stage of the headline run that is recorded on such a GPU with today's code, if nothing was set.

    A shortened training says nothing of a whole one, nor do the stages after it where they were shortened too.
    """
    from mrrepro.runs.recorded import read_recorded, recorded_overrides, stale_reason

    if recorded_overrides(chapter, scale, "headline"):
        return {}
    fresh = [run for run in read_recorded(chapter, scale, "headline") if not stale_reason(run)]
    origins = fresh[0]["stages"] if fresh else {}
    return {name: float(origin["seconds"]) for name, origin in origins.items() if gpu.is_one(origin["device"])}


def _as_recorded(stage: PlannedStage, taken: Mapping[str, float]) -> PlannedStage:
    if not set(stage.stages) <= set(taken):
        return stage
    words, _, _ = stage.words.rpartition(",")  # without what was expected of each
    return replace(stage, words=words, seconds=sum(taken[name] for name in stage.stages), basis="recorded")


def measured_on(gpu: Gpu, chapter: str) -> dict[str, Any]:
    """Rows of `mrrepro bench` that were kept of such a GPU, by id; of the model that is planned for, if it has one."""
    from mrrepro.runs.measured_speed import read_speed

    kept = read_speed(chapter)
    rows = [held["rows"] for model in reversed(gpu.models) for device, held in kept.items() if model in device]
    return {id: row for each in rows for id, row in each.items()}


def _training(
    work: Any, cost: Mapping[str, Any], settings: Any, gpu: Gpu, measured: Mapping[str, Any] | None
) -> PlannedStage:
    """A training by the measured time of a step of this batch and precision, where there is one."""
    steps, size, precision = work.steps(settings), settings.training.batch_size, settings.training.precision
    tried = (
        [one for one in measured["tried"] if one["batch"] == size and one["option"] == AS_IT_IS]
        if measured is not None and measured["precision"] == precision
        else []
    )
    each = tried[0]["seconds"] if tried else gpu.seconds_of_step({**cost, "batch_size": size}, precision)
    words = f"{len(work.stages)} x {steps:,} steps of {size}, {1e3 * each:.3g} ms each"
    return PlannedStage(work.stages, words, len(work.stages) * steps * each, "measured" if tried else "operations")


def commands(plan: ChapterPlan) -> list[str]:
    """The commands of a plan, in order; each is given again while it ends with exit code 75."""
    given = "".join(f" -p {shlex.quote(f'{name}={value}')}" for name, value in plan.overrides.items())
    at = f"--scale {plan.scale}{given} --minutes {COMMAND_MINUTES:g}"
    workers = {name: each.workers for each in plan.stages for name in each.stages}
    lines = [
        f"{f'MRREPRO_WORKERS={count} ' if count > 1 else ''}mrrepro run {plan.chapter} --stages {at} --only {name}"
        for name, count in workers.items()
    ]
    return [*lines, f"mrrepro record {plan.chapter} -v headline --seeds 0 {at} --arrays --to recorded"]


@one_line_errors
def plan(
    chapter: Annotated[str, typer.Argument(help="a chapter")],
    scale: Annotated[str, typer.Option(help="colab or paper")] = "paper",
    parameter: Annotated[
        list[str] | None, typer.Option("--parameter", "-p", metavar="NAME=VALUE", help="a setting by its dotted name")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
) -> None:
    """Say how long the stages of a chapter should take on a GPU, and with which commands."""
    from mrrepro.cli.run import split_parameters

    found = plan_of(chapter, scale, split_parameters(parameter or (), {"scale": "--scale"}))
    if as_json:
        print_json({**asdict(found), "seconds": found.seconds, "commands": commands(found)})
        return
    rows = [(", ".join(each.stages), each.words, f"{each.seconds / 60:.1f}", each.basis) for each in found.stages]
    print_table(rows, ("stages", "what", "minutes", "from"))
    typer.echo(f"{found.seconds / 60:.0f} minutes on {found.gpu}; not told: {', '.join(found.others) or 'nothing'}")
    for line in commands(found):
        typer.echo(line)


def _seconds(value: float) -> str:
    return f"{value:.2g} s"
