"""The detector: who decides, when it abstains, what it costs, and what it is worth on prompts that nothing was fitted on."""

import json
import threading
from pathlib import Path

import numpy as np
import pytest

from wager.detection.classifier import MODEL, Classifier, weighted
from wager.detection.cues import CUES
from wager.detection.detector import Detector, decided
from wager.detection.encoder import HEAD as HEAD_PIECES
from wager.detection.encoder import TAIL as TAIL_PIECES
from wager.detection.encoder import WIDTH, Encoder
from wager.detection.features import BUCKETS, HEAD, SHAPE_NAMES, TAIL, features, folded, part_that_is_read, words_of
from wager.detection.fit import certify, fit, predictions
from wager.detection.hints import hinted
from wager.detection.kinds import AXES, GENERAL, KINDS, SAFER
from wager.detection.labelled import add_label, refit
from wager.detection.prompts import HELD_OUT, Prompt, read_prompts, shipped, training_files
from wager.errors import DataError, OutputError, UnknownNameError, UsageError
from wager.metrics.calibration import EqualWidth, ece


@pytest.fixture(scope="module")
def detector():
    return Detector.load()


@pytest.fixture(scope="module")
def small():
    """Eight prompts of each kind, own and short."""
    files = [path for path in training_files() if path.stem in KINDS]
    prompts = [prompt for prompt in shipped(files) if len(prompt.text) < 120]
    return [prompt for kind in KINDS for prompt in [one for one in prompts if one.kind == kind][:8]]


# who decides


def test_the_client_decides_before_all_others(detector):
    found = detector.detect("Translate into French: good night", system="You are a poet.", named="debugging")
    assert (found.kind, found.by, found.probability, found.likeliest) == ("debugging", "client", None, None)
    assert found.probabilities == {}
    assert found.axes == {}


def test_the_client_may_name_general_and_nothing_unknown(detector):
    assert detector.detect("hi", named=GENERAL).kind == GENERAL
    with pytest.raises(UnknownNameError, match="no kind of task named 'debuging'; did you mean 'debugging'"):
        detector.detect("hi", named="debuging")


def test_a_plain_role_of_the_system_prompt_decides_before_the_detector(detector):
    found = detector.detect("why did stage 4 fail", system="You are a translator from English to German. Be brief.")
    assert (found.kind, found.by) == ("transform", "system prompt")
    assert found.reason == "The system prompt gives the role 'translator'."


def test_a_system_prompt_that_says_nothing_of_the_task_leaves_it_to_the_detector(detector):
    found = detector.detect("write a poem about my grandmother's garden", system="You are a helpful assistant.")
    assert (found.kind, found.by) == ("creative", "detector")


def test_a_blank_prompt_gets_the_default(detector):
    found = detector.detect(" \n\t ")
    assert (found.kind, found.by, found.probability) == (GENERAL, "default", None)


@pytest.mark.parametrize(
    ("system", "kind"),
    [
        ("You are a translator.", "transform"),
        ("you're a debugging assistant for Spark jobs", "debugging"),
        ("Act as a creative writer!", "creative"),
        ("Du bist ein Übersetzer.", "transform"),
        ("Tu es un poète.", "creative"),
        ("Eres un traductor.", "transform"),
        ("Você é um poeta.", "creative"),
        ("Ты переводчик.", "transform"),
        ("你是一名诗人。", "creative"),
        ("あなたは翻訳者です。", "transform"),
        ("You are an empathetic listener", "personal"),
        ("You are a math tutor.", "reasoning"),
        ("You are a brainstorming partner.", "brainstorm"),
    ],
)
def test_plain_roles_are_hints(system, kind):
    found = hinted(system)
    assert found is not None
    assert found[0] == kind


@pytest.mark.parametrize(
    "system",
    [
        None,
        "",
        "You are a helpful assistant.",
        "You are a poet and a translator.",
        "You are not a translator.",
        "Answer like a poet would. Today is Monday.",
        "You are ACME's assistant. Among others you help the translator team.",
        "The user is a translator.",
        "Du bist kein Übersetzer.",
        "You are poetic.",
    ],
)
def test_in_doubt_there_is_no_hint(system):
    assert hinted(system) is None


def test_signs_of_crisis_are_looked_for_whoever_decides(detector):
    text = "I want to kill myself tonight"
    for options in ({}, {"named": "creative"}, {"system": "You are a translator."}):
        assert detector.detect(text, **options).crisis is not None
    assert detector.detect("kill the process on port 80").crisis is None


