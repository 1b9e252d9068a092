"""How to get a confidence: one file per source.

In: a reply (with its token log-probabilities where the provider gives them). Out: a probability in [0, 1] that the answer is
right, or a named reason why there is none. May import layer 0 and `wager.grading`. A new source gets its own file and its
own `wager.answers.ConfidenceSource`.
"""
