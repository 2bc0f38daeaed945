"""What of a chapter's results is brought back from a machine that is given up: few and small files.

One tar file holds the manifests, histories and numbers of every stage and its small arrays. A network comes along
where its file is small enough; of a larger one the list says checksum, settings and how it is made again.
"""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mrrepro.runs.artifacts import MANIFEST, ArtifactStore, StoredArtifact
from mrrepro.runs.files import atomic_file, read_json, read_verified, write_json, write_whole

MOST_FILES, MOST_BYTES = 8, 16 * 2**20
"""As many files, each of at most so many bytes."""

_ALWAYS = (".json", ".csv")
_ARRAYS = ".npz"
_NETWORK = ".safetensors"


def bring_back(store: ArtifactStore, chapter: str, folder: Path) -> dict[str, Any]:
    """Write the files into a folder and return the list of what they hold and what is left out.

    Parameters
    ----------
    store : ArtifactStore
    chapter : str
        All its finished stages are looked at, those that were used last first.
    folder : Path
        Is made; gets ``<chapter>.tar``, ``<chapter>.json`` and up to six networks.

    Raises
    ------
    ValueError
        If the store holds nothing of the chapter, what always comes is too large for one file, or a file is not the
        one that its manifest describes.
    """
    items = [item for item in store.list() if not item.partial and item.stage.partition("/")[0] == chapter]
    if not items:
        raise ValueError(f"{store.root} holds no finished result of {chapter}.")
    items.sort(key=lambda item: -item.used)
    folder.mkdir(parents=True, exist_ok=True)
    listed: dict[str, Any] = {"chapter": chapter, "stages": {}, "networks": {}, "left_out": {}}
    networks = []
    with atomic_file(folder / f"{chapter}.tar") as stream, tarfile.open(fileobj=stream, mode="w") as archive:
        room = MOST_BYTES - 2 * tarfile.RECORDSIZE
        for kinds in (_ALWAYS, (_ARRAYS,)):  # arrays take what the documents leave
            for item in items:
                manifest = read_json(item.path / MANIFEST)
                listed["stages"][item.name] = manifest["key"]
                names = [*manifest["files"], MANIFEST] if kinds is _ALWAYS else list(manifest["files"])
                for name in (name for name in names if name.endswith(kinds)):
                    if name == MANIFEST:
                        content = (item.path / name).read_bytes()
                    else:
                        content = read_verified(item.path / name, manifest["files"][name]["sha256"])
                    size = 512 * (2 + len(content) // 512)
                    if size > room:
                        if kinds is _ALWAYS:
                            raise ValueError(
                                f"{item.name}/{name} does not fit into {MOST_BYTES} bytes with the others."
                            )
                        listed["left_out"][f"{item.name}/{name}"] = len(content)
                        continue
                    room -= size
                    entry = tarfile.TarInfo(f"{item.name}/{name}")
                    entry.size = len(content)
                    archive.addfile(entry, io.BytesIO(content))
                if kinds is _ALWAYS:
                    networks += [(item, name, manifest) for name in names if name.endswith(_NETWORK)]
    _networks(networks, folder, listed)
    write_json(folder / f"{chapter}.json", listed)
    return listed


def _networks(
    networks: list[tuple[StoredArtifact, str, Mapping[str, Any]]], folder: Path, listed: dict[str, Any]
) -> None:
    copied = 0
    for item, name, manifest in networks:
        about = {
            **manifest["files"][name],
            "settings": manifest["settings"],
            "seed": manifest["seed"],
            "commit": manifest["commit"],
        }
        file = f"{item.stage.replace('/', '-')}-{item.key16}{_NETWORK}"
        if about["bytes"] <= MOST_BYTES and copied < MOST_FILES - 2:
            write_whole({folder / file: read_verified(item.path / name, about["sha256"])})
            copied += 1
            listed["networks"][f"{item.name}/{name}"] = {"file": file, **about}
        else:
            settings = json.dumps(manifest["settings"], sort_keys=True)
            again = (
                f"make stage {item.stage} of {manifest['commit']} with seed {manifest['seed']} and settings {settings}"
            )
            listed["networks"][f"{item.name}/{name}"] = {"file": None, "made_again_by": again, **about}
