"""The trained floor: learners on one world, measured as training goes on, kept and taken up again."""

import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from conftest import heed_signals
from wager.errors import DataError, MissingExtraError, OutputError, UnknownNameError, UsageError
from wager.theory.results import Checkpoint, TrainedFloor
from wager.training import Shape, moments, train_floor
from wager.training.births import births, draw
from wager.training.keeping import FILE
from wager.training.transformer import Trainer

torch = pytest.importorskip("torch")

SHAPE = Shape(width=32, heads=2, layers=1, batch=64, rate=0.01, warm_up=20)
SHORT = {"people": 400, "samples": 300, "epochs": 4, "shape": SHAPE, "learners": ("n-gram", "transformer")}


def short(**changes: object) -> TrainedFloor:
    return train_floor(**{**SHORT, **changes})  # type: ignore[arg-type]


def bare(floor: TrainedFloor) -> TrainedFloor:
    """Without the seconds, which no two runs share."""
    return replace(floor, about={name: value for name, value in floor.about.items() if name != "CPU seconds"})


def of(floor: TrainedFloor, learner: str) -> list[Checkpoint]:
    return [one for one in floor.checkpoints if one.learner == learner]


@pytest.fixture(scope="module")
def tiny() -> TrainedFloor:
    return train_floor(people=2_000, samples=1_500, epochs=14, shape=SHAPE)


@pytest.fixture(scope="module")
def whole() -> TrainedFloor:
    return bare(short())


# what is measured


def test_no_learner_is_below_theorem_1_at_any_moment(tiny: TrainedFloor) -> None:
    for one in tiny.checkpoints:
        assert one.error >= one.bound - 1e-9, one
        assert one.bound == pytest.approx(2 * one.misclassified - 2 / 364 - one.delta, abs=1e-12)


def test_the_parts_of_the_error_add_up(tiny: TrainedFloor) -> None:
    for one in tiny.checkpoints:
        assert None not in (one.error_unseen, one.error_once, one.error_often)
        assert (one.error_unseen or 0) + (one.error_once or 0) + (one.error_often or 0) == pytest.approx(one.error)


def test_the_transformer_learns_what_it_saw_and_goes_on_erring_on_what_it_did_not(tiny: TrainedFloor) -> None:
    first, last = of(tiny, "transformer")[0], of(tiny, "transformer")[-1]
    assert (first.step, last.epochs) == (0, 14)
    assert (last.loss or 9) < 0.2 * (first.loss or 0)
    assert (last.error_once or 1) < 0.35 * (first.error_once or 0)
    assert (last.error_often or 1) < 0.2 * (first.error_often or 0)
    assert last.error_unseen == pytest.approx(tiny.missing_mass, abs=0.04)


def test_past_memorising_the_transformer_is_no_longer_calibrated_and_the_calibrated_learners_are(tiny: TrainedFloor) -> None:
    assert of(tiny, "transformer")[-1].delta > 0.25
    assert of(tiny, "transformer")[-1].delta > 3 * of(tiny, "transformer")[1].delta
    assert of(tiny, "memoriser")[0].delta == pytest.approx(0, abs=1e-12)
    assert of(tiny, "n-gram")[0].delta < 0.1


def test_the_floor_of_the_data_is_that_of_the_corpus(tiny: TrainedFloor) -> None:
    once = next(one for one in tiny.frequencies if one.answered == 1)
    assert tiny.singleton_rate == once.prompts / 1_500
    assert sum(one.rows for one in tiny.frequencies) == 1_500
    assert tiny.memoriser == pytest.approx(tiny.missing_mass * 364 / 365)
    assert tiny.missing_mass == pytest.approx(tiny.singleton_rate, abs=0.04)  # Good-Turing
    assert tiny.lower.terms[0].value == tiny.singleton_rate == tiny.upper.terms[0].value
    assert tiny.lower.vacuous
    assert "vacuous" in tiny.warnings[0]
    assert tiny.upper.value is not None
    assert of(tiny, "memoriser")[0].error < tiny.upper.value


def test_every_learner_has_its_calibration_at_the_end(tiny: TrainedFloor) -> None:
    assert list(tiny.bins) == ["memoriser", "n-gram", "transformer"]
    for bins in tiny.bins.values():
        assert sum(one.responses for one in bins) == 2_000 * 366
        assert sum(one.model for one in bins) == pytest.approx(1)
        assert any(one.high == pytest.approx(1 / 364) for one in bins)
    assert all(one.model == pytest.approx(one.truth) for one in tiny.bins["memoriser"])


