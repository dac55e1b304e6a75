"""Makes torchvision importable beside a CPU build of torch: the registry's wheel is linked against CUDA, its operators do not
load, and without their schemas its import fails. What processors use of it is plain torch."""

import torch

_library = torch.library.Library("torchvision", "DEF")
_library.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
_library.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
