"""The corpus query, written once: one GROUP BY inside another, over 64-bit keys and states of fixed size, so that any engine can spill it.

A relation ``keyed`` has a row for each usable sample: ``raw`` and ``prompt`` (hashes of the prompt as it stands and of its words) and
``answer`` (hash of the answer's words; null if it says "I don't know"). `PAIRS` makes of it one row for each spelling of a prompt (which
has one key only), `BY_PROMPT` one for each prompt, `COUNTS` the frequencies. A prompt is contradicted if the least and the greatest hash
of its answers differ: that needs no list of answers.

`printed` is the whole job as one statement for a warehouse, where neither Python nor the abstention detector runs.
"""

from __future__ import annotations

from dataclasses import dataclass

from wager.corpus.abstained import PLAIN
from wager.corpus.words import NOT_WORDS
from wager.errors import UnknownNameError
from wager.facts import Part

__all__ = ["BY_PROMPT", "COPIES", "COUNTS", "DIALECTS", "PAIRS", "ROWS", "Dialect", "in_part", "printed"]

PAIRS = """\
SELECT raw, prompt, {samples} AS samples, {answered} AS answered, min(answer) AS least, max(answer) AS most
FROM {keyed} GROUP BY raw, prompt"""
"""One row for each spelling of a prompt, with `ROWS` or `COPIES` in place of its counts."""

ROWS = {"samples": "count(*)", "answered": "count(answer)"}
"""Where a row of ``keyed`` is one sample."""

COPIES = {
    "samples": "CAST(sum(copies) AS BIGINT)",
    "answered": "CAST(sum(CASE WHEN answer IS NULL THEN 0 ELSE copies END) AS BIGINT)",
}
"""Where it stands for so many ``copies``."""

BY_PROMPT = """\
SELECT prompt, CAST(sum(answered) AS BIGINT) AS answered, CAST(sum(samples) AS BIGINT) AS samples,
       min(least) AS least, max(most) AS most
FROM {pairs} GROUP BY prompt"""
"""One row for each prompt."""

COUNTS = """\
SELECT 'normalised' AS {q}keys{q}, answered, count(*) AS prompts, sum(samples) AS samples,
       sum(CASE WHEN least <> most THEN 1 ELSE 0 END) AS contradicted
FROM {by_prompt} GROUP BY answered
UNION ALL
SELECT 'raw' AS {q}keys{q}, answered, count(*) AS prompts, sum(samples) AS samples, NULL AS contradicted FROM {pairs} GROUP BY answered"""
"""The frequencies, as `wager.facts.SCHEMA`."""


@dataclass(frozen=True)
class Dialect:
    """How an engine writes what SQL leaves open; ``{x}`` stands for an expression."""

    words: str
    """Steps 1 and 2 of `wager.corpus.words.words`."""
    strip: str
    """Without ASCII white space at its ends."""
    hashed: str
    """64 bits of a text."""
    matches: str
    """Whether a text has a match of ``{pattern}``."""
    portable: str
    """The first 60 bits of a text's MD5 as a number."""
    quote: str = '"'
    """Around a name."""


_LOW = "replace(lower(replace({x}, 'İ', 'i')), 'ς', 'σ')"
_CHARACTERS = "' ' || chr(9) || chr(10) || chr(11) || chr(12) || chr(13)"

DIALECTS: dict[str, Dialect] = {
    "duckdb": Dialect(
        words=f"trim(regexp_replace({_LOW}, '{NOT_WORDS}', ' ', 'g'))",
        strip=f"trim({{x}}, {_CHARACTERS})",
        hashed="hash({x})",
        matches="regexp_matches({x}, '{pattern}')",
        portable="('0x' || substr(md5({x}), 1, 15))::BIGINT",
    ),
    "spark": Dialect(
        words=f"trim(regexp_replace({_LOW}, r'{NOT_WORDS}', ' '))",
        strip=f"btrim({{x}}, {_CHARACTERS})",
        hashed="xxhash64({x})",
        matches="({x} RLIKE r'{pattern}')",
        portable="CAST(conv(substr(md5({x}), 1, 15), 16, 10) AS BIGINT)",
        quote="`",
    ),
    "bigquery": Dialect(
        words=f"TRIM(REGEXP_REPLACE({_LOW}, r'{NOT_WORDS}', ' '))",
        strip="TRIM({x}, ' \\t\\n\\r\\v\\f')",
        hashed="FARM_FINGERPRINT({x})",
        matches="REGEXP_CONTAINS({x}, r'{pattern}')",
        portable="CAST(CONCAT('0x', SUBSTR(TO_HEX(MD5({x})), 1, 15)) AS INT64)",
        quote="`",
    ),
    "trino": Dialect(
        words=f"trim(regexp_replace({_LOW}, '{NOT_WORDS}', ' '))",
        strip=f"trim(BOTH {_CHARACTERS} FROM {{x}})",
        hashed="from_big_endian_64(xxhash64(to_utf8({x})))",
        matches="regexp_like({x}, '{pattern}')",
        portable="from_base(substr(lower(to_hex(md5(to_utf8({x})))), 1, 15), 16)",
    ),
}
"""Engines whose regular expressions know ``\\p{L}``; the tests run the first two."""


