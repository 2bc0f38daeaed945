"""What was run, rehearsed and planned at the largest scales, rendered from the files in the package."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from bookbuild.markdown import heading_of, table
from bookbuild.project import CHAPTERS
from mrrepro.cli.paper_state import NETWORKS_IN, chapter_state
from mrrepro.cli.papers import paper_keys, paper_module
from mrrepro.cli.plan import GPUS, STAGE_MINUTES, ChapterPlan, commands, plan_of
from mrrepro.cli.reporting import figure
from mrrepro.cli.speed import AS_IT_IS
from mrrepro.metrics.evidence import points_of
from mrrepro.runs.ledger import Ledger
from mrrepro.runs.measured_speed import read_speed
from mrrepro.runs.rehearsed import read_rehearsed
from mrrepro.runs.reported import Claim, Criterion
from mrrepro.runs.settings import in_words


def at_paper_scale() -> str:
    """Say of each chapter whether it was run at the paper's sizes, and on what that rests."""
    rows = []
    for chapter in _chapters():
        state = chapter_state(chapter)
        rows.append([heading_of(chapter), state.words, state.ground])
    return table(["chapter", "at the paper's sizes", "ground"], rows)


def one_seed() -> str:
    """What one seed at the papers' sizes says of claims that are decided over seeds, beside the verdict that counts."""
    lines, changed = [], []
    for chapter in _chapters():
        module: Any = paper_module(chapter, "evidence")
        rows = {row.id: row for row in Ledger(chapter).rows() if row.headline}
        sweeps = module.RecordedSweeps("paper")
        points = points_of(sweeps, module.CLAIMS)
        given = in_words(sweeps.overrides(NETWORKS_IN))
        if points and given:
            changed.append(f"\n{heading_of(chapter)}, paper, changed: {given}.\n")
        named = heading_of(chapter) + (", changed" if given else "")
        for name, point in points.items():
            row = rows[f"{chapter}.claim.{name}"]
            if not isinstance(row.entry, Claim) or row.entry.status != "attempt":
                continue
            meets = Criterion.parse(row.entry.criterion).kept_by(point.value, point.value)
            state = "not shown" if row.undecided else row.verdict
            lines.append(
                [named, f"{row.entry.claim} ({point.name})", figure(point.value), row.entry.criterion,
                 "yes" if meets else "no", f"{state} ({row.record.marked_scale})" if row.record else state]
            )  # fmt: skip
    head = ["chapter", "claim (statistic)", "one seed", "asked for", "meets it", "the verdict that counts"]
    return table(head, lines) + "".join(changed) if lines else "No claim has one seed at a paper's sizes alone.\n"


def rehearsals() -> str:
    """List every training that was tried at full size for a few steps."""
    rows = []
    for chapter in _chapters():
        for name, entry in read_rehearsed(chapter)["training"].items():
            rows.append([name, *_cost(entry["cost"]["paper"]), *_rehearsal(entry.get("rehearsal"))])
    head = ["training", "weights", "a sample costs", "and keeps", "tried", "s a step", "peak memory", "resumed", "on"]
    return table(head, rows) if rows else "No training was rehearsed yet.\n"


def speeds() -> str:
    """What `mrrepro bench` measured at full size on a device, beside its floor or its goal."""
    steps, items, devices, short = [], [], {}, []
    for chapter in _chapters():
        for device, held in read_speed(chapter).items():
            devices[device] = held["rates"]
            for name, row in held["rows"].items():
                if "samples_a_second" in row:
                    steps += [[*_step(name, row, one), _model(device)] for one in _shown(row)]
                    short += _why_short(name, row, held["rates"])
                else:
                    goal = "" if row["goal"] is None else f"{figure(row['goal'])} {row['unit']}"
                    value = f"{figure(row['value'])} {row['unit']}"
                    items.append([name, row["quantity"], value, goal, _reached(row), _model(device)])
    if not devices:
        return "No speed was measured at full size yet.\n"
    rates = "".join(
        f"{device}: a matrix product ran at {held['bfloat16'] / 1e12:.0f} TFLOP/s in bfloat16 and "
        f"{held['float32'] / 1e12:.0f} in TF32, a copy at {held['bandwidth'] / 1e12:.2f} TB/s.\n"
        for device, held in devices.items()
    )
    head = [
        "training",
        "samples a step",
        "precision",
        "ms a step",
        "floor",
        "of the matrix rate",
        "samples/s",
        "goal",
        "",
        "on",
    ]
    found = (table(head, steps) if steps else "") + "".join(f"\n{words}\n" for words in short)
    return f"{rates}\n{found}\n" + (table(["what", "", "measured", "goal", "", "on"], items) if items else "")


def _model(device: str) -> str:
    """``H200`` of ``cuda (NVIDIA H200)``."""
    return re.sub(r"^\w+ \((?:NVIDIA )?(.*)\)$", r"\1", device)


