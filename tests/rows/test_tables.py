"""Tables with categories and missing values, scored block by block."""

import numpy as np
import pandas as pd
import pytest

from destructors import open_rows, write_rows
from destructors.estimators import MixtureDensity
from destructors.flows import DiscreteTreeFlow, TreeFlow

pytest.importorskip("pyarrow")


def draw(n_rows=700, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.gamma(2.0, size=n_rows)
    kind = np.where(x + rng.normal(size=n_rows) > 2, "much", "little")
    return pd.DataFrame(
        {"x": x, "kind": kind, "n": rng.poisson(x), "w": rng.random(n_rows)}
    )


FRAME = draw()
TABLE = FRAME[["x", "kind", "n"]]
FILES = ["parquet", "folder", "csv"]


@pytest.fixture(params=FILES)
def path(request, tmp_path):
    path = tmp_path / f"t.{request.param}"
    if request.param == "csv":
        FRAME.to_csv(path, index=False)
    elif request.param == "parquet":
        FRAME.to_parquet(path, index=False, row_group_size=90)
    else:
        path.mkdir()
        for i, part in enumerate((FRAME[:350], FRAME[350:])):
            # What one file calls a category another may call a string.
            part = part.astype({"kind": "category"}) if i else part
            part.to_parquet(path / f"{i}.parquet", index=False)
    return path


@pytest.fixture(scope="module")
def flow():
    return TreeFlow(n_components=2, max_trees=5, cv=None, random_state=0).fit(TABLE)


def test_blocks_are_those_of_the_table(path):
    rows = open_rows(path, columns=["x", "kind", "n"], weight="w", block_size=300)
    blocks = list(rows.tables())
    assert [len(table) for table, _ in blocks] == [300, 300, 100]
    found = pd.concat([table for table, _ in blocks], ignore_index=True)
    np.testing.assert_allclose(found[["x", "n"]], TABLE[["x", "n"]], rtol=1e-12)
    assert found["kind"].astype(str).tolist() == TABLE["kind"].tolist()
    weights = np.concatenate([weight for _, weight in blocks])
    np.testing.assert_allclose(weights, FRAME["w"], rtol=1e-12)


def test_models_of_both_kinds_score_and_transform_blocks(path, flow, tmp_path):
    rows = open_rows(path, columns=["x", "kind", "n"], block_size=300)
    scores = np.concatenate(list(flow.score_samples(rows)))
    np.testing.assert_allclose(scores, flow.score_samples(TABLE), rtol=1e-9)
    assert flow.score(rows) == pytest.approx(flow.score(TABLE))
    weighted = open_rows(path, columns=["x", "kind", "n"], weight="w", block_size=300)
    expected = flow.score(TABLE, sample_weight=FRAME["w"])
    assert flow.score(weighted) == pytest.approx(expected)
    latent = write_rows(tmp_path / "latent.npy", flow.transform(rows))
    back = flow.inverse_transform(open_rows(latent, block_size=300))
    again = write_rows(tmp_path / "again.parquet", back)
    found = pd.read_parquet(again)
    assert found["kind"].tolist() == TABLE["kind"].tolist()
    assert found["n"].tolist() == TABLE["n"].tolist()
    np.testing.assert_allclose(found["x"], TABLE["x"], rtol=1e-9)


def test_what_is_missing_is_summed_out(tmp_path):
    table = TABLE.copy()
    table.loc[::5, "x"] = np.nan
    table.loc[::7, "kind"] = None
    path = tmp_path / "holes.parquet"
    table.to_parquet(path, index=False)
    model = MixtureDensity(3, random_state=0).fit(table)
    scores = list(model.score_samples(open_rows(path, block_size=300)))
    np.testing.assert_allclose(np.concatenate(scores), model.score_samples(table))
    holes = np.where(np.arange(700)[:, None] % 5 == 0, np.nan, TABLE[["x", "n"]])
    np.save(tmp_path / "holes.npy", holes)
    model = MixtureDensity(2, random_state=0).fit(holes)
    rows = open_rows(tmp_path / "holes.npy", block_size=300)
    assert model.score(rows) == pytest.approx(model.score(holes))


def test_codes_of_an_array_are_scored(tmp_path):
    codes = np.random.default_rng(0).integers(0, 3, size=(500, 3))
    model = DiscreteTreeFlow(base="independent", random_state=0).fit(codes)
    path = write_rows(tmp_path / "codes.npy", [codes])
    scores = np.concatenate(list(model.score_samples(open_rows(path, block_size=200))))
    np.testing.assert_allclose(scores, model.score_samples(codes), rtol=1e-12)


def test_categories_that_were_not_seen_are_taken_as_in_memory(tmp_path):
    codes = pd.DataFrame({"a": list("uvuv") * 50, "b": list("xxyz") * 50})
    model = DiscreteTreeFlow(base="independent", random_state=0).fit(codes)
    new = codes.assign(a=["never", *codes["a"][1:]])
    new.to_parquet(tmp_path / "new.parquet", index=False)
    rows = open_rows(tmp_path / "new.parquet", block_size=60)
    found = np.concatenate(list(model.score_samples(rows)))
    np.testing.assert_allclose(found, model.score_samples(new), rtol=1e-12)
    assert found[0] < found[2] - 1.0


def test_frames_do_not_go_to_npy(tmp_path):
    with pytest.raises(ValueError, match=r"must end in \.parquet to hold frames"):
        write_rows(tmp_path / "x.npy", [TABLE])
    with pytest.raises(ValueError, match="columns and the dtype"):
        write_rows(tmp_path / "x.parquet", [TABLE, TABLE[["x"]]])


def test_weights_that_are_none_are_told(tmp_path, flow):
    path = tmp_path / "x.parquet"
    FRAME.assign(w=-1.0).to_parquet(path, index=False)
    with pytest.raises(ValueError, match="Weights must be finite and not negative"):
        flow.score(open_rows(path, weight="w"))
