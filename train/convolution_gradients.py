"""Weight gradients of convolutions for bf16 on the CPU, computed in float32.

oneDNN has no fast bf16 weight gradient for many shapes (strides, few channels, channels-last maps of odd sides) and
falls back to a reference loop, which then takes most of a training step. In float32 all shapes are fast.
"""

import contextlib
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

_BACKWARD = torch.ops.aten.convolution_backward.default


class Float32WeightGradients(TorchDispatchMode):
    """While active, bf16 convolutions get the gradients of their weights and biases from float32 copies.

    The gradient of the input stays in bf16, as do the results. Other dtypes are left alone.
    """

    def __torch_dispatch__(
        self, operator: Any, types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """Run an operator; of a bf16 convolution's backward pass, the two halves apart."""
        if operator is not _BACKWARD or args[0].dtype != torch.bfloat16:
            return operator(*args, **(kwargs or {}))
        gradient, picture, weight, *others, (for_picture, for_weight, for_bias) = args
        of_picture = of_weight = of_bias = None
        if for_picture:
            of_picture, _, _ = _BACKWARD(gradient, picture, weight, *others, [True, False, False])
        if for_weight or for_bias:
            exact = (gradient.float(), picture.float(), weight.float())
            _, of_weight, of_bias = _BACKWARD(*exact, *others, [False, for_weight, for_bias])
        return of_picture, _as(of_weight, weight.dtype), _as(of_bias, weight.dtype)


def backward_mode(device: torch.device, autocast: torch.dtype | None) -> AbstractContextManager:
    """Return the mode in which a backward pass is quickest, for the dtype of its forward pass (None: float32)."""
    is_slow = device.type == "cpu" and autocast == torch.bfloat16
    return Float32WeightGradients() if is_slow else contextlib.nullcontext()


def _as(gradient: torch.Tensor | None, dtype: torch.dtype) -> torch.Tensor | None:
    return None if gradient is None else gradient.to(dtype)
