"""The contract of design/optimisation.md, for every update rule in every precision."""

import copy
import math
from collections.abc import Container, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, NamedTuple, get_args

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from uumamba.core.errors import NotFiniteError
from uumamba.core.labels import LabelSet
from uumamba.losses.segmentation import LossSettings
from uumamba.optim.optimizers import AdamWSettings, SGDSettings
from uumamba.optim.plain import PlainSettings
from uumamba.optim.rules import RuleSettings
from uumamba.optim.sharpness_aware import SharpnessAwareSettings
from uumamba.optim.step import Precision, Rule, Step

AnyRule = PlainSettings | SharpnessAwareSettings
SGD = SGDSettings(momentum=0.9)
MEMBERS = get_args(get_args(RuleSettings)[0])
VARIANTS: list[AnyRule] = [
    *(member() for member in MEMBERS),
    SharpnessAwareSettings(adaptive=True, rho=0.5),
    SharpnessAwareSettings(synchronise_ascent=True),
    SharpnessAwareSettings(rho_schedule="cosine", rho_end=0.01),
]

every_rule = pytest.mark.parametrize("settings", VARIANTS, ids=str)
every_precision = pytest.mark.parametrize("precision", get_args(Precision))
either_kind = pytest.mark.parametrize("kind", ["loss", "gradient"])


class Value(NamedTuple):
    """A loss as an objective returns it."""

    total: Tensor
    terms: dict[str, Tensor]


class Batch(NamedTuple):
    """A regression batch."""

    x: Tensor
    y: Tensor


class Network(nn.Module):
    """Convolutions with dropout, running statistics and a parameter that only the first evaluation may reach."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(1, 4, 3, padding=1),
            nn.BatchNorm2d(4),
            nn.LeakyReLU(0.01),
            nn.Dropout(0.5),
            nn.Conv2d(4, 1, 3, padding=1),
        )
        self.sometimes = nn.Parameter(torch.full((1,), 0.3))
        self.use_sometimes = True

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, 1, y, x) to the same shape."""
        out: Tensor = self.body(x)
        return out + self.sometimes if self.use_sometimes else out


class LearnedLoss(nn.Module):
    """Squared error with a learned weight; records losses and weights, and can fail at chosen evaluations.

    `spoil_at`: the loss is infinite. `poison_at`: the loss is finite, the gradient of the network's output is not.
    """

    def __init__(self) -> None:
        super().__init__()
        self.s = nn.Parameter(torch.zeros(()))
        self.totals: list[float] = []
        self.seen: list[dict[str, Tensor]] = []
        self.raise_at = self.drop_at = -1
        self.spoil_at: Container[int] = ()
        self.poison_at: Container[int] = ()

    def evaluate(self, model: nn.Module, batch: Batch) -> Value:
        """The objective."""
        index = len(self.totals)
        model.use_sometimes = index != self.drop_at
        self.seen.append({name: value.detach().clone() for name, value in model.state_dict().items()})
        output = model(batch.x).float()
        if index in self.poison_at:
            output.register_hook(lambda gradient: gradient * math.nan)
        error = functional.mse_loss(output, batch.y)
        total = 0.5 * torch.exp(-self.s) * error + functional.softplus(self.s)
        total = total * (math.inf if index in self.spoil_at else 1.0)
        self.totals.append(total.item())
        if index == self.raise_at:
            raise RuntimeError("a pass fails")
        return Value(total, {"error": error.detach()})