# ties and abstention


def test_the_safer_of_two_equally_likely_kinds_is_taken():
    assert decided({"creative": 0.50, "personal": 0.48, "factual": 0.02}, threshold=0.3)[0] == "personal"
    assert decided({"creative": 0.51, "personal": 0.48, "factual": 0.01}, threshold=0.3)[0] == "creative"


def test_ties_go_by_the_published_order():
    even = dict.fromkeys(KINDS, 1 / len(KINDS))
    assert decided(even, threshold=0.1)[1] == SAFER[0]


def test_at_exactly_the_threshold_it_abstains():
    likely = {"creative": 0.75, "personal": 0.25}
    assert decided(likely, threshold=0.75)[:2] == (GENERAL, "creative")
    assert decided(likely, threshold=0.7499)[:2] == ("creative", "creative")


def test_what_the_detector_says_is_consistent_with_its_threshold(detector):
    held = read_prompts(HELD_OUT)[::40]
    for prompt in held:
        found = detector.detect(prompt.text)
        assert found.by == "detector"
        assert found.likeliest in KINDS
        assert (found.kind == GENERAL) == (not found.probability > detector.facts["threshold"])
        assert sum(found.probabilities.values()) == pytest.approx(1)
        assert set(found.probabilities) == set(KINDS)
        assert set(found.axes) == set(AXES)
        assert all(0 <= value <= 1 for value in found.axes.values())


def test_certificate_by_hand():
    # 100 prompts, the 70 surest right, the others wrong. The first test has 30 prompts, all right: bound .05 ** (1 / 30) = .905, so that
    # .91 and more fail and .90 does not. It goes on until 70 of 73 are right, of which the bound is .897; 70 of 72 have .915.
    sure = np.linspace(1, 0.01, 100)
    found = certify(np.arange(100) < 70, sure)
    assert found is not None
    assert (found.accuracy, found.n, found.coverage) == (0.9, 72, 0.72)
    assert found.bound == pytest.approx(0.915, abs=0.001)
    assert np.count_nonzero(sure > found.threshold) == 72


def test_nothing_is_certified_for_a_detector_that_guesses():
    rng = np.random.default_rng(1)
    assert certify(rng.random(400) < 0.5, rng.random(400)) is None


def test_the_packaged_threshold_is_certified(detector):
    facts = detector.facts
    assert facts["certified_accuracy"] >= 0.9
    assert facts["bound"] >= facts["certified_accuracy"]
    assert facts["n"] == round(facts["coverage"] * facts["prompts"])
    assert 0 < facts["threshold"] < 1
    with pytest.raises(TypeError):
        facts["threshold"] = 0


# cost and hostile input


@pytest.mark.parametrize("length", [3_000, 200_000])
def test_only_a_bounded_part_is_read(length):
    text = "x" * HEAD + "y" * length + "z" * TAIL
    part = part_that_is_read(text)
    assert part == "x" * HEAD + "\n" + "z" * TAIL
    assert sum(map(len, features(text).hashed)) < 5 * (HEAD + TAIL)


def test_normalising_cannot_make_a_text_longer_than_what_is_read():
    assert len(folded(part_that_is_read("\ufdfa" * 2000))) == HEAD + TAIL + 1  # one character that stands for eighteen


def test_the_encoder_sees_a_bounded_number_of_pieces(detector):
    assert len(detector.encoder.rows("a b c " * 5000)) <= HEAD_PIECES + TAIL_PIECES
    assert len(detector.encoder.rows("語" * 5000)) <= HEAD_PIECES + TAIL_PIECES


def test_the_encoder_remembers_a_bounded_number_of_words():
    encoder = Encoder.load()
    for number in range(0, 25_000, 50):
        encoder.rows(" ".join(f"w{one}" for one in range(number, number + 50))[:300])
    assert len(encoder.remembered) <= 20_000


