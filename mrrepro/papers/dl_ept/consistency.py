"""Which settings of the DL-EPT chapter do not go together, said before anything is computed."""

from __future__ import annotations

from collections.abc import Iterator

from mrrepro.papers.dl_ept.settings import DlEptSettings


def conflicts(settings: DlEptSettings) -> Iterator[str]:
    """Say of each conflict which setting must be what, what it is and what to do."""
    for name in ("size_in_plane", "size_through_plane"):
        size = getattr(settings.helmholtz, name)
        if size % 2 == 0:
            yield (
                f"helmholtz.{name} must be odd, so that the kernel has a middle, but is {size}: "
                f"take {size - 1} or {size + 1}."
            )
    simulation = settings.simulation
    if simulation.shield_radius_mm <= simulation.coil_radius_mm:
        yield (
            f"simulation.shield_radius_mm must exceed simulation.coil_radius_mm ({simulation.coil_radius_mm:g} mm), "
            f"but is {simulation.shield_radius_mm:g} mm: widen the shield or narrow the coil."
        )
    side, network = settings.measurement.image_size, settings.network
    if side % 2**network.depth:
        yield (
            f"measurement.image_size must divide by 2^network.depth ({2**network.depth}), but is {side}: change one "
            "of them."
        )
    least = 3 * 2**network.discriminator_layers
    if settings.training.gan_weight > 0 and side < least:
        yield (
            f"measurement.image_size must be at least 3 x 2^network.discriminator_layers ({least}) where "
            f"training.gan_weight is above 0, but is {side}: take larger images or fewer layers."
        )
