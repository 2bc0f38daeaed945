"""Fifty-two people with T1 and T2 at 1 mm: OpenNeuro ds004917."""

from __future__ import annotations

from data_fetch.citations import DS004917
from data_fetch.datasets.weighted_images import read_weighted
from data_fetch.records import Dataset
from data_fetch.sources import RegisteredSource

DATASET = Dataset(
    name="ds004917",
    title="OpenNeuro ds004917, anatomical images",
    description="T1- and T2-weighted whole-head images of 52 healthy people at 1 mm; its task images are left out.",
    licence="CC0",
    access="open",
    page="https://openneuro.org/datasets/ds004917",
    citations=(DS004917,),
    subject_count=52,
    bytes_in_all=1_050_810_401,
    formats="NIfTI",
    unverified="the addresses were not tried; sizes and SHA-256 are those that the home's own git-annex keys state",
)
SOURCE = RegisteredSource(DATASET, read_weighted)