class Run:
    """A network, its loss, optimizer and step, all from one seed."""

    def __init__(
        self,
        precision: Precision = "fp32",
        optimizer: SGDSettings | AdamWSettings = SGD,
        **options: Any,
    ) -> None:
        torch.manual_seed(5)
        self.model = Network()
        self.loss = LearnedLoss()
        self.optimizer = optimizer.build(self.model, self.loss)
        self.step = Step(self.model, self.optimizer, {"task": self.loss.evaluate}, precision=precision, **options)
        self.step.progress = 0.5

    def spoil(self, kind: str, evaluations: Container[int]) -> None:
        """Plant a non-finite loss, or a non-finite gradient of a finite loss."""
        setattr(self.loss, {"loss": "spoil_at", "gradient": "poison_at"}[kind], evaluations)

    def state(self) -> dict[str, Tensor]:
        """Weights, running statistics and s, copied."""
        return {name: value.clone() for name, value in (self.model.state_dict() | self.loss.state_dict()).items()}


def draw(seed: int = 0) -> Batch:
    random = torch.Generator().manual_seed(seed)
    return Batch(torch.randn(3, 1, 6, 6, generator=random), torch.randn(3, 1, 6, 6, generator=random))


def evaluations(settings: AnyRule) -> int:
    """How often the rule evaluates one micro-batch."""
    run = Run()
    run.step(settings.build(), [draw()])
    return len(run.loss.totals)


def assert_bitwise(first: dict[str, Tensor], second: dict[str, Tensor]) -> None:
    assert first.keys() == second.keys()
    different = [name for name in first if not torch.equal(first[name], second[name])]
    assert different == []


def test_walk_finds_the_rules() -> None:
    """All members of the union, each by its own name."""
    assert [member().name for member in MEMBERS] == ["plain", "sharpness_aware"]
    assert [evaluations(settings) for settings in VARIANTS] == [1, 2, 2, 2, 2]


@every_rule
@every_precision
def test_steps_lower_the_loss(settings: AnyRule, precision: Precision) -> None:
    """Twenty steps on one batch, no step skipped, parameters in place."""
    run = Run(precision)
    storage = [parameter.data_ptr() for parameter in run.model.parameters()]
    rule, batch = settings.build(), draw()
    outcomes = [run.step(rule, [batch]) for _ in range(20)]
    assert not any(outcome.skipped for outcome in outcomes[-10:])
    assert sum(o.loss for o in outcomes[-5:]) < sum(o.loss for o in outcomes[:5])
    assert [parameter.data_ptr() for parameter in run.model.parameters()] == storage
    assert all(parameter.dtype == torch.float32 and parameter.grad is None for parameter in run.model.parameters())
    assert run.loss.s != 0


@every_rule
@every_precision
@pytest.mark.parametrize("evaluation", [0, 1])
def test_base_point_returns_if_a_pass_raises(settings: AnyRule, precision: Precision, evaluation: int) -> None:
    """Bitwise, running statistics of the failed pass aside if it stood at the base point."""
    if evaluation >= evaluations(settings):
        return
    run = Run(precision)
    before = run.state()
    run.loss.raise_at = evaluation
    with pytest.raises(RuntimeError, match="a pass fails"):
        run.step(settings.build(), [draw()])
    weights = dict(run.model.named_parameters()) | dict(run.loss.named_parameters())
    assert_bitwise({n: p.detach() for n, p in weights.items()}, {n: before[n] for n in weights})
    assert all(parameter.grad is None for parameter in weights.values())


@every_rule
@every_precision
@pytest.mark.parametrize("evaluation", [0, 1])
def test_parameter_without_gradient_in_one_pass(settings: AnyRule, precision: Precision, evaluation: int) -> None:
    """It takes the gradient that the last pass gave, or stays bitwise; its perturbation never stays."""
    if evaluation >= evaluations(settings):
        return
    run = Run(precision)
    run.loss.drop_at = evaluation
    before = run.state()
    assert not run.step(settings.build(), [draw()]).skipped
    stays = evaluation == evaluations(settings) - 1
    assert torch.equal(run.model.sometimes, before["sometimes"]) == stays


