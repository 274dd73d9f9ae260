"""Options of the commands that spread work over processes or nodes."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from ..farm.farm import FarmSettings


@dataclass(frozen=True, kw_only=True)
class FarmOptions:
    """How the clips are spread over processes or nodes; none of it changes a byte of the result."""

    workers: int = 1
    """clips made at once on this machine (with --address: clips in flight)"""
    address: str | None = None
    """Ray cluster to join, e.g. auto or host:6379; a private Ray is started when left out"""
    executor: Literal["ray", "local"] = "ray"
    """local runs without Ray"""

    def farm(self) -> FarmSettings:
        """The settings of the farm; ValueError names the option that is wrong or the extra that is missing."""
        from ..farm.farm import FarmSettings

        if self.workers < 1:
            raise ValueError(f"--workers {self.workers}: must be at least 1")
        if self.executor == "local" and self.address is not None:
            raise ValueError("--address is of a Ray cluster; leave --executor local out, or the address")
        if self.executor == "ray" and importlib.util.find_spec("ray") is None:
            raise ValueError("ray is not installed here; pip install 'vosforge[farm]', or add --executor local")
        return FarmSettings(executor=self.executor, num_workers=self.workers, address=self.address)