def _shown(row: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Of the steps that were tried the first, with the planned batch, and the best."""
    best = max(row["tried"], key=lambda one: one["batch"] / one["seconds"])
    return [row["tried"][0]] if best is row["tried"][0] else [row["tried"][0], best]


def _step(name: str, row: Mapping[str, Any], one: Mapping[str, Any]) -> list[str]:
    best = one["batch"] == row["batch"] and one["option"] == row["option"]
    how = "" if one["option"] == AS_IT_IS else f", {one['option']}"
    goal = f"{row['goal']:.0%}" if best and row["goal"] is not None else ""
    return [
        name, f"{one['batch']}{how}", row["precision"], f"{1e3 * one['seconds']:.3g}", f"{1e3 * one['floor']:.3g}",
        f"{one['share']:.0%}", figure(one["batch"] / one["seconds"]), goal, _reached(row) if best else "",
    ]  # fmt: skip


def _why_short(name: str, row: Mapping[str, Any], rates: Mapping[str, float]) -> list[str]:
    """Say of a training below its goal what share of the matrix rate each further sample of a step reaches."""
    tried = [one for one in row["tried"] if one["option"] == row["option"]]
    if row["ok"] is not False or len(tried) < 2:
        return []
    one, other = sorted(tried, key=lambda each: each["batch"])[-2:]
    each = (other["seconds"] - one["seconds"]) / (other["batch"] - one["batch"])
    share = row["operations_a_sample"] / each / rates[row["precision"]]
    words = f"`{name}`: from {one['batch']} to {other['batch']} samples a step each further one takes "
    words += f"{1e3 * each:.3g} ms, {share:.0%} of the matrix rate. "
    if share < row["goal"]:
        return [f"{words}At that cost of a further sample no larger batch would reach the goal."]
    return [f"{words}What keeps it from the goal is what a step costs whatever its size."]


def _reached(row: Mapping[str, Any]) -> str:
    return {True: "reached", False: "falls short", None: ""}[row["ok"]]


def paper_plans() -> str:
    """The plan of each chapter on one data-centre GPU, with its commands."""
    parts = []
    for chapter in _chapters():
        if not read_rehearsed(chapter)["training"]:
            continue
        plan = plan_of(chapter, "paper")
        lines = "\n".join(commands(plan))
        parts.append(
            f"### {heading_of(chapter)}\n\n{_plan(plan)}\n{_sum(plan, STAGE_MINUTES)}\n"
            f"::::{{dropdown}} Commands\n\n```console\n{lines}\n```\n::::\n"
        )
    return "\n".join(parts)


def colab_plans() -> str:
    """What each chapter takes on a small GPU."""
    rows = []
    for chapter in _chapters():
        if read_rehearsed(chapter)["training"]:
            plan = plan_of(chapter, "colab")
            longest = max(plan.stages, key=lambda stage: stage.seconds)
            within = "yes" if plan.seconds < 3600 else "no"
            rows.append(
                [heading_of(chapter), _minutes(plan.seconds), within, f"{longest.words} ({_minutes(longest.seconds)})"]
            )
    return table(["chapter", f"on {GPUS['colab'].name}", "under an hour", "the longest part"], rows)


def _chapters() -> list[str]:
    return [chapter for chapter in CHAPTERS if chapter in paper_keys() and paper_module(chapter, "paper_scale")]


def _cost(cost: Mapping[str, Any]) -> list[str]:
    kept = cost["saved_bytes"] / 2**20
    return [f"{cost['weights']:,}", f"{cost['operations'] / 1e12:.3g} TFLOP", f"{kept:,.0f} MiB"]


def _rehearsal(entry: Mapping[str, Any] | None) -> list[str]:
    if entry is None:
        return ["counted only", "", "", "", ""]
    short = "" if entry["batch_size"] == entry["planned_batch_size"] else f", planned {entry['planned_batch_size']}"
    memory = entry["peak_device_memory_mib"] or entry["peak_memory_mib"]
    equal = "the same bits" if entry["resumed_equal"] else "other weights"
    return [
        f"{entry['steps']} steps of {entry['batch_size']}{short}, {entry['precision']}",
        f"{min(entry['step_seconds']):.3g}",
        f"{memory / 1024:.2g} GiB",
        equal,
        f"{entry['device']}, {entry['threads']} thread{'s' * (entry['threads'] > 1)}, {entry['date'][:10]}",
    ]


def _plan(plan: ChapterPlan) -> str:
    rows = [
        [", ".join(f"`{name}`" for name in stage.stages), stage.words, _minutes(stage.seconds), stage.basis,
         str(stage.commands)]
        for stage in plan.stages
    ]  # fmt: skip
    return table(["stages", "what", "expected", "from", "commands"], rows)


def _sum(plan: ChapterPlan, limit: float) -> str:
    slow = [stage for stage in plan.stages if stage.seconds_each > 60.0 * limit]
    words = f"{_minutes(plan.seconds)} on {plan.gpu}. "
    if slow:
        named = ", ".join(dict.fromkeys(f"`{name}`" for stage in slow for name in stage.stages))
        words += f"Longer than {limit:g} minutes alone: {named}. "
    others = ", ".join(f"`{name}`" for name in plan.others)
    return words + f"Not foretold, for they were never timed at this size: {others}.\n"


def _minutes(seconds: float) -> str:
    return f"{seconds / 60:.0f} min" if seconds >= 90 else f"{seconds:.0f} s"


SCALE_GENERATORS = {
    "speeds": speeds,
    "at_paper_scale": at_paper_scale,
    "one_seed": one_seed,
    "rehearsals": rehearsals,
    "paper_plans": paper_plans,
    "colab_plans": colab_plans,
}
