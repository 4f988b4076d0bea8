"""Fits to tables on disk that have categories, missing values, or several domains."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

from destructors import (
    RBIG,
    AlignmentFlow,
    DiscreteTreeFlow,
    GaussianCopula,
    TreeFlow,
    open_rows,
)
from destructors.alignment import (
    GaussianBarycenter,
    MarginalBarycenter,
    SlicedBarycenter,
    TreeBarycenter,
)
from destructors.compose import CategoryDequantizer, make_destructor_pipeline
from destructors.discrete import CategoricalBase, TreePermutation
from destructors.estimators import MixtureDensity
from destructors.linear import Whitening
from destructors.rows import _stored
from tests.rows.test_engines import Pickling, bits

pytest.importorskip("pyarrow")

RNG = np.random.default_rng(0)
N = 900
_x = RNG.gamma(2.0, size=N)
_kind = np.where(_x + RNG.normal(size=N) > 2, "much", "little")
TABLE = pd.DataFrame(
    {
        "x": _x,
        "kind": np.where(np.arange(N) < 850, _kind, "rare"),
        "n": RNG.poisson(_x),
        "site": np.where(np.arange(N) % 3 == 0, "b", "a"),
        "w": RNG.integers(0, 3, size=N),
    }
)
TABLE["y"] = np.sin(_x) + 0.2 * RNG.normal(size=N) + (TABLE["site"] == "b")
HOLES = TABLE.assign(
    x=np.where(np.arange(N) % 5, _x, np.nan),
    kind=np.where(np.arange(N) % 7, TABLE["kind"], None),
    n=np.where(np.arange(N) < 700, TABLE["n"], np.nan),
)
FLOW = TreeFlow(n_components=2, max_trees=4, cv=None, random_state=0)
CODED = [
    (FLOW, ["x", "kind", "n"]),
    (DiscreteTreeFlow(max_iter=2, random_state=0), ["kind", "n", "site"]),
    (TreePermutation(random_state=0), ["kind", "n"]),
    (CategoricalBase(random_state=0), ["kind", "n"]),
    (MixtureDensity(3, random_state=0), ["x", "kind", "n"]),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("coded")
    TABLE.to_parquet(folder / "t.parquet", index=False)
    HOLES.to_parquet(folder / "holes.parquet", index=False)
    HOLES.to_csv(folder / "holes.csv", index=False)
    np.save(folder / "n.npy", TABLE[["n", "w"]].to_numpy())
    np.save(folder / "xy.npy", np.c_[TABLE[["x", "y"]], TABLE["site"] == "b"])
    return folder


@pytest.mark.parametrize(("model", "columns"), CODED, ids=str)
def test_categories_are_learned_from_blocks_as_in_memory(model, columns, folder):
    for weight in (None, "w"):
        rows = open_rows(
            folder / "t.parquet", columns=columns, weight=weight, block_size=200
        )
        found = clone(model).fit(rows)
        given = {} if weight is None else {"sample_weight": TABLE["w"]}
        expected = clone(model).fit(TABLE[columns], **given)
        assert bits(found) == bits(expected)
        assert list(found.sample(5, random_state=0)) == columns


@pytest.mark.parametrize(("model", "columns"), CODED[:2], ids=str)
def test_engines_and_lost_blocks_change_no_bit_of_coded_tables(
    model, columns, folder, tmp_path
):
    fit = lambda **given: bits(
        clone(model).fit(
            open_rows(folder / "t.parquet", columns=columns, block_size=200, **given)
        )
    )
    expected = fit()
    assert fit(engine=Pickling(loses=lambda n: n % 3 == 0)) == expected
    assert fit(engine=Pickling(forgets=tmp_path), scratch=tmp_path) == expected


def test_holes_are_learned_from_blocks_as_in_memory(folder):
    model, columns = MixtureDensity(3, random_state=0), ["x", "kind", "n"]
    expected = clone(model).fit(HOLES[columns])
    for name in ("holes.parquet", "holes.csv"):
        rows = open_rows(folder / name, columns=columns, block_size=200)
        found = clone(model).fit(rows)
        assert found.map_ == expected.map_
        assert found.score(rows) == pytest.approx(expected.score(HOLES[columns]))
    with pytest.raises(ValueError, match=r"Block 0: Input X contains NaN.*'x'|NaN"):
        clone(FLOW).fit(rows)
    codes = DiscreteTreeFlow(max_iter=2, handle_missing="category", random_state=0)
    rows = open_rows(folder / "holes.parquet", columns=["kind", "site"], block_size=200)
    assert bits(clone(codes).fit(rows)) == bits(
        clone(codes).fit(HOLES[["kind", "site"]])
    )


def test_codes_of_an_array_keep_their_dtype(folder):
    model = DiscreteTreeFlow(max_iter=2, random_state=0)
    rows = open_rows(folder / "n.npy", block_size=200)
    in_memory = clone(model).fit(TABLE[["n", "w"]].to_numpy())
    assert bits(clone(model).fit(rows)) == bits(in_memory)


def test_categories_are_spread_before_layers_of_numbers(folder):
    steps = CategoryDequantizer(random_state=0), GaussianCopula()
    model = make_destructor_pipeline(*steps)
    columns = ["x", "kind", "n"]
    rows = open_rows(folder / "t.parquet", columns=columns, block_size=200)
    found = clone(model).fit(rows)
    expected = clone(model).fit(TABLE[columns])
    assert found.score(rows) == pytest.approx(expected.score(TABLE[columns]), abs=0.02)


def test_more_different_rows_than_memory_holds_are_drawn(folder, monkeypatch):
    rows = open_rows(folder / "t.parquet", columns=["x", "n"], block_size=200)
    stored = rows.load(None)
    values, weight, _ = stored.unique()
    assert len(values) == N
    monkeypatch.setattr(_stored, "_MOST_NUMBERS", 2 * 400)
    values, weight, _ = stored.unique()
    assert len(values) == 400
    assert weight.sum() == pytest.approx(N, rel=0.1)
    assert (weight == weight[0]).all()


def test_held_out_blocks_are_read_by_the_same_codes(folder):
    model = CategoricalBase(random_state=0)
    rows = open_rows(folder / "t.parquet", columns=["kind", "n"], block_size=200)
    found = clone(model).fit(rows, X_val=rows)
    table = TABLE[["kind", "n"]]
    assert bits(found) == bits(clone(model).fit(table, X_val=table))


# ---------------------------------------------------------------- domains


@pytest.mark.parametrize(
    "model",
    [
        MarginalBarycenter(random_state=0),
        GaussianBarycenter(random_state=0),
        SlicedBarycenter(random_state=0),
        TreeBarycenter(random_state=0),
        AlignmentFlow(max_iter=3, cv=None, random_state=0),
        AlignmentFlow(
            max_iter=2,
            cv=None,
            density=RBIG(max_iter=2, random_state=0),
            random_state=0,
        ),
    ],
    ids=str,
)
def test_domains_are_aligned_from_blocks_as_in_memory(model, folder, tmp_path):
    X, labels = TABLE[["x", "y"]], TABLE["site"]
    expected = clone(model).fit(X, sample_domain=labels)
    tables = (folder / "t.parquet", "site", ["x", "y"]), (folder / "xy.npy", 2, None)
    for path, domain, columns in tables:
        rows = open_rows(path, columns=columns, domain=domain, block_size=200)
        found = clone(model).fit(rows)
        assert found.map_ == expected.map_
        assert len(found.domains_) == 2
        Z = np.concatenate(list(found.transform(rows)))
        np.testing.assert_array_equal(Z, expected.transform(X, sample_domain=labels))
        agreement = expected.score(X, sample_domain=labels)
        assert found.score(rows) == pytest.approx(agreement)
        weighted = open_rows(
            folder / "t.parquet", columns=["x", "y"], domain="site", weight="w"
        )
        heavy = clone(model).fit(X, sample_domain=labels, sample_weight=TABLE["w"])
        assert clone(model).fit(weighted).map_ == heavy.map_
    engine = Pickling(forgets=tmp_path)
    lost = open_rows(path, domain=2, block_size=200, engine=engine, scratch=tmp_path)
    assert clone(model).fit(lost).map_ == expected.map_


def test_rows_of_domains_come_back_block_by_block(folder):
    model = AlignmentFlow(max_iter=2, cv=None, random_state=0)
    rows = open_rows(
        folder / "t.parquet", columns=["x", "y"], domain="site", block_size=200
    )
    model.fit(rows, X_val=rows)
    Z = np.concatenate(list(model.transform(rows)))
    shared = open_rows(Z, domain=TABLE["site"].to_numpy(), block_size=200)
    back = pd.concat(list(model.inverse_transform(shared)))
    np.testing.assert_allclose(back, TABLE[["x", "y"]], atol=1e-8)


def test_what_is_wrong_with_labels_is_told(folder):
    path, columns = folder / "t.parquet", ["x", "y"]
    model = AlignmentFlow(max_iter=2)
    with pytest.raises(ValueError, match=r"needs the domain label .*open_rows\(.*dom"):
        model.fit(open_rows(path, columns=columns))
    with pytest.raises(ValueError, match="domain: there is no column 'place'"):
        open_rows(path, domain="place")
    with pytest.raises(ValueError, match=r"are named where they are opened"):
        model.fit(open_rows(path, columns=columns), sample_domain=TABLE["site"])
    with pytest.raises(ValueError, match=r"domain must have one label a row.*\(3,\)"):
        open_rows(folder / "xy.npy", domain=np.arange(3))
    with pytest.raises(ValueError, match="domain has 3 entries for 900 rows"):
        model.fit(open_rows(path, columns=columns, domain=np.arange(3) % 2))
    with pytest.raises(ValueError, match="needs at least 2 domains"):
        model.fit(open_rows(path, columns=columns, domain=np.zeros(N)))
    TABLE.assign(site=None).to_parquet(folder / "none.parquet", index=False)
    with pytest.raises(ValueError, match="Row 0 of the table has no label"):
        model.fit(open_rows(folder / "none.parquet", columns=columns, domain="site"))
    with pytest.raises(TypeError, match="domain is an array in memory, not a column"):
        open_rows(path, domain=np.zeros(N), engine=Pickling())
    fitted = model.fit(open_rows(path, columns=columns, domain="site", block_size=200))
    strange = open_rows(path, columns=columns, domain="kind", block_size=200)
    with pytest.raises(ValueError, match="unknown label"):
        next(fitted.transform(strange))
    # Labels are of no use to what knows no domains.
    Whitening().fit(open_rows(path, columns=columns, domain="site", block_size=200))
