"""Domains whose rows stay where they are: what travels, and what comes out."""

import multiprocessing
import pickle

import numpy as np
import pytest

from destructors.alignment import (
    DomainHolder,
    DomainsApart,
    GaussianBarycenter,
    MarginalBarycenter,
    SlicedBarycenter,
    TreeBarycenter,
)
from destructors.alignment import _queries as queries
from destructors.alignment._summaries import axes_apart, divergence_apart
from destructors.flows import RBIG, AlignmentFlow
from destructors.metrics import energy_coefficient


def draw(n_rows=1500, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.gamma(2.0, size=n_rows)
    theirs = np.c_[
        x, np.sin(x) + 0.3 * rng.normal(size=n_rows), rng.normal(size=n_rows)
    ]
    return rng.normal(size=(n_rows, 3)), theirs


OURS, THEIRS = draw()
LABELS = np.repeat(["a", "b"], len(OURS))


def apart(ours=OURS, theirs=THEIRS, **known):
    return DomainsApart({"a": DomainHolder(ours, **known), "b": DomainHolder(theirs)})


def pooled(model, **known):
    return model.fit(np.vstack([OURS, THEIRS]), sample_domain=LABELS, **known)


# ---------------------------------------------------------------- same as together


@pytest.mark.parametrize(
    "make",
    [
        lambda: GaussianBarycenter(learning_rate=1.0, random_state=0),
        lambda: MarginalBarycenter(learning_rate=1.0, random_state=0),
    ],
)
def test_layers_that_need_no_search_are_those_of_all_rows_together(make):
    together, alone = pooled(make()), make().fit(apart())
    for given, label in ((OURS, "a"), (THEIRS, "b")):
        labels = np.repeat([label], len(given))
        np.testing.assert_allclose(
            alone.transform(given, sample_domain=labels),
            together.transform(given, sample_domain=labels),
            rtol=1e-9,
            atol=1e-9,
        )


def test_directions_are_those_of_all_rows_together_but_for_single_precision():
    make = lambda: SlicedBarycenter(2, learning_rate=1.0, random_state=0)
    together, alone = pooled(make()), make().fit(apart())
    np.testing.assert_allclose(alone.directions_, together.directions_, atol=1e-4)
    np.testing.assert_allclose(
        alone.transform(OURS, sample_domain=LABELS[: len(OURS)]),
        together.transform(OURS, sample_domain=LABELS[: len(OURS)]),
        atol=1e-3,
    )


def test_a_flow_ends_as_near_as_one_that_sees_all_rows():
    new = np.vstack(draw(1000, 1))
    labels = np.repeat(["a", "b"], 1000)
    before = -energy_coefficient(list(draw(1000, 1)))
    settings = {"max_iter": 15, "cv": None, "random_state": 0}
    together = pooled(AlignmentFlow(**settings)).score(new, sample_domain=labels)
    flow = AlignmentFlow(**settings).fit(apart())
    alone = flow.score(new, sample_domain=labels)
    assert before < -0.02
    assert alone > together + 0.02 * before
    moved = flow.translate(new[:1000], source="a", target="b")
    back = flow.translate(moved, source="b", target="a")
    np.testing.assert_allclose(back, new[:1000], atol=1e-8)


def test_integer_weights_are_repeated_rows():
    counts = np.random.default_rng(0).integers(0, 3, len(OURS))
    make = lambda: MarginalBarycenter(learning_rate=1.0)
    weighted = make().fit(apart(sample_weight=counts))
    repeated = make().fit(apart(OURS.repeat(counts, axis=0)))
    labels = LABELS[: len(OURS)]
    np.testing.assert_allclose(
        weighted.transform(OURS, sample_domain=labels),
        repeated.transform(OURS, sample_domain=labels),
        rtol=1e-9,
    )


def test_divergence_by_slices_is_that_of_rows():
    shifts = (0.0, 0.3, 1.0, 4.0)
    found, expected = [], []
    for shift in shifts:
        parts = apart(OURS, OURS[::-1] + shift).open(2).parts_apart
        found.append(divergence_apart(parts))
        expected.append(energy_coefficient([OURS, OURS + shift]))
    assert found[0] == pytest.approx(0.0, abs=1e-6)
    # Sixteen directions, and 32 levels.
    np.testing.assert_allclose(found[1:], expected[1:], rtol=0.25)


def test_principal_axes_are_those_of_all_rows():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(800, 30)) * np.r_[9.0, 6.0, 4.0, np.full(27, 0.5)]
    parts = apart(X[:400], X[400:]).open(2).parts_apart
    found = axes_apart(parts, 3, np.random.RandomState(0))
    exact = np.linalg.svd(X - X.mean(axis=0), full_matrices=False)[2][:3].T
    assert np.linalg.svd(exact.T @ found)[1].min() > 0.999


