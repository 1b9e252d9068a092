"""What a reply does and whether it is right, without a model: abstention, answer matching, citations, deflection, support.

In: a reply as text, accepted answers. Out: whether it abstains, what it answers, whether that matches. May import layer 0.
`abstention` decides whether a reply says "I don't know"; `matching` compares answers under named normalisations; `material` and `log_lines`
read what a prompt holds, `citations` checks what a reply takes from it; `deflection`, `distinct` and `support` are for invented and for
personal texts.
A new normalisation is registered in `matching`. Reference: SimpleQA's three-way grading (Wei et al. 2024, arXiv 2411.04368).
"""