@every_rule
@every_precision
@either_kind
@pytest.mark.parametrize("evaluation", range(4))
def test_non_finite_evaluation_skips_everything(
    settings: AnyRule, precision: Precision, kind: str, evaluation: int
) -> None:
    """In either pass of either micro-batch: weights, running statistics, momentum and s stay bitwise.

    The skip is counted; the next step is normal.
    """
    if evaluation >= 2 * evaluations(settings):
        return
    run = Run(precision)
    rule = settings.build()
    run.step(rule, [draw()])
    planted = len(run.loss.totals) + evaluation
    run.spoil(kind, {planted})
    before, momentum = run.state(), copy.deepcopy(run.optimizer.state_dict())
    outcome = run.step(rule, [draw(1), draw(2)])
    assert outcome.skipped
    assert math.isfinite(run.loss.totals[planted]) == (kind == "gradient")
    assert_bitwise(run.state(), before)
    for old, new in zip(momentum["state"].values(), run.optimizer.state_dict()["state"].values(), strict=True):
        assert torch.equal(old["momentum_buffer"], new["momentum_buffer"])
    assert (run.step.skipped, run.step.skipped_in_a_row) == (1, 1)
    assert not run.step(rule, [draw(3)]).skipped
    assert (run.step.skipped, run.step.skipped_in_a_row) == (1, 0)


@every_rule
@every_precision
@either_kind
def test_gives_up_after_many_skips_in_a_row(settings: AnyRule, precision: Precision, kind: str) -> None:
    """A good step in between starts the count anew; the error says what happened and what to do.

    The weights are those of the last good step.
    """
    run = Run(precision, skip_limit=3)
    rule = settings.build()

    def spoilt() -> bool:
        run.spoil(kind, range(1000))
        return run.step(rule, [draw()]).skipped

    assert all(spoilt() for _ in range(2))
    run.spoil(kind, ())
    assert not run.step(rule, [draw(1)]).skipped
    last_good = run.state()
    assert all(spoilt() for _ in range(2))
    loss = {"loss": "inf", "gradient": r"\d.*"}[kind]
    message = (
        rf"stopped: 3 steps in a row .*\(last loss {loss}, gradient norm nan, {precision}.*lower the learning rate"
    )
    with pytest.raises(NotFiniteError, match=message):
        spoilt()
    assert run.step.skipped == 5
    assert_bitwise(run.state(), last_good)


@every_rule
@every_precision
def test_random_state_is_shared_and_advances_once(settings: AnyRule, precision: Precision) -> None:
    """The dropout masks of one micro-batch agree, so with rho 0 its losses do; the stream moves as by one pass."""
    run, reference = Run(precision), Run(precision)
    still = (
        settings.model_copy(update={"rho": 0.0, "rho_end": 0.0})
        if isinstance(settings, SharpnessAwareSettings)
        else settings
    )
    torch.manual_seed(9)
    run.step(still.build(), [draw(0), draw(1)])
    stream = torch.get_rng_state()
    torch.manual_seed(9)
    reference.step(PlainSettings().build(), [draw(0), draw(1)])
    assert torch.equal(stream, torch.get_rng_state())
    count = evaluations(settings)
    assert run.loss.totals[:: max(count, 1)] == run.loss.totals[count - 1 :: max(count, 1)]
    assert run.loss.totals[0] != run.loss.totals[-1]


@every_rule
@every_precision
def test_running_statistics_see_only_the_base_point(settings: AnyRule, precision: Precision) -> None:
    """One update per micro-batch, and the plain rule's."""
    run, reference = Run(precision), Run(precision)
    torch.manual_seed(9)
    run.step(settings.build(), [draw()])
    torch.manual_seed(9)
    reference.step(PlainSettings().build(), [draw()])
    assert_bitwise(dict(run.model.named_buffers()), dict(reference.model.named_buffers()))


@every_rule
@every_precision
def test_logged_loss_is_the_clean_one(settings: AnyRule, precision: Precision) -> None:
    """The mean over the micro-batches of each one's first evaluation, and its terms."""
    run = Run(precision)
    outcome = run.step(settings.build(), [draw(0), draw(1)])
    clean = run.loss.totals[:: evaluations(settings)]
    assert outcome.loss == pytest.approx(sum(clean) / 2)
    assert outcome.terms["error"] > 0
    assert outcome.gradient_norm > 0