# ---------------------------------------------------------------- what travels


class Listening:
    """A way to a holder that keeps what has passed."""

    def __init__(self, holder):
        self.holder, self.sent, self.received = holder, [], []

    def __call__(self, message):
        answer = self.holder(message)
        self.sent.append(message)
        self.received.append(answer)
        return answer


def test_bytes_are_counted_and_fewer_than_those_of_histograms():
    ways = {"a": Listening(DomainHolder(OURS)), "b": Listening(DomainHolder(THEIRS))}
    flow = AlignmentFlow(max_iter=6, early_stopping=False, random_state=0)
    flow.fit(DomainsApart(ways))
    for label, way in ways.items():
        counted = flow.communication_[label]
        assert counted["messages"] == len(way.sent)
        assert counted["sent"] == sum(map(len, way.sent))
        assert counted["received"] == sum(map(len, way.received))
        # 500 bins along each of three directions, in float64, for each layer.
        assert counted["received"] < flow.n_iter_ * 3 * 500 * 8


def test_no_row_travels():
    ways = {"a": Listening(DomainHolder(OURS)), "b": Listening(DomainHolder(THEIRS))}
    AlignmentFlow(max_iter=3, random_state=0).fit(DomainsApart(ways))
    numbers = []

    def collect(value):
        if isinstance(value, np.ndarray):
            numbers.append(value.ravel().astype(np.float64))
        elif isinstance(value, tuple):
            for part in value:
                collect(part)

    for answer in ways["a"].received:
        collect(queries.read_message(answer))
    left = np.concatenate(numbers)
    assert not np.isin(left, OURS).any()
    # Of 4,500 numbers in single precision some are met by chance.
    assert np.isin(left, OURS.astype(np.float32)).sum() < 20


def test_means_of_few_rows_are_refused():
    holder = DomainHolder(OURS[:30])
    for name, more in (("group_means", ()), ("levels_along", (np.eye(3),))):
        asked = (), np.array([0]), (), 0, name, False
        queries.read_message(holder(queries.write_message((*asked, (*more, 6)))))
        with pytest.raises(ValueError, match="30 rows are too few for means between 7"):
            holder(queries.write_message((*asked, (*more, 7))))
    flow = AlignmentFlow(max_iter=3, early_stopping=False, random_state=0)
    flow.fit(apart(OURS[:12], THEIRS[:40]))
    assert np.isfinite(flow.translate(OURS, source="a", target="b")).all()


def test_holders_answer_what_is_on_the_list_and_nothing_else():
    holder = DomainHolder(OURS)
    nothing = (), np.array([0]), ()
    for name, is_sum in (("values", False), ("__reduce__", True), ("after_map", False)):
        message = queries.write_message((*nothing, 0, name, is_sum, ()))
        with pytest.raises(ValueError, match=f"{name!r} may not be asked"):
            holder(message)
    message = queries.write_message((*nothing, 0, "describe", False, ()))
    assert queries.read_message(holder(message)) == (1500, 3, 1500.0, None)
    for bad in (message[:-9], b"", b"x" * 99, pickle.dumps({})):
        with pytest.raises(ValueError, match="A message is damaged"):
            holder(bad)


def test_messages_bring_back_what_was_written():
    content = (1, "a", None, True, 2.5, np.arange(6.0).reshape(2, 3), (np.ones(2) > 0,))
    found = queries.read_message(queries.write_message(content))
    assert found[:5] == content[:5]
    np.testing.assert_array_equal(found[5], content[5])
    assert found[6][0].dtype == bool


# ---------------------------------------------------------------- other processes


def _serve(X, pipe):
    holder = DomainHolder(X)
    while message := pipe.recv_bytes():
        pipe.send_bytes(holder(message))


