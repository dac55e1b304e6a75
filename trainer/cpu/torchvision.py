"""Makes torchvision importable beside a CPU build of torch: the registry's wheel is linked against CUDA, its operators do not
load, and without their schemas its import fails. What processors use of it is plain torch."""

from __future__ import annotations

from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import torch


@cache
def make_importable() -> Any:
    """Define the operators' schemas, once, if this torch and this torchvision do not fit together."""
    try:
        fits = torch.version.cuda is not None or "+cpu" in version("torchvision")
    except PackageNotFoundError:
        return None
    if fits:
        return None
    library: Any = torch.library.Library("torchvision", "DEF")  # type: ignore[no-untyped-call]
    library.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    library.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    return library
