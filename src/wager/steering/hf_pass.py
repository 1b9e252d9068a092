"""What the hooks do during a pass: add each row's push where it acts, project onto what is watched, keep a pool of the activations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wager.steering.backend import Pool, Push, Watch
from wager.steering.hf_blocks import Change

__all__ = ["Pushing", "Watching", "pooled"]


class Pushing:
    """The pushes of a batch's rows, as tensors: by block, what is added before the reply and from its last token before on."""

    def __init__(self, pushes: Sequence[Push | None], width: int, device: Any) -> None:
        import torch

        self._torch, self._device = torch, device
        self._before: dict[int, Any] = {}
        self._during: dict[int, Any] = {}
        self._now: dict[int, Any] = {}
        for block in sorted({block for push in pushes if push is not None for block in push.deltas}):
            parts = np.zeros((2, len(pushes), 1, width), dtype=np.float32)
            for at, push in enumerate(pushes):
                if push is not None and block in push.deltas:
                    parts[0, at, 0] = push.deltas[block] if push.positions != "reply" else 0.0
                    parts[1, at, 0] = push.deltas[block] if push.positions != "prompt" else 0.0
            self._before[block], self._during[block] = torch.from_numpy(parts).to(device)

    def reply(self, lengths: Sequence[int], width: int) -> None:
        """The next pass reads ``width`` columns, padded on the left, of which a row's last ``lengths[i]`` are its reply."""
        columns = self._torch.arange(width, device=self._device)[None, :, None]
        first = width - 1 - self._torch.tensor(list(lengths), device=self._device)[:, None, None]
        self._now = {block: self._torch.where(columns >= first, during, self._before[block]) for block, during in self._during.items()}

    def writing(self) -> None:
        """The next passes read one token of each reply."""
        self._now = dict(self._during)

    def changes(self) -> dict[int, Change]:
        """For `wager.steering.hf_blocks.hooked`; nothing where there is no push."""
        return {block: self._adding(block) for block in self._during}

    def _adding(self, block: int) -> Change:
        def add(output: Any) -> Any:
            added = self._now[block]
            if added.dtype != output.dtype or added.device != output.device:  # once for a block: the model's own type from then on
                added = self._now[block] = added.to(output.device, output.dtype)
            return output + added

        return add


class Watching:
    """Projections of a batch's last column, kept on the device: (B, W, steps)."""

    def __init__(self, watches: Sequence[Watch], rows: int, steps: int, device: Any) -> None:
        import torch

        self._watches = list(watches)
        self._seen = torch.full((rows, len(watches), steps), float("nan"), device=device)
        self.step = 0
        """Which column the next pass fills: 0 is the last token before the reply."""
        self._at: dict[int, tuple[list[int], Any]] = {}
        for block in sorted({one.block for one in watches}):
            places = [place for place, one in enumerate(watches) if one.block == block]
            units = [np.asarray(watches[place].direction, dtype=np.float64) for place in places]
            made = np.stack([unit / np.linalg.norm(unit) for unit in units], axis=1).astype(np.float32)
            self._at[block] = places, torch.from_numpy(made).to(device)

    def changes(self, pushes: Mapping[int, Change]) -> dict[int, Change]:
        """The pushes, and after them the projections."""
        return dict(pushes) | {block: self._projecting(block, pushes.get(block)) for block in self._at}

    def _projecting(self, block: int, push: Change | None) -> Change:
        places, units = self._at[block]

        def project(output: Any) -> Any:
            pushed = output if push is None else push(output)
            self._seen[:, places, self.step] = (pushed[:, -1].float() @ units.to(pushed.device)).to(self._seen.device)
            return None if push is None else pushed

        return project

    def found(self) -> dict[str, NDArray[np.float64]]:
        """By watch, (B, steps), moved from the device; NaN for steps that were not taken."""
        moved = np.asarray(self._seen.cpu().numpy(), dtype=np.float64)
        return {one.name: moved[:, place] for place, one in enumerate(self._watches)}


def pooled(held: dict[int, Any], block: int, pool: Pool, lengths: Sequence[int]) -> Change:
    """Keeps the pool of a block's output, (B, D) in float32, in ``held``; a row's reply is its last ``lengths[i]`` columns."""
    import torch

    def keep(output: Any) -> None:
        if pool != "reply_mean":
            held[block] = output[:, -1].float()  # padded on the left: the last column is the prompt's or the reply's last token
            return
        counts = torch.tensor(list(lengths), device=output.device)
        inside = torch.arange(output.shape[1], device=output.device)[None] >= output.shape[1] - counts[:, None]
        summed = torch.where(inside[..., None], output.float(), 0.0).sum(1)  # what stands under padding may be no number
        held[block] = summed / counts[:, None]

    return keep


def kept(held: dict[int, Any], block: int) -> Change:
    """Keeps a block's whole output, (B, T, D), in ``held``."""

    def keep(output: Any) -> None:
        held[block] = output

    return keep
