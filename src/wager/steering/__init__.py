"""Dials inside a model: a direction for a trait, a probe that reads it, a gate, a dose, and what a dial must show before it is used.

In: a `Trait` (questions and contrasts) and a `Backend` (`wager.steering.backend`). Out: a `Vector` with its card, a `Plan`, a licence.
May import layers 0 and 1, grading, elicit and models. A new backend is a class with the methods of `Backend`; a new trait a TOML file in
``traits/``. Chen et al. 2025, "Persona vectors" (arXiv 2507.21509).
"""
