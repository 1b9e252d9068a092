"""Watching a trait: a toy model whose words carry known amounts of it, so that every projection can be worked by hand."""

import zlib
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from wager.errors import DataError, ModelError, UsageError
from wager.metrics.results import Estimate
from wager.steering.backend import Able, Backend, MessageTokens, ModelIdentity, Reply, check_block
from wager.steering.monitor import UNKNOWN, WRONG, as_confidence, calibrated, drift, monitor, screen
from wager.steering.probe import Probe, false_fire_threshold
from wager.steering.reply_tokens import reply_tokens, texts
from wager.steering.vector import Card, Vector

WIDTH, BLOCKS = 6, 3
AMOUNT = {"surely": 2.0, "perhaps": -1.0}


class Toy:
    """A word is a token. At block k a word's activation is (k + 1) times its amount of the trait on axis 0, noise of its own on the others,
    and ``shift`` on axis 0. It says what it is told to."""

    able = Able(capture=True, steer=False, per_request=False, logprobs=True)

    def __init__(self, says: dict[str, str] | None = None, *, shift: float = 0.0, weights: str = "w", width: int = WIDTH) -> None:
        self.identity = ModelIdentity(name="toy", architecture="toy", blocks=BLOCKS, width=width, vocabulary=9, tokens="t", weights=weights)
        self.says, self.shift = says or {}, shift

    def word(self, word: str, block: int):
        found = np.random.default_rng(zlib.crc32(word.encode())).normal(size=WIDTH)
        found[0] = (block + 1) * AMOUNT.get(word, 0.0) + self.shift
        return found.astype(np.float32)

    def read(self, chats, replies=None, *, pool, blocks=None):
        if replies is not None and not all(replies):
            raise UsageError("the reply is empty")
        kept = range(BLOCKS) if blocks is None else [check_block(one, self.identity) for one in blocks]
        rows = []
        for at, chat in enumerate(chats):
            words = chat[-1]["content"].split()[-1:] if pool == "prompt_last" else replies[at].split()
            words = words[-1:] if pool == "reply_last" else words
            rows.append([np.mean([self.word(word, block) for word in words], axis=0) for block in kept])
        return np.asarray(rows, dtype=np.float32).reshape(len(chats), len(kept), WIDTH)

    def count(self, chat) -> int:
        return sum(len(one["content"].split()) for one in chat)

    def read_message(self, chats, *, blocks=None):
        kept = range(BLOCKS) if blocks is None else blocks
        made = []
        for chat in chats:
            words = chat[-1]["content"].split()
            read = np.array([[self.word(word, block) for block in kept] for word in words])
            made.append(MessageTokens(tuple(f" {word}".encode() for word in words), read))
        return made

    def score(self, chats, replies, *, pushes=None):
        return [np.full(len(reply.split()), -1.0) for reply in replies]

    def generate(self, chats, *, pushes=None, watches=(), prefixes=None, tokens=64, temperature=0.0, seed=0) -> list[Reply]:
        made = []
        for chat in chats:
            options = self.says.get(chat[-1]["content"], "").split("|")
            text = options[seed % len(options)] if temperature else options[0]
            words = tuple(text.split()[:tokens])
            heard = [chat[-1]["content"].split()[-1], *words]
            watched = {one.name: np.array([float(self.word(word, one.block) @ one.direction) for word in heard]) for one in watches}
            made.append(Reply(text=" ".join(words), tokens=words, logprobs=np.full(len(words), -1.0), finish="stop", watched=watched))
        return made

    def close(self) -> None:
        pass


def vector(toy: Toy, block: int | None = 1, length: float = 5.0, **card) -> Vector:
    direction = np.zeros(WIDTH, dtype=np.float32)
    direction[0] = length
    return Vector(dict.fromkeys(range(BLOCKS), direction), Card(trait="overconfidence", model=toy.identity, block=block, **card))


def asked(*contents: str) -> list[list[dict[str, str]]]:
    return [[{"role": "user", "content": content}] for content in contents]


def probe(toy: Toy, what: str = WRONG, **changes) -> Probe:
    direction = np.eye(WIDTH, dtype=np.float32)[0]
    given = {"name": "known", "what": what, "model": toy.identity, "block": 1, "pool": "reply_mean", "direction": direction}
    return Probe(**(given | {"slope": 2.0, "intercept": -1.0, "share": 0.5, "threshold": false_fire_threshold(range(99), 0.1)} | changes))


