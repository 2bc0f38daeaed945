"""The chapter's stages once, as small as they go."""

from __future__ import annotations

import pytest
from condnet_smoke import SmokeRun


@pytest.fixture(scope="session")
def smoke(tmp_path_factory: pytest.TempPathFactory) -> SmokeRun:
    return SmokeRun(tmp_path_factory.mktemp("condnet"))