@every_rule
@every_precision
def test_only_the_model_is_perturbed(settings: AnyRule, precision: Precision) -> None:
    """All weights move for the second evaluation; s has its gradient from the rule, and does not move in between."""
    run = Run(precision)
    values: list[float] = []
    inner = run.loss.evaluate

    def record(model: nn.Module, batch: Batch) -> Value:
        values.append(run.loss.s.item())
        return inner(model, batch)

    run.step.objectives["task"] = record
    run.step(settings.build(), [draw()])
    assert len(set(values)) == 1
    if len(values) == 2:
        first, second = run.loss.seen
        weights = [name for name, _ in run.model.named_parameters() if name != "body.0.bias"]
        assert not any(torch.equal(first[name], second[name]) for name in weights)


@every_rule
@every_precision
def test_micro_batches_are_averaged(settings: AnyRule, precision: Precision) -> None:
    """The same micro-batch twice is the micro-batch once; different ones give the mean of their gradients."""
    rule = settings.build()
    gradients = []
    for batches in ([draw(0)], [draw(1)], [draw(0), draw(1)]):
        run = Run(precision, clip_norm=math.inf)
        run.model.eval()
        kept = _gradients_at_the_optimizer(run)
        run.step(rule, batches)
        gradients.append(kept)
    first, second, both = gradients
    for name in both:
        torch.testing.assert_close(both[name], (first[name] + second[name]) / 2, rtol=1e-4, atol=1e-6)


@every_rule
@every_precision
def test_clipping_bounds_the_final_gradient(settings: AnyRule, precision: Precision) -> None:
    """The model's norm falls to the bound, its direction stays; s does not count."""
    rule = settings.build()
    free, bound = Run(precision, clip_norm=math.inf), Run(precision, clip_norm=0.01)
    kept_free, kept_bound = _gradients_at_the_optimizer(free), _gradients_at_the_optimizer(bound)
    torch.manual_seed(9)
    outcome = free.step(rule, [draw()])
    torch.manual_seed(9)
    assert bound.step(rule, [draw()]).gradient_norm == outcome.gradient_norm > 0.01
    names = [name for name, _ in free.model.named_parameters()]
    norm = torch.cat([kept_bound[name].flatten() for name in names]).norm()
    assert norm.item() == pytest.approx(0.01, rel=1e-3)
    for name in names:
        expected = kept_free[name] * 0.01 / outcome.gradient_norm
        torch.testing.assert_close(kept_bound[name], expected, rtol=1e-3, atol=1e-8)


@every_rule
@every_precision
def test_resume_equals_continue(settings: AnyRule, precision: Precision) -> None:
    """Four steps in one go, or two, all states into new objects, two: bitwise equal."""
    rule = settings.build()
    straight = Run(precision)
    for seed in range(2):
        straight.step(rule, [draw(seed)])
    saved = copy.deepcopy(
        [part.state_dict() for part in (straight.model, straight.loss, straight.optimizer, straight.step)]
    )
    stream = torch.get_rng_state()
    resumed = Run(precision)
    for part, state in zip((resumed.model, resumed.loss, resumed.optimizer, resumed.step), saved, strict=True):
        part.load_state_dict(state)
    ends = []
    for run in (straight, resumed):
        torch.set_rng_state(stream)
        for seed in range(2, 4):
            run.step(rule, [draw(seed)])
        ends.append(run.state())
    assert_bitwise(*ends)
    assert straight.step.state_dict() == resumed.step.state_dict()


@every_rule
def test_views_of_weights_stay_views(settings: AnyRule) -> None:
    """Storage is never rebound, so a view taken before training shows the trained weights."""
    run = Run()
    view = run.model.body[0].weight.detach()
    run.step(settings.build(), [draw()])
    assert torch.equal(view, run.model.body[0].weight)