def test_the_toy_is_a_backend() -> None:
    backend: Backend = Toy()
    assert isinstance(backend, Backend)


def test_what_a_model_writes_is_watched_token_by_token() -> None:
    toy = Toy({"ask surely": "perhaps it surely", "ask": ""})
    found = monitor(toy, asked("ask surely", "ask"), None, vector(toy))
    assert found.before == (4.0, 0.0)  # block 1: twice the amount, onto a direction of length 1
    assert found.tokens == ((-2.0, 0.0, 4.0), ())
    assert found.pieces == (("perhaps", "it", "surely"), ())
    assert found.mean == (pytest.approx(2 / 3), None)
    assert found.last == (4.0, None)
    assert found.empty == 1
    assert found.at("reply_last") == found.last
    assert (found.name, found.block) == ("overconfidence", 1)


def test_given_replies_are_read_at_the_block_asked_for() -> None:
    toy = Toy()
    found = monitor(toy, asked("ask", "ask", "ask perhaps"), ["surely it", "", "perhaps"], vector(toy), block=2)
    assert found.mean == (3.0, None, -3.0)
    assert found.last == (0.0, None, -3.0)
    assert found.before == (0.0, 0.0, -3.0)
    assert found.tokens is None
    assert found.empty == 1


def test_each_token_of_a_given_reply_is_read_once_as_a_message() -> None:
    toy = Toy()
    chats, said = asked("ask", "ask", "ask"), ["surely it", "", "perhaps"]
    found = monitor(toy, chats, said, vector(toy))
    read = reply_tokens(toy, chats, said, vector(toy), means=found.mean)
    assert [one and one.pieces for one in read] == [(" surely", " it"), None, (" perhaps",)]
    assert [one and one.projections for one in read] == [(4.0, 0.0), None, (-2.0,)]
    with pytest.raises(UsageError, match="3 chats take one reply and one mean each, got 3 and 1"):
        reply_tokens(toy, chats, said, vector(toy), means=[1.0])


@pytest.mark.parametrize("kind", ["another mean", "refused", "not finite"])
def test_a_reply_that_the_template_changes_is_not_told_by_token(kind: str) -> None:
    class Changed(Toy):
        def read_message(self, chats, *, blocks=None):
            if kind == "refused":
                raise DataError("the message does not stand in the prompt")
            return [
                replace(one, activations=one.activations + (0.1 if kind == "another mean" else np.nan))
                for one in super().read_message(chats, blocks=blocks)
            ]

    toy = Changed()
    assert reply_tokens(toy, asked("ask"), ["surely it"], vector(toy), means=[2.0]) == (None,)
    assert reply_tokens(Toy(), asked("ask"), ["surely it"], vector(toy), means=[2.0]) != (None,)


def test_a_split_character_stands_where_it_ends() -> None:
    assert texts([b"a\xc3", b"\xa9", b" \xf0\x9f", b"\xa7\xaa", b"\xff", b"\xe2"]) == ("a", "é", " ", "🧪", "\ufffd", "\ufffd")


def test_reading_and_writing_agree_on_the_same_reply() -> None:
    toy = Toy({"ask": "surely it perhaps is"})
    line = vector(toy)
    written = monitor(toy, asked("ask"), None, line)
    read = monitor(toy, asked("ask"), list(written.replies), line)
    assert written.mean == pytest.approx(read.mean)
    assert (written.before, written.last) == (read.before, read.last)


def test_a_probe_is_watched_like_a_vector() -> None:
    toy = Toy({"ask": "surely"})
    found = monitor(toy, asked("ask"), None, probe(toy))
    assert (found.name, found.mean) == ("known", (4.0,))
    assert monitor(toy, asked("ask"), ["surely"], probe(toy)).mean == (4.0,)
    with pytest.raises(UsageError, match="reads block 1, got 2"):
        monitor(toy, asked("ask"), None, probe(toy), block=2)
    with pytest.raises(UsageError, match="other weights"):
        monitor(Toy(weights="v"), asked("ask"), None, probe(toy))


