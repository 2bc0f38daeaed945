"""The data sets, one module each."""

from __future__ import annotations

from data_fetch.datasets import (
    brats,
    ds004917,
    egd,
    eptlib_tutorial,
    hcp_mni152,
    ixi_pd,
    kirby21,
    open_ms,
    rider_breast,
    synthseg_heads,
    tcga_du_7294,
    tcga_fg_6692,
    tcga_gbm,
    ucsf_pdgm,
)
from data_fetch.sources import Source

SOURCES: dict[str, Source] = {
    module.SOURCE.dataset.name: module.SOURCE
    for module in (
        synthseg_heads,
        eptlib_tutorial,
        hcp_mni152,
        open_ms,
        tcga_fg_6692,
        tcga_du_7294,
        ds004917,
        kirby21,
        ixi_pd,
        rider_breast,
        egd,
        ucsf_pdgm,
        brats,
        tcga_gbm,
    )
}


def source_of(name: str) -> Source:
    """Return a data set by name; raise ``ValueError`` with the names there are."""
    if name not in SOURCES:
        raise ValueError(f"name must be one of {', '.join(SOURCES)}, but is {name!r}.")
    return SOURCES[name]
