"""Parts of a network that a stage keeps as they are."""

from collections.abc import Sequence

from torch import nn


def freeze(network: nn.Module, names: Sequence[str]) -> None:
    """Take the named parts, children or parts of them, out of training: their weights get no gradient.

    ValueError for a name without weights, and when nothing is left to train.
    """
    for name in names:
        part = dict(network.named_modules()).get(name) if name else None
        if part is None or not any(True for _ in part.parameters()):
            children = [one for one, child in network.named_children() if any(True for _ in child.parameters())]
            raise ValueError(
                f"frozen: no part '{name}' with weights in {type(network).__name__}; choose among {', '.join(children)}"
            )
        part.requires_grad_(False)
    if names and not any(parameter.requires_grad for parameter in network.parameters()):
        raise ValueError(f"frozen is {', '.join(names)}, which leaves nothing to train; leave one of them out")