class InAProcess:
    """A holder in a process of its own, which is killed now and then."""

    def __init__(self, X, every=None):
        self.X, self.every, self.n_asked, self.n_killed = X, every, 0, 0
        self._start()

    def _start(self):
        context = multiprocessing.get_context("fork")
        self._pipe, there = context.Pipe()
        self._process = context.Process(
            target=_serve, args=(self.X, there), daemon=True
        )
        self._process.start()

    def __call__(self, message):
        self.n_asked += 1
        if self.every and self.n_asked % self.every == 0:
            self._process.kill()
            self._process.join()
            self.n_killed += 1
            self._start()
        self._pipe.send_bytes(message)
        return self._pipe.recv_bytes()

    def close(self):
        self._process.kill()
        self._process.join()


def test_holders_that_are_killed_and_begun_anew_change_no_bit():
    settings = {"max_iter": 4, "random_state": 0}
    expected = AlignmentFlow(**settings).fit(apart()).map_.digest()
    ways = {"a": InAProcess(OURS, every=7), "b": InAProcess(THEIRS)}
    try:
        flow = AlignmentFlow(**settings).fit(DomainsApart(ways))
        assert ways["a"].n_killed > 5
        assert flow.map_.digest() == expected
    finally:
        for way in ways.values():
            way.close()


def test_one_that_forgets_everything_is_told():
    class Forgetful:
        def __init__(self):
            self.calls = 0

        def __call__(self, message):
            return queries.write_message("forgotten")

    with pytest.raises(RuntimeError, match="forgets what it is told"):
        AlignmentFlow().fit(DomainsApart({"a": Forgetful(), "b": DomainHolder(OURS)}))


# ---------------------------------------------------------------- bad input


def test_nonsense_is_refused():
    with pytest.raises(TypeError, match="holders must map the label of each domain"):
        DomainsApart({"a": OURS, "b": THEIRS})
    with pytest.raises(ValueError, match="at least 2 domains, got 1"):
        DomainsApart({"a": DomainHolder(OURS)})
    with pytest.raises(ValueError, match="NaN"):
        DomainHolder([[np.nan]])
    layer = MarginalBarycenter()
    with pytest.raises(ValueError, match="Labels, weights and held-out rows"):
        layer.fit(apart(), sample_domain=LABELS)
    with pytest.raises(ValueError, match="density must be None"):
        AlignmentFlow(density=RBIG()).fit(apart())
    with pytest.raises(ValueError, match="cv must be None"):
        AlignmentFlow(cv=3).fit(apart())
    with pytest.raises(TypeError, match="needs the rows of all domains in one place"):
        TreeBarycenter(random_state=0).fit(apart())


def test_other_columns_and_too_few_rows_are_told():
    with pytest.raises(ValueError, match="columns of domain 'b' are not those of 'a'"):
        MarginalBarycenter().fit(apart(OURS, THEIRS[:, :2]))
    named = {
        label: DomainHolder(OURS, feature_names=names)
        for label, names in (("a", ["x", "y", "z"]), ("b", ["x", "y", "t"]))
    }
    with pytest.raises(ValueError, match=r"3 \(x, y, t\) and 3 \(x, y, z\)"):
        MarginalBarycenter().fit(DomainsApart(named))
    with pytest.raises(ValueError, match=r"'b' has 1 row\(s\) of weight above zero"):
        MarginalBarycenter().fit(apart(OURS, THEIRS[:1]))


def test_names_of_columns_are_learned():
    names = ["x", "y", "z"]
    both = {
        label: DomainHolder(X, feature_names=names)
        for label, X in (("a", OURS), ("b", THEIRS))
    }
    model = MarginalBarycenter().fit(DomainsApart(both))
    assert model.feature_names_in_.tolist() == names


def test_columns_that_would_lose_their_digits_are_named():
    wide = OURS * [1e-20, 1.0, 1e12]
    with pytest.raises(ValueError, match="loses its digits"):
        GaussianBarycenter().fit(apart(wide, wide + 1e12))


def test_an_offset_takes_no_digits_of_the_divergence():
    ours, theirs = draw()
    near, far = (
        divergence_apart(
            DomainsApart(
                {"a": DomainHolder(ours + offset), "b": DomainHolder(theirs + offset)}
            )
            .open(1)
            .parts_apart
        )
        for offset in (0.0, 1e9)
    )
    assert far == pytest.approx(near, abs=1e-4)
