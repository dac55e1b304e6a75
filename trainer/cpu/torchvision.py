"""Makes torchvision importable with a CPU build of torch. PyPI's torchvision is linked against CUDA, so its operators do not
load and its import fails without their schemas. The video processors do not use these operators."""

from __future__ import annotations

from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import torch


@cache
def make_importable() -> Any:
    """Define the missing operator schemas, once, if torch is a CPU build and torchvision a CUDA build."""
    try:
        compatible = torch.version.cuda is not None or "+cpu" in version("torchvision") or hasattr(torch.ops.torchvision, "nms")
    except PackageNotFoundError:
        return None
    if compatible:
        return None
    library: Any = torch.library.Library("torchvision", "DEF")  # type: ignore[no-untyped-call]
    library.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    library.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    return library