def test_what_does_not_fit_is_refused() -> None:
    toy = Toy({"ask": "surely"})
    with pytest.raises(UsageError, match="2 chats take one reply each, got 1"):
        monitor(toy, asked("a", "b"), ["x"], vector(toy))
    with pytest.raises(UsageError, match="names no block"):
        monitor(toy, asked("a"), ["x"], vector(toy, block=None))
    with pytest.raises(UsageError, match="with width 6; toy has 7"):
        monitor(Toy(width=7), asked("a"), ["x"], vector(toy))
    toy.shift = float("nan")
    with pytest.raises(DataError, match="not finite at block 1"):
        monitor(toy, asked("a"), ["x"], vector(toy))
    with pytest.raises(DataError, match="not finite at block 1"):
        monitor(toy, asked("ask"), None, vector(toy))


def test_a_backend_that_forgets_a_projection_is_caught() -> None:
    class Forgetful(Toy):
        def generate(self, chats, **options):
            return [
                replace(one, watched={name: seen[1:] for name, seen in one.watched.items()}) for one in super().generate(chats, **options)
            ]

    toy = Forgetful({"ask": "surely it"})
    with pytest.raises(ModelError, match="2 tokens and 2 projections"):
        monitor(toy, asked("ask"), None, vector(toy))


def outcomes(seed: int, n: int = 160, between: float = 0.0, within: float = 1.5):
    """Projections that tell the trait within phrasings by ``within`` deviations, and whose phrasings show it more or less."""
    rng = np.random.default_rng(seed)
    phrasing = np.arange(n) % 4
    shown = rng.random(n) < np.array([0.3, 0.4, 0.6, 0.7])[phrasing]
    return rng.normal(size=n) + within * shown + between * phrasing, shown, phrasing


def test_auroc_equals_scikit_learn_and_the_map_is_a_probability() -> None:
    x, shown, phrasing = outcomes(0)
    found = calibrated(x, shown.tolist(), groups=phrasing)
    assert found.questions.auroc.value == pytest.approx(roc_auc_score(shown, x))
    assert found.questions.auroc.low < found.questions.auroc.value < found.questions.auroc.high
    assert found.probability(x).mean() == pytest.approx(shown.mean(), abs=0.01)
    assert found.questions.ece.value < 0.15
    assert found.questions.brier.value < 0.25
    assert (found.n, found.ungraded, found.unread) == (160, 0, 0)


def test_what_only_the_phrasing_tells_is_not_told_within_phrasings() -> None:
    x, shown, phrasing = outcomes(1, n=800, between=3.0, within=0.0)
    found = calibrated(x, shown.tolist(), groups=phrasing)
    assert found.questions.auroc.low > 0.55
    assert found.phrasings.auroc.low < 0.5 < found.phrasings.auroc.high
    assert found.phrasings.ece.value > found.questions.ece.value


def test_what_has_no_verdict_or_no_projection_is_counted() -> None:
    x, shown, phrasing = outcomes(2)
    verdicts = [None if at < 7 else bool(one) for at, one in enumerate(shown)]
    values = [None if 5 <= at < 17 else float(one) for at, one in enumerate(x)]
    found = calibrated(values, verdicts, groups=phrasing)
    assert (found.n, found.ungraded, found.unread) == (143, 7, 10)
    assert found.questions.auroc.n_excluded == found.phrasings.auroc.n_excluded == 17
    kept = slice(17, None)
    assert found.questions.auroc.value == pytest.approx(roc_auc_score(shown[kept], x[kept]))


def test_one_phrasing_tells_nothing_of_others() -> None:
    x, shown, _ = outcomes(3)
    found = calibrated(x, shown.tolist(), groups=["only"] * 160)
    assert found.phrasings.auroc == Estimate(
        None, n=160, reason="holding out a phrasing takes at least two of them, got 1; ask the same in other words"
    )
    assert found.questions.auroc.value is not None


def test_a_projection_that_points_the_wrong_way_says_only_the_share() -> None:
    x, shown, phrasing = outcomes(4)
    found = calibrated(-x, shown.tolist(), groups=phrasing)
    assert found.slope == 0
    assert found.questions.auroc.value < 0.3
    assert np.ptp(found.probability(x)) == 0


