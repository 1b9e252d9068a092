"""Corpus: from rows of text to `wager.facts.FactCounts`, on one machine or many.

In: files of (prompt, answer) pairs, chat records, or text through a fact extractor. Out: counts that add, examples of contradictions,
a list of facts seen once. Engines (`duck`, `spark`, `polars`) read and group; what a prompt's key is (`words`), which answers say nothing
(`abstained`) and the query (`query`) are written once. May import layers 0 and 1, and `wager.grading` for the detector of abstentions.
A new extractor is registered in `extractors`; a new engine is a file with `columns` and `count` (`counted.Engine`).
"""
