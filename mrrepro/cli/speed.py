"""What ``mrrepro bench`` measures on a device: training steps beside their floor, simulators and solvers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

import typer

from mrrepro.cli.papers import paper_keys, paper_module, paper_settings
from mrrepro.cli.reporting import figure, tracebacks

AS_IT_IS = "as it is"
"""A step as the stages run it."""

_LEAST_GAIN = 1.03
"""A batch twice as large is kept while it gives so many times the samples a second."""


def speed_rows(
    names: Sequence[str],
    device: str,
    full: bool,
    options: Sequence[str],
    quiet: bool,
    keep: Callable[[str, Mapping[str, float], Mapping[str, Any]], object] | None = None,
) -> list[dict[str, Any]]:
    """Measure what the names select (ids or chapters; everything by default), and return one row each.

    Parameters
    ----------
    names : sequence of str
    device : str
    full : bool
        At the papers' sizes; else at sizes that a processor does in seconds.
    options : sequence of str
        Of `mrrepro.training.rehearsal.OPTIONS`: what is tried at the best batch size besides running as it is.
    quiet : bool
        Print nothing.
    keep : callable, optional
        Gets chapter, rates of the device and row as soon as each is measured.
    """
    from mrrepro.runs.throughput import measure_rates

    work, items = _selected(names)
    rates = measure_rates(device)
    rows: list[dict[str, Any]] = [{"id": "device", "device": _name(device), **asdict(rates)}]
    if not quiet:
        typer.echo(
            f"{_name(device)}: matrix product {rates.bfloat16 / 1e12:.4g} TFLOP/s in bfloat16, "
            f"{rates.float32 / 1e12:.4g} in float32; copy {rates.bandwidth / 1e9:.4g} GB/s"
        )

    def add(chapter: str, row: dict[str, Any], line: Callable[[dict[str, Any]], str]) -> None:
        rows.append(row)
        if not quiet:
            typer.echo(line(row))
        if keep is not None:
            keep(chapter, asdict(rates), row)

    for chapter, item in items:
        add(chapter, _guarded(item, lambda item=item: _item(item, device, full)), item_line)
    for chapter, each in work:
        row = _guarded(each, lambda each=each, chapter=chapter: _steps(chapter, each, rates, device, full, options))
        add(chapter, row, step_line)
    return rows


def _selected(names: Sequence[str]) -> tuple[list[tuple[str, Any]], list[tuple[str, Any]]]:
    from mrrepro.runs.settings import require_known

    found: list[tuple[str, Any, bool]] = []
    for chapter in paper_keys():
        module = paper_module(chapter, "paper_scale")
        found += [(chapter, each, True) for each in getattr(module, "WORK", ())]
        found += [(chapter, each, False) for each in getattr(module, "ITEMS", ())]
    known = {name for chapter, each, _ in found for name in (chapter, each.id)}
    for name in names:
        require_known("id or chapter", name, known)
    chosen = [entry for entry in found if not names or entry[0] in names or entry[1].id in names]
    return [(c, e) for c, e, trained in chosen if trained], [(c, e) for c, e, trained in chosen if not trained]


def _guarded(each: Any, measure: Any) -> dict[str, Any]:
    """One that fails is a row with its error."""
    try:
        row: dict[str, Any] = measure()
    except Exception as error:
        if tracebacks():
            raise
        row = {"id": each.id, "quantity": each.quantity, "ok": False, "error": f"{type(error).__name__}: {error}"}
    return row


def _steps(chapter: str, work: Any, rates: Any, device: str, full: bool, options: Sequence[str]) -> dict[str, Any]:
    from mrrepro.runs.settings import configure
    from mrrepro.training.training_work import step_cost

    settings: Any = configure(
        paper_settings(chapter), "paper" if full else "smoke", work.changes if full else work.small_changes
    )
    precision = settings.training.precision
    cost = step_cost(work, settings)
    tried: list[dict[str, Any]] = []

    def at(batch: int, option: str | None = None) -> bool:
        """Measure; False where the memory does not hold it."""
        sized = replace(settings, training=replace(settings.training, batch_size=batch))
        seconds = _seconds_or_none(work, sized, device, option)
        if seconds is None:
            return False
        of_batch = cost.of_batch(batch)
        floor = rates.floor(of_batch.operations, of_batch.moved_bytes, precision)
        share = of_batch.operations / seconds / rates.of(precision)
        tried.append({"batch": batch, "option": option or AS_IT_IS, "seconds": seconds, "floor": floor, "share": share})
        return True

    size = settings.training.batch_size
    while at(size) and full and device.startswith("cuda"):
        if len(tried) > 1 and _rate(tried[-1]) < _LEAST_GAIN * _rate(tried[-2]):
            break
        size *= 2
    if not tried:
        raise RuntimeError(f"the memory of {device} does not hold a batch of {size}")
    best = max(tried, key=_rate)
    for option in options:
        at(best["batch"], option)
    best = max(tried, key=_rate)
    return {
        "id": work.id,
        "quantity": work.quantity if full else f"{work.quantity}, at the sizes of scale smoke",
        "precision": precision,
        "operations_a_sample": cost.operations,
        "weights": cost.weights,
        **best,
        "samples_a_second": _rate(best),
        "tried": tried,
        "goal": work.goal if full else None,
        "ok": None if work.goal is None or not full else best["share"] >= work.goal,
    }


def _rate(row: dict[str, Any]) -> float:
    return float(row["batch"] / row["seconds"])


def _item(item: Any, device: str, full: bool) -> dict[str, Any]:
    value = item.full(device) if full else item.small(device)
    return {
        "id": item.id,
        "quantity": item.quantity if full else item.small_words,
        "unit": item.unit,
        "value": value,
        "goal": item.goal if full else None,
        "ok": item.reached(value) if full else None,
    }


def _seconds_or_none(work: Any, settings: Any, device: str, option: str | None) -> float | None:
    """Seconds of a step; None where a GPU's memory does not hold it, which is then free again."""
    import gc

    import torch

    from mrrepro.training.rehearsal import step_seconds

    try:
        return step_seconds(work, settings, device, option=option)
    except torch.cuda.OutOfMemoryError:
        pass
    gc.collect()
    torch.cuda.empty_cache()
    return None


def _name(device: str) -> str:
    from mrrepro.runs.machine import device_name

    return device_name(device)


def step_line(row: dict[str, Any]) -> str:
    """Say a row of a network in one line."""
    if "error" in row:
        return f"{row['id']}: error: {row['error']}"
    words = (
        f"{row['id']}: {row['seconds']:.4g} s a step of {row['batch']} ({row['option']}, {row['precision']}), floor "
        f"{row['floor']:.4g} s, {row['share']:.1%} of the matrix rate, {figure(row['samples_a_second'])} samples/s"
    )
    return words + _goal(row, "" if row["goal"] is None else f"{row['goal']:.0%}")


def item_line(row: dict[str, Any]) -> str:
    """Say a row of a simulator or solver in one line."""
    if "error" in row:
        return f"{row['id']}: error: {row['error']}"
    words = f"{row['id']}: {figure(row['value'])} {row['unit']} ({row['quantity']})"
    return words + _goal(row, f"{figure(row['goal'])} {row['unit']}")


def _goal(row: dict[str, Any], words: str) -> str:
    return "" if row["goal"] is None else f"; goal {words}  {'ok' if row['ok'] else 'FELL SHORT'}"