HOSTILE = {
    "ten megabytes": "ERROR executor lost " * 500_000,
    "ten megabytes without a blank": "a" * 10_000_000,
    "NULs": "\x00" * 5000,
    "half surrogates": "\ud800 why \udfff",
    "combining marks": "e" + "\u0301" * 100_000,
    "right to left": "\u202e\u2066 fail \u2069" * 500,
    "one letter": "x",
    "only marks": "?!?!.,;" * 300,
    "blank within": "\u200b\u200d",
    "quotes": "'\"`" * 5000,
    "spaces for the regular expressions": ("dear" + " " * 3000 + "\t") * 3,
    "opening quotation marks": "\u00ab" * 5000,
    "lines without letters": "a" + "\n" * 5000 + "a",
    "one long path": "/" + "a" * 5000,
    "commas": "," * 20_000,
    "markup": "<script>alert(1)</script>" * 200,
    "emoji": "😀" * 3000,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_texts_are_detected_like_any_other(detector, name):
    found = detector.detect(HOSTILE[name])
    assert found.kind in (*KINDS, GENERAL)
    assert found.probability is None or 0 <= found.probability <= 1


def test_text_never_becomes_a_reason(detector):
    found = detector.detect("<b>why</b> did it fail", system="You are a <script>poet</script>")
    assert "<" not in found.reason


# features


def test_words_of_all_scripts_are_found():
    assert words_of(folded("Don’t STOP, été Straße")) == ["don't", "stop", ",", "été", "strasse"]
    assert words_of("मेरी नौकरी") == ["मेरी", "नौकरी"]


def test_hashed_features_stay_within_their_buckets():
    for block in features("Why did stage 4 fail? 为什么失败").hashed:
        assert block.min() >= 0
        assert block.max() < BUCKETS


def test_digits_are_alike():
    one, other = features("task 377 failed"), features("task 912 failed")
    assert all(np.array_equal(a, b) for a, b in zip(one.hashed, other.hashed, strict=True))


def test_cues_fire_in_other_languages_and_by_place():
    groups = list(CUES)
    early, often, late = features("ein Gedicht über den Stau auf der langen langen Straße nach Hause von der Arbeit gestern").cues.reshape(
        3, -1
    )
    at = groups.index("artwork")
    assert early[at] == pytest.approx(1 / (1 + 1 / 6))  # the second word
    assert often[at] == pytest.approx(np.log(2))
    assert late[at] == 0
    assert features("写一首诗").cues.reshape(3, -1)[0, at] > 0
    assert features("the poetry").cues.reshape(3, -1)[2, at] == 1  # a stem, within the last words


def test_shape_has_a_number_for_each_name():
    found = features("ERROR 12:00:01 failed\n```\ncode\n```")
    shape = dict(zip(SHAPE_NAMES, found.shape, strict=True))
    assert shape["code fence"] == pytest.approx(np.log(3))
    assert shape["timestamp"] == pytest.approx(np.log(2))
    assert shape["log lines"] == pytest.approx(np.log(5) / 2)


def test_unknown_buckets_weigh_nothing_and_known_ones_have_length_one():
    rows = np.full(BUCKETS, -1, dtype=np.int32)
    rows[[5, 9]] = 0, 1
    columns, values = weighted(np.array([5, 5, 7, 9]), rows, np.array([1.0, 2.0], dtype=np.float32))
    assert columns.tolist() == [0, 1]
    raw = np.array([1 + np.log(2), 2.0])
    assert values == pytest.approx(raw / np.hypot(*raw))
    assert len(weighted(np.array([7]), rows, np.array([1.0, 2.0], dtype=np.float32))[0]) == 0


def test_the_encoder_knows_what_is_alike_across_languages(detector):
    def meaning(text):
        found = detector.encoder.encode(folded(text))
        assert found.shape == (WIDTH,)
        return found[:512]

    english, german, other = (
        meaning("my dog died yesterday"),
        meaning("mein Hund ist gestern gestorben"),
        meaning("compile the linux kernel"),
    )
    assert english @ german > english @ other + 0.2


def test_a_text_without_any_known_piece_is_encoded(detector):
    assert np.isfinite(detector.encoder.encode("\x01\x02")).all()
    assert np.isfinite(detector.encoder.encode("")).all()


# files


def test_prompt_files_tell_file_and_line(tmp_path):
    path = tmp_path / "own.jsonl"
    good = '{"kind": "factual", "text": "capital of peru"}\n'
    for bad, message in [
        ("not json", "not a line of JSON"),
        ("[]", "must be an object"),
        ('{"kind": "facts", "text": "x"}', "no kind named 'facts'"),
        ('{"kind": "factual", "text": " "}', "'text' must be a text that is not blank"),
        ('{"kind": "factual"}', "'text' must be a text"),
        ('{"kind": "factual", "text": "x", "axes": ["stake"]}', "no axis named 'stake'"),
        ('{"kind": "factual", "text": "x", "axes": "stakes"}', "'axes' must be a list"),
        ('{"kind": "factual", "text": "x", "label": 1}', "unknown key 'label'"),
        ('{"kind": "factual", "text": "x", "mix": 1}', "'mix' must be true or false"),
        ('{"kind": "factual", "text": "\\ud800"}', "half a surrogate"),
    ]:
        path.write_text(good + bad + "\n", encoding="utf-8")
        with pytest.raises(DataError, match=rf"own\.jsonl:2: .*{message}"):
            read_prompts(path)
    path.write_bytes(b"\n" + good.encode() + b'{"kind": "factual", "text": "\xff"}')
    with pytest.raises(DataError, match=r"own\.jsonl:3: not a line of JSON in UTF-8"):
        read_prompts(path)
    with pytest.raises(DataError, match="cannot read"):
        read_prompts(tmp_path / "absent.jsonl")


def test_ids_must_differ(tmp_path):
    path = tmp_path / "own.jsonl"
    path.write_text('{"id": "a", "kind": "factual", "text": "x"}\n' * 2)
    with pytest.raises(DataError, match="'a' stand there more than once"):
        read_prompts(path)


def test_shipped_prompts_are_many_unlike_and_apart_from_the_held_out_ones():
    train, held = shipped(), read_prompts(HELD_OUT)
    assert HELD_OUT not in training_files()
    assert min(sum(prompt.kind == kind for prompt in train) for kind in KINDS) >= 150
    assert len({prompt.text for prompt in train}) == len(train)
    assert not {prompt.text.strip().casefold() for prompt in train} & {prompt.text.strip().casefold() for prompt in held}
    assert len({prompt.language for prompt in train}) >= 10
    assert sum(prompt.mix for prompt in train) >= 100


def test_labels_are_appended_by_many_at_once(tmp_path):
    path = tmp_path / "deep" / "own.jsonl"
    writers = [threading.Thread(target=add_label, args=(path, f"prompt {number}\nof two lines", "factual")) for number in range(20)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    found = read_prompts(path)
    assert sorted(prompt.text for prompt in found) == sorted(f"prompt {number}\nof two lines" for number in range(20))
    assert not any(prompt.axes_known for prompt in found)


def test_a_label_after_an_unfinished_line_starts_its_own(tmp_path):
    path = tmp_path / "own.jsonl"
    path.write_text('{"kind": "factual", "text": "no end of line"}')
    add_label(path, "übersetze das", "transform", axes=["evidence"])
    assert [(prompt.kind, prompt.axes) for prompt in read_prompts(path)] == [("factual", ()), ("transform", ("evidence",))]


def test_a_wrong_label_is_refused_before_anything_is_written(tmp_path):
    path = tmp_path / "own.jsonl"
    with pytest.raises(DataError, match="no kind named 'fact'"):
        add_label(path, "x", "fact")
    with pytest.raises(DataError, match="must be a text that is not blank"):
        add_label(path, " ", "factual")
    assert not path.exists()
    with pytest.raises(OutputError, match="cannot add an example"):
        add_label(tmp_path, "x", "factual")


# fitting


def test_weights_survive_their_file(tmp_path, detector):
    detector.classifier.save(tmp_path / "model.npz")
    again = Detector.load(tmp_path / "model.npz")
    for text in ("why did stage 4 fail", "schreib ein Gedicht", "x"):
        one, other = detector.detect(text), again.detect(text)
        assert one.probabilities == pytest.approx(other.probabilities)
        assert one.axes == pytest.approx(other.axes)
    assert dict(again.facts) == dict(detector.facts)


def test_damaged_weights_are_one_line(tmp_path):
    path = tmp_path / "model.npz"
    for damage in (b"", b"not a zip file", MODEL.read_bytes()[:5000]):
        path.write_bytes(damage)
        with pytest.raises(DataError, match="the detector's weights at"):
            Classifier.load(path)
    with pytest.raises(DataError, match="the detector's weights at"):
        Classifier.load(tmp_path / "absent.npz")


def test_weights_hold_no_pickled_objects():
    for path in (MODEL, MODEL.with_name("encoder.npz")):
        with np.load(path, allow_pickle=False) as data:
            assert all(data[name].dtype != object for name in data.files)


def test_fitting_is_deterministic_and_learns(small, detector):
    one, other = fit(small, encoder=detector.encoder), fit(small, encoder=detector.encoder)
    assert np.array_equal(one.kinds, other.kinds)
    assert np.array_equal(one.classifier.dense, other.classifier.dense)
    kinds, _ = predictions(one.classifier, small, detector.encoder)
    said = [list(KINDS)[number] for number in kinds.argmax(axis=1)]
    assert np.mean([a == prompt.kind for a, prompt in zip(said, small, strict=True)]) >= 0.95  # its own training prompts
    assert one.kinds.argmax(axis=1).tolist() != [0] * len(small)


def test_a_kind_without_prompts_cannot_be_fitted(small, detector):
    with pytest.raises(UsageError, match="fewer of smalltalk"):
        fit([prompt for prompt in small if prompt.kind != "smalltalk"], encoder=detector.encoder)


def test_own_examples_are_learnt(tmp_path, small):
    own, output = tmp_path / "own.jsonl", tmp_path / "model.npz"
    for number in range(6):
        add_label(own, f"zork the {['frob', 'quux', 'blip', 'wump', 'plugh', 'xyzzy'][number]} widget", "transform")
    found = refit(own, output, force=True, base=small)
    assert (found.own, found.shipped, found.installed) == (6, len(small), True)
    assert Detector.load(output).detect("zork the grue widget").likeliest == "transform"


def test_worse_weights_are_refused_unless_forced(tmp_path, small):
    own, output = tmp_path / "own.jsonl", tmp_path / "model.npz"
    for prompt in small:
        add_label(own, prompt.text + " ", "smalltalk" if prompt.kind != "smalltalk" else "factual")
    found = refit(own, output, base=small)
    assert not found.installed
    assert not output.exists()
    assert found.reason.startswith("Not written: right for ")
    assert refit(own, output, base=small, force=True).installed
    assert output.exists()


def test_refit_needs_examples_and_another_path(tmp_path):
    own = tmp_path / "own.jsonl"
    own.write_text("")
    with pytest.raises(DataError, match="no examples yet"):
        refit(own, tmp_path / "model.npz")
    with pytest.raises(UsageError, match="give another path"):
        refit(own, own)


def test_axes_that_nobody_labelled_teach_nothing(small, detector):
    blind = [Prompt(text=prompt.text, kind=prompt.kind, axes_known=False) for prompt in small]
    found = fit([*small, *[Prompt(text=one.text + " .", kind=one.kind, axes_known=False) for one in blind]], encoder=detector.encoder)
    rates = found.axes.mean(axis=0)
    truth = [np.mean([axis in prompt.axes for prompt in small]) for axis in AXES]
    assert np.abs(rates - truth).max() < 0.12


# what it is worth


@pytest.fixture(scope="module")
def held(detector):
    prompts = read_prompts(HELD_OUT)
    kinds, _ = predictions(detector.classifier, prompts, detector.encoder)
    return prompts, kinds


def test_accuracy_on_held_out_prompts(held):
    prompts, kinds = held
    plain = np.array([not prompt.mix for prompt in prompts])
    right = kinds.argmax(axis=1) == [list(KINDS).index(prompt.kind) for prompt in prompts]
    assert plain.sum() == 400
    assert right[plain].mean() >= 0.9


def test_the_surest_are_right_and_the_probabilities_calibrated(held):
    prompts, kinds = held
    plain = np.array([not prompt.mix for prompt in prompts])
    right = (kinds.argmax(axis=1) == [list(KINDS).index(prompt.kind) for prompt in prompts])[plain]
    sure = kinds.max(axis=1)[plain]
    surest = np.argsort(-sure, kind="stable")[:340]
    assert right[surest].mean() >= 0.95
    assert ece(right, sure, bins=EqualWidth(15)).value <= 0.05


def test_what_is_above_the_threshold_is_as_right_as_certified(held, detector):
    prompts, kinds = held
    right = kinds.argmax(axis=1) == [list(KINDS).index(prompt.kind) for prompt in prompts]
    above = kinds.max(axis=1) > detector.facts["threshold"]
    assert above.mean() > 0.4
    assert right[above].mean() >= detector.facts["certified_accuracy"] - 0.03


def test_spark_logs_are_shown_to_a_debugger(detector, data: Path):
    lines = (data / "logs" / "spark_2k.log").read_text(encoding="utf-8", errors="replace").splitlines()
    found = detector.detect("what went wrong here?\n" + "\n".join(lines[:30]))
    assert found.likeliest == "debugging"
    assert found.axes["evidence"] > 0.5


def test_facts_are_plain_json(detector):
    assert json.loads(json.dumps(dict(detector.facts)))["prompts"] == len(shipped())