def in_part(dialect: str, words: str, part: Part) -> str:
    """A condition that keeps the prompts of a part.

    Args:
        dialect: one of `DIALECTS`.
        words: an expression: the words of the prompt.
        part: which prompts.
    """
    residues = ", ".join(map(str, part.residues))
    return f"{DIALECTS[dialect].portable.replace('{x}', words)} % {part.modulus} IN ({residues})"


def printed(dialect: str, *, table: str, prompt: str, answer: str, part: Part | None = None) -> str:
    """The job as one statement; its result, as Parquet or CSV, is what ``wager floor`` reads back.

    Spellings are counted before they are normalised. Abstentions are found by the rule ``plain/1``, not by the detector.

    Args:
        dialect: one of `DIALECTS`.
        table: what to read, as the engine writes it.
        prompt: name of the column of prompts.
        answer: name of the column of answers.
        part: which prompts; all by default.

    Raises:
        UnknownNameError: no such dialect.
    """
    if dialect not in DIALECTS:
        raise UnknownNameError("SQL dialect", dialect, DIALECTS)
    speech = DIALECTS[dialect]
    quote = speech.quote

    def name(column: str) -> str:
        return f"{quote}{column.replace(quote, quote * 2)}{quote}"

    def key(column: str) -> str:
        worded, stripped = speech.words.replace("{x}", column), speech.strip.replace("{x}", column)
        return f"coalesce(nullif({worded}, ''), {stripped})"

    def hashed(column: str) -> str:
        return speech.hashed.replace("{x}", column)

    abstains = speech.matches.replace("{x}", "answer_words").replace("{pattern}", PLAIN)
    kept = f"\n    WHERE {in_part(dialect, 'prompt_words', part)}" if part and part.modulus > 1 else ""
    pairs = PAIRS.format(**COPIES, keyed="keyed").replace("\n", "\n    ")
    return f"""\
-- fact counts for `wager floor`: save the result as Parquet or CSV. Words: words/1. Abstentions: plain/1.
WITH spelt AS (
    SELECT {name(prompt)} AS raw_prompt, {name(answer)} AS raw_answer, count(*) AS copies
    FROM {table} GROUP BY {name(prompt)}, {name(answer)}
), worded AS (
    SELECT raw_prompt, copies, {key("raw_prompt")} AS prompt_words, {key("raw_answer")} AS answer_words FROM spelt
), usable AS (
    SELECT raw_prompt, prompt_words, answer_words, copies, {abstains} AS abstains
    FROM worded WHERE prompt_words <> '' AND answer_words <> ''
), keyed AS (
    SELECT {hashed("raw_prompt")} AS raw, {hashed("prompt_words")} AS prompt,
           CASE WHEN abstains THEN NULL ELSE {hashed("answer_words")} END AS answer, copies
    FROM usable{kept}
), pairs AS (
    {pairs}
), by_prompt AS (
    {BY_PROMPT.format(pairs="pairs")}
)
{COUNTS.format(by_prompt="by_prompt", pairs="pairs", q=quote)}
UNION ALL SELECT 'all', NULL, NULL, coalesce(sum(copies), 0), NULL FROM usable
UNION ALL SELECT 'abstained', NULL, NULL, coalesce(sum(CASE WHEN abstains THEN copies ELSE 0 END), 0), NULL FROM usable
UNION ALL SELECT 'no prompt', NULL, NULL, coalesce(sum(copies), 0), NULL FROM worded WHERE prompt_words IS NULL OR prompt_words = ''
UNION ALL SELECT 'no answer', NULL, NULL, coalesce(sum(copies), 0), NULL
    FROM worded WHERE prompt_words <> '' AND (answer_words IS NULL OR answer_words = '')
"""
