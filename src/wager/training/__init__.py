"""The trained floor: learners fitted on a world of arbitrary facts, beside the error that the world's data forces on them.

In: the sizes of a world. Out: `wager.theory.results.TrainedFloor`. May import theory and layer 0, and PyTorch inside functions. A new
learner is a function in `learners.py` that gives each prompt a distribution over responses, and an entry in `floor.LEARNERS`.
Paper: Kalai, Nachum, Vempala, Zhang (2025), arXiv 2509.04664, sec. 3.3.1.
"""

from wager.training.births import World, births, draw
from wager.training.floor import LEARNERS, moments, train_floor
from wager.training.transformer import Shape

__all__ = ["LEARNERS", "Shape", "World", "births", "draw", "moments", "train_floor"]