def test_the_world_is_told_in_words(tiny: TrainedFloor) -> None:
    assert tiny.world == (
        "2,000 people with one of 365 birthdays each, named by a Zipf law with exponent 0.5; "
        '90% of the statements give the birthday, the others say "I don\'t know"'
    )
    assert "all equally often" in train_floor(people=50, samples=20, law="uniform", learners=()).world
    assert tiny.about["transformer"].startswith("1 layers, width 32, 2 heads, ")


def test_the_lower_bound_is_not_vacuous_with_the_default_sizes() -> None:
    floor = train_floor(learners=())
    assert floor.lower.value is not None
    assert not floor.lower.vacuous
    assert floor.warnings == ()
    assert 0.1 < floor.lower.value < floor.memoriser < (floor.upper.value or 0)


def test_moments_are_dense_at_first_and_end_at_the_end() -> None:
    assert moments(1, 8) == (0, 2, 4, 8)
    assert moments(1, 1) == (0, 1)
    assert [step / 100 for step in moments(30, 100)] == [0, 0.25, 0.5, 1, 1.5, 2, 3, 4, 6, 8, 11, 15, 20, 27, 30]
    assert moments(500, 10)[-1] == 5000


# the same again


def test_the_same_seed_repeats_exactly_and_another_does_not(whole: TrainedFloor) -> None:
    assert bare(short()) == whole
    assert bare(short(seed=1)).checkpoints != whole.checkpoints


def test_the_random_state_and_threads_of_the_process_are_left_alone() -> None:
    before, threads = torch.get_rng_state(), torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        short(epochs=1, threads=1)
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(threads)
    assert torch.equal(before, torch.get_rng_state())


def test_progress_hears_each_checkpoint_in_order(whole: TrainedFloor) -> None:
    heard: list[Checkpoint] = []
    short(progress=heard.append)
    assert tuple(heard) == whole.checkpoints


@pytest.mark.parametrize("stop_at", [0, 1, 4, 8, 15, 20])  # 5 updates an epoch: between epochs, within one, at the end
def test_a_stopped_run_goes_on_to_the_identical_result(whole: TrainedFloor, tmp_path: Path, stop_at: int) -> None:
    def stop(checkpoint: Checkpoint) -> None:
        if checkpoint.learner == "transformer" and checkpoint.step >= stop_at:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        short(folder=tmp_path, progress=stop)
    heard: list[Checkpoint] = []
    assert bare(short(folder=tmp_path, progress=heard.append)) == whole
    assert tuple(heard) == whole.checkpoints


def test_a_run_stopped_twice_goes_on_too(whole: TrainedFloor, tmp_path: Path) -> None:
    for updates in (3, 9):  # each life of the run dies after so many updates
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Trainer, "_update", dying(updates))
            with pytest.raises(KeyboardInterrupt):
                short(folder=tmp_path)
    assert bare(short(folder=tmp_path)) == whole


def dying(updates: int) -> object:
    left, update = [updates], Trainer._update

    def one(trainer: Trainer, rows: np.ndarray) -> None:  # type: ignore[type-arg]
        left[0] -= 1
        if left[0] < 0:
            raise KeyboardInterrupt
        update(trainer, rows)

    return one


def test_ctrl_c_in_a_real_process_loses_at_most_an_epoch(tmp_path: Path) -> None:
    sizes = {"people": 1_000, "samples": 4_000, "epochs": 40}
    code = f"from pathlib import Path; from wager.training import train_floor; train_floor(folder=Path({str(tmp_path)!r}), **{sizes})"
    child = subprocess.Popen([sys.executable, "-c", code], preexec_fn=heed_signals, stderr=subprocess.PIPE)
    until = time.monotonic() + 60
    while not (tmp_path / FILE).exists() and child.poll() is None and time.monotonic() < until:
        time.sleep(0.05)
    child.send_signal(signal.SIGINT)
    _, said = child.communicate(timeout=60)
    assert b"KeyboardInterrupt" in said
    assert [path.name for path in tmp_path.iterdir()] == [FILE]
    for _ in range(2):  # 40 epochs are long: two more lives, each ended early
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Trainer, "_update", dying(400))
            with pytest.raises(KeyboardInterrupt):
                train_floor(folder=tmp_path, **sizes)
    with np.load(tmp_path / FILE) as kept:
        assert int(kept["step"]) >= 600