@every_rule
@every_precision
def test_ascent_stays_local_and_the_last_evaluation_is_reduced(settings: AnyRule, precision: Precision) -> None:
    """Evaluations that are not synchronised run forward and backward inside the context; the last never does."""
    inside: list[str] = []
    events: list[tuple[str, bool]] = []

    @contextmanager
    def unsynchronised(_: nn.Module) -> Iterator[None]:
        inside.append("")
        yield
        inside.pop()

    def backward(loss: Tensor) -> None:
        events.append(("backward", bool(inside)))
        loss.backward()

    run = Run(precision, backward=backward, unsynchronised=unsynchronised)
    evaluate = run.loss.evaluate

    def record(model: nn.Module, batch: Batch) -> Value:
        events.append(("forward", bool(inside)))
        return evaluate(model, batch)

    run.step.objectives["task"] = record
    run.step(settings.build(), [draw()])
    local = isinstance(settings, SharpnessAwareSettings) and not settings.synchronise_ascent
    ascent = [("forward", local), ("backward", local)] if evaluations(settings) == 2 else []
    assert events == [*ascent, ("forward", False), ("backward", False)]


@every_precision
@pytest.mark.parametrize(
    "optimizer", [SGDSettings(), SGDSettings(momentum=0, nesterov=False), AdamWSettings()], ids=str
)
@pytest.mark.parametrize("adaptive", [False, True])
@pytest.mark.parametrize("schedule", ["constant", "linear", "cosine"])
def test_rho_zero_is_plain_bitwise(
    precision: Precision, optimizer: SGDSettings | AdamWSettings, adaptive: bool, schedule: Any
) -> None:
    """Six steps with dropout and running statistics: the base optimizer's trajectory."""
    ends = []
    for settings in (PlainSettings(), SharpnessAwareSettings(rho=0, adaptive=adaptive, rho_schedule=schedule)):
        run, rule = Run(precision, optimizer), settings.build()
        torch.manual_seed(3)
        for seed in range(6):
            run.step.progress = seed / 6
            run.step(rule, [draw(seed)])
        ends.append(run.state())
    assert_bitwise(*ends)


@every_rule
@every_precision
def test_the_losss_weights_are_trained_logged_and_saved(settings: AnyRule, precision: Precision) -> None:
    """The real loss: s moves, the log shows it, a new loss takes it over from the saved state."""
    build = partial(LossSettings().build, labels=LabelSet(names=("background", "a")), batch_dice=True, levels=1)
    model, loss, target = nn.Conv2d(1, 2, 3, padding=1), build(), [(draw().y > 0).long()]
    optimizer = SGDSettings().build(model, loss)
    step = Step(model, optimizer, {"task": lambda model, x: loss([model(x)], target)}, precision=precision)
    rule = settings.build()
    logged = [loss.weights()]
    for _ in range(3):
        outcome = step(rule, [draw().x])
        assert outcome.terms.keys() == loss.weights().keys()
        logged.append(loss.weights())
    assert all(len({weights[name] for weights in logged}) == 4 for name in logged[0])
    restored = build()
    restored.load_state_dict(loss.state_dict())
    assert restored.weights() == logged[-1]


def _gradients_at_the_optimizer(run: Run) -> dict[str, Tensor]:
    """Filled, when the optimizer acts, with the gradients it sees."""
    kept: dict[str, Tensor] = {}

    def record(*_: Any) -> None:
        named = (*run.model.named_parameters(), *run.loss.named_parameters())
        kept.update({name: parameter.grad.clone() for name, parameter in named if parameter.grad is not None})

    run.optimizer.register_step_pre_hook(record)
    return kept


def test_rule_type() -> None:
    """What settings build is callable with a step."""
    rules: list[Rule] = [settings.build() for settings in VARIANTS]
    assert all(callable(rule) for rule in rules)