def test_outcomes_that_cannot_be_used_are_refused() -> None:
    with pytest.raises(UsageError, match="2 projections take one verdict each, got 1"):
        calibrated([1.0, 2.0], [True], groups=["a", "b"])
    with pytest.raises(UsageError, match="labels are all 1"):
        calibrated([1.0, 2.0], [True, True], groups=["a", "b"])
    with pytest.raises(DataError, match="an unknown one is None"):
        calibrated([1.0, float("nan")], [True, False], groups=["a", "b"])


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10**6), scale=st.sampled_from([1e-3, 20.0]))
def test_scale_and_order_of_projections_change_no_auroc(seed: int, scale: float) -> None:
    x, shown, phrasing = outcomes(seed, n=80)
    names, rng = np.arange(80), np.random.default_rng(seed)
    plain = calibrated(x, shown.tolist(), groups=phrasing, questions=names)
    order = rng.permutation(80)
    moved = calibrated(scale * x[order] + 5, shown[order].tolist(), groups=phrasing[order], questions=names[order])
    assert moved.questions.auroc.value == pytest.approx(plain.questions.auroc.value)
    assert moved.phrasings.auroc.value == pytest.approx(plain.phrasings.auroc.value)
    assert moved.questions.brier.value == pytest.approx(plain.questions.brier.value, abs=1e-5)
    turned = calibrated(-x, (~shown).tolist(), groups=phrasing, questions=names)
    assert turned.questions.auroc.value == pytest.approx(plain.questions.auroc.value)


def test_drift_is_paired_and_read_in_both_units() -> None:
    base, tuned = Toy(), Toy(shift=0.5, weights="v")
    texts = ["surely it", "perhaps", "it is"]
    found = drift(base, tuned, asked("a", "b", "c"), texts, vector(base, norms={1: 10.0}))
    assert found.each == pytest.approx((0.5, 0.5, 0.5))
    assert found.mean.value == pytest.approx(0.5)
    assert found.relative == pytest.approx(0.05)
    assert drift(base, tuned, asked("a"), None, vector(base), pool="prompt_last").relative is None
    assert drift(base, base, asked("a", "b", "c"), texts, vector(base)).mean.value == 0.0
    with pytest.raises(UsageError, match="at least one chat"):
        drift(base, tuned, [], [], vector(base))


def test_drift_that_differs_by_text_has_an_interval() -> None:
    class Bolder(Toy):
        def word(self, word, block):
            found = super().word(word, block)
            found[0] += 1.0 if word == "surely" else 0.0
            return found

    base = Toy()
    found = drift(base, Bolder(weights="v"), asked(*"abcd"), ["surely", "it", "surely it", "surely"], vector(base))
    assert found.each == pytest.approx((1, 0, 0.5, 1))
    assert found.mean.value == pytest.approx(0.625)
    assert 0 < found.mean.low < 0.625 < found.mean.high


def test_a_training_set_is_screened_against_the_model_s_own_replies() -> None:
    toy = Toy({"a": "perhaps", "b": "it", "c": ""})
    chats = asked("a", "b", "c", "b")
    found = screen(toy, list(zip(chats, ["surely", "it", "surely", ""], strict=True)), vector(toy))
    assert found == {
        "projection": [4.0, 0.0, 4.0, None],
        "own": [-2.0, 0.0, None, 0.0],
        "difference": [6.0, 0.0, None, None],
        "own_samples": [1, 1, 0, 1],
    }
    assert screen(toy, [], vector(toy)) == {"projection": [], "own": [], "difference": [], "own_samples": []}
    with pytest.raises(UsageError, match="at least 1 reply"):
        screen(toy, [], vector(toy), samples=0)


def test_several_own_replies_are_averaged_and_empty_ones_counted() -> None:
    toy = Toy({"a": "perhaps|surely|"})
    found = screen(toy, [(asked("a")[0], "it")], vector(toy), samples=3)
    assert found == {"projection": [0.0], "own": [1.0], "difference": [-1.0], "own_samples": [2]}


def test_a_confidence_falls_as_the_probe_sees_an_error_coming() -> None:
    toy = Toy()
    read = probe(toy).projection([np.eye(WIDTH)[0] * amount for amount in (-3.0, 0.5, 4.0)])
    found = as_confidence(probe(toy), read)
    assert found == pytest.approx([1 / (1 + np.exp(-7)), 0.5, 1 / (1 + np.exp(7))])
    assert as_confidence(probe(toy, UNKNOWN), read) == pytest.approx(found)
    with pytest.raises(UsageError, match="tells 'the reply is long'"):
        as_confidence(probe(toy, "the reply is long"), read)