def test_a_finished_folder_is_read_without_training(whole: TrainedFloor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert bare(short(folder=tmp_path)) == whole
    monkeypatch.setattr(Trainer, "_update", dying(0))
    assert bare(short(folder=tmp_path)) == whole


def test_what_is_kept_is_no_pickle(tmp_path: Path) -> None:
    short(folder=tmp_path, epochs=1)
    with np.load(tmp_path / FILE, allow_pickle=False) as kept:
        assert all(kept[name].dtype.kind in "fU" for name in kept.files)
        assert {"about", "step", "weight/word", "exp_avg/word", "exp_avg_sq/word"} <= set(kept.files)


# what is refused


def test_a_folder_of_other_settings_is_refused_by_name(tmp_path: Path) -> None:
    short(folder=tmp_path, epochs=1)
    with pytest.raises(UsageError, match=r"begun with other settings: seed 0, now 5; use the same, or another folder"):
        short(folder=tmp_path, epochs=1, seed=5)


@pytest.mark.parametrize("damage", [b"", b"not a training", b"PK\x03\x04 cut off"])
def test_a_damaged_file_is_named_and_not_overwritten(tmp_path: Path, damage: bytes) -> None:
    (tmp_path / FILE).write_bytes(damage)
    with pytest.raises(DataError, match=r"training\.npz' is not a kept training .*; remove it to start again"):
        short(folder=tmp_path, epochs=1)
    assert (tmp_path / FILE).read_bytes() == damage


def test_a_file_cut_short_is_named(tmp_path: Path) -> None:
    short(folder=tmp_path, epochs=1)
    whole_file = (tmp_path / FILE).read_bytes()
    (tmp_path / FILE).write_bytes(whole_file[: len(whole_file) // 2])
    with pytest.raises(DataError, match="is not a kept training"):
        short(folder=tmp_path, epochs=1)


def test_a_pickle_is_never_opened(tmp_path: Path) -> None:
    np.savez(tmp_path / FILE, about=np.array([{"settings": {}}], dtype=object))
    with pytest.raises(DataError, match="is not a kept training"):
        short(folder=tmp_path, epochs=1)


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="file/inside"):
        short(folder=tmp_path / "file" / "inside", epochs=1)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"epochs": 0}, "epochs is 0"),
        ({"threads": 0}, "threads is 0"),
        ({"seed": -1}, "seed is -1"),
        ({"samples": 0}, "samples is 0"),
        ({"people": 0}, "people is 0"),
    ],
)
def test_sizes_without_meaning_are_refused(change: dict[str, object], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        short(**change)


def test_a_shape_without_meaning_is_refused() -> None:
    with pytest.raises(UsageError, match="width 30 is not a multiple of heads 4"):
        Shape(width=30)
    with pytest.raises(UsageError, match="layers of the transformer is 0"):
        Shape(layers=0)


def test_an_unknown_learner_is_refused_with_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'n-gram'"):
        short(learners=("ngram",))


def test_without_torch_the_command_to_install_it_is_told_and_the_n_gram_works(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(MissingExtraError, match=r"wager floor --train needs the package 'torch': run .*wager\[training\]"):
        short()
    assert [one.learner for one in short(learners=("n-gram",)).checkpoints] == ["memoriser", "n-gram"]


# the network


def test_each_epoch_takes_every_statement_once_in_an_order_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    world = births(20, rng=np.random.default_rng(0))
    trainer = Trainer(world, draw(world, 70, rng=np.random.default_rng(1)), shape=replace(SHAPE, batch=32), seed=0)
    rows: list[list[int]] = []
    update = Trainer._update
    monkeypatch.setattr(Trainer, "_update", lambda self, taken: (rows.append(taken.tolist()), update(self, taken)))
    trainer.train_to(1)
    assert (trainer.step, trainer.steps_per_epoch) == (1, 3)
    trainer.train_to(6)
    assert [len(one) for one in rows] == [32, 32, 6, 32, 32, 6]
    first, second = [[one for batch in part for one in batch] for part in (rows[:3], rows[3:])]
    assert sorted(first) == sorted(second) == list(range(70))
    assert first != second


def test_attention_looks_back_only() -> None:
    from wager.training.transformer import _attended

    draw = torch.Generator().manual_seed(0)
    weights = {"0/attend": torch.randn(24, 8, generator=draw), "0/attended": torch.randn(8, 8, generator=draw)}
    x = torch.randn(2, 3, 8, generator=draw)
    later = x.clone()
    later[:, 2] += 1
    one, two = _attended(weights, 0, x, 2), _attended(weights, 0, later, 2)
    assert torch.equal(one[:, :2], two[:, :2])
    assert not torch.allclose(one[:, 2], two[:, 2])


def test_smaller_corpora_get_smaller_batches() -> None:
    assert [Shape.fitting(n).batch for n in (100, 15_000, 80_000, 10**6)] == [32, 100, 512, 512]
