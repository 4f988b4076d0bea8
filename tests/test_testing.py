"""The law itself: it lets right destructors pass and catches each way to be wrong."""

import numpy as np
import pytest

from destructors.linear import Whitening
from destructors.maps import Affine, Switch
from destructors.marginal import HistogramGaussianizer, SplineGaussianizer
from destructors.testing import (
    check_destructor,
    check_map,
    destructor_checks_generator,
    parametrize_with_destructor_checks,
)
from tests import faulty

CHECKS = [name for name, _ in destructor_checks_generator(Whitening())]

DISCRETE_CHECKS = [n for n, _ in destructor_checks_generator(faulty.SwappedCodes())]


DEQUANTIZER_CHECKS = {"check_right_inverse", "check_noise", "check_bound"}

# Faults in one place, with all the checks that they fail.
LOCAL_FAULTS = {
    faulty.WrongLogDet: {"check_log_det", "check_integral", "check_sample_density"},
    faulty.WrongLogDetOfInverse: {"check_log_det_of_inverse"},
    faulty.WrongLogDetFarOut: {"check_log_det", "check_log_det_of_inverse"},
    # What a method adds to the map is not in a file.
    faulty.WrongSamples: {
        "check_latent_distribution",
        "check_sample_density",
        "check_saved",
    },
    faulty.Unnormalised: {"check_integral", "check_outputs", "check_saved"},
    faulty.IgnoresWeights: {"check_sample_weight"},
    faulty.InfinitelyUnlikelyFarOut: {"check_far_rows"},
    faulty.FlatFarOut: {"check_far_rows"},
    faulty.RemembersTheFirstFit: {"check_refit"},
    faulty.LosesStateInPickle: {"check_clone_and_pickle"},
    faulty.LosesStateWhenSaved: {"check_saved"},
    faulty.NeedsArrays: {"check_input_types", "check_dataframe"},
    faulty.LosesNames: {"check_dataframe"},
    faulty.SumsScores: {"check_outputs"},
    faulty.DividesByZero: {"check_degenerate_data"},
    faulty.ShufflesRows: {"check_rows_handed_on"},
}

# Faults that show in many places, with the checks that are made for them.
PERVASIVE_FAULTS = {
    faulty.NotInvertible: {"check_inverse"},
    faulty.StepWithKernelSlope: {
        "check_inverse",
        "check_log_det",
        "check_integral",
        "check_sample_density",
    },
    faulty.StandardisesByBatch: {"check_batch_invariance"},
    faulty.CentresInPlace: {"check_input_untouched"},
    faulty.IgnoresRandomState: {"check_random_state"},
}

# Those of discrete destructors.
DISCRETE_FAULTS = {
    faulty.LosesACell: {
        "check_permutation",
        "check_inverse",
        "check_total_probability",
        "check_sample_probability",
    },
    faulty.CountsACellTwice: {
        "check_total_probability",
        "check_sample_probability",
        "check_outputs",
        "check_saved",
    },
    faulty.SamplesEvenly: {"check_sample_probability", "check_saved"},
}


# Those of dequantizers.
SURJECTION_FAULTS = {
    faulty.RoundsToNearest: {"check_right_inverse"},
    faulty.DrawsNoiseAnew: {"check_noise"},
    faulty.ClaimsTooMuch: {"check_bound"},
}


def failures(destructor, **settings):
    results = check_destructor(destructor, on_fail=None, **settings)
    return {r["check_name"] for r in results if r["status"] == "failed"}


@pytest.mark.parametrize("random_state", [0, 1, 2])
@pytest.mark.parametrize(
    "destructor", [faulty.Gaussian(), faulty.GaussianCDF(), faulty.UsesRandomState()]
)
def test_right_destructors_pass(destructor, random_state):
    results = check_destructor(destructor, random_state=random_state)
    assert [r["check_name"] for r in results] == CHECKS
    assert {r["status"] for r in results} == {"passed"}


@pytest.mark.filterwarnings("ignore:X has feature names, but LosesNames:UserWarning")
@pytest.mark.parametrize("fault", LOCAL_FAULTS)
def test_local_faults_fail_their_checks_alone(fault):
    assert failures(fault()) == LOCAL_FAULTS[fault]


@pytest.mark.parametrize("fault", PERVASIVE_FAULTS)
def test_pervasive_faults_fail_the_checks_made_for_them(fault):
    assert failures(fault()) >= PERVASIVE_FAULTS[fault]


def test_each_check_catches_something():
    caught = set().union(*LOCAL_FAULTS.values(), *PERVASIVE_FAULTS.values())
    assert caught | {"check_standard_normal"} == set(CHECKS)


def test_loss_on_normal_data_is_measured():
    # A bin costs about half a row's worth of likelihood: 200 / 2 nats over 1000 rows.
    ragged = HistogramGaussianizer(strategy="quantile", n_bins=200)
    assert failures(ragged, max_normal_loss=0.02) == {"check_standard_normal"}
    assert failures(ragged, max_normal_loss=0.5) == set()


# ---------------------------------------------------------------- how it is run


def test_the_first_failure_is_raised_with_the_name_of_the_check():
    with pytest.raises(AssertionError, match="held-out rows") as error:
        check_destructor(faulty.WrongLogDetOfInverse())
    [note] = error.value.__notes__
    assert note == "check_log_det_of_inverse fails for WrongLogDetOfInverse()."


def test_errors_of_the_destructor_are_failures():
    class Unusable(faulty.Gaussian):
        def _fit(self, fold, random_state):
            raise RuntimeError("no disk")

    assert failures(Unusable()) == set(CHECKS)
    with pytest.raises(RuntimeError, match="no disk"):
        check_destructor(Unusable())


def test_expected_failures_are_told_apart():
    reason = "weights have no meaning here"
    results = check_destructor(
        faulty.IgnoresWeights(), expected_failed_checks={"check_sample_weight": reason}
    )
    [expected] = [r for r in results if r["status"] == "xfail"]
    assert expected["check_name"] == "check_sample_weight"
    assert expected["expected_to_fail_reason"] == reason
    assert isinstance(expected["exception"], AssertionError)


def test_unknown_expected_failures_are_an_error():
    with pytest.raises(ValueError, match="check_typo"):
        check_destructor(faulty.Gaussian(), expected_failed_checks={"check_typo": "?"})


def test_destructors_of_a_certain_width_bring_their_data():
    X = np.random.default_rng(0).normal(3.0, [1.0, 2.0, 5.0, 0.1], size=(900, 4))
    assert failures(faulty.FourFeatures()) == set(CHECKS)
    assert failures(faulty.FourFeatures(), X=X) == set()


def test_integrals_in_many_dimensions_are_skipped():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(900, 15)) + rng.choice([-4.0, 4.0], size=(900, 15))
    results = check_destructor(SplineGaussianizer(), X=X)
    skipped = {r["check_name"] for r in results if r["status"] == "skipped"}
    assert skipped == {"check_integral", "check_sample_density"}


@pytest.mark.parametrize("random_state", [0, 1, 2])
def test_right_discrete_destructors_pass(random_state):
    results = check_destructor(faulty.SwappedCodes(), random_state=random_state)
    assert [r["check_name"] for r in results] == DISCRETE_CHECKS
    assert {r["status"] for r in results} == {"passed"}


@pytest.mark.parametrize("fault", DISCRETE_FAULTS)
def test_discrete_faults_fail_their_checks(fault):
    assert failures(fault()) == DISCRETE_FAULTS[fault]


INTEGERS = np.round(np.random.default_rng(0).normal(size=(900, 2)))


def test_right_dequantizers_pass():
    results = check_destructor(faulty.AddsNoise(), X=INTEGERS)
    status = {r["check_name"]: r["status"] for r in results}
    assert {status[name] for name in DEQUANTIZER_CHECKS} == {"passed"}
    # What is for bijections does not apply; nothing is exempted.
    assert set(status.values()) == {"passed", "skipped"}


@pytest.mark.parametrize("fault", SURJECTION_FAULTS)
def test_faults_of_dequantizers_fail_the_checks_made_for_them(fault):
    assert failures(fault(), X=INTEGERS) >= SURJECTION_FAULTS[fault]


def test_a_map_that_only_seems_to_dequantize_is_checked_as_a_bijection():
    results = check_destructor(faulty.OnlySeemsToDequantize())
    status = {r["check_name"]: r["status"] for r in results}
    assert {status[name] for name in DEQUANTIZER_CHECKS} == {"skipped"}
    assert status["check_inverse"] == status["check_integral"] == "passed"


# ---------------------------------------------------------------- maps alone

MEAN, SCALE = np.zeros(2), np.array([0.5, 3.0])
ROWS = np.random.default_rng(0).normal(size=(120, 2))


@pytest.mark.parametrize(
    ("map_", "X", "settings"),
    [
        (faulty.GaussianMap(MEAN, SCALE), ROWS, {}),
        (faulty.CubeMap(MEAN, SCALE), ROWS, {}),
        (faulty.SwapMap(), np.arange(80.0).reshape(40, 2) % 5, {"smooth": False}),
        (faulty.NoiseMap(7), INTEGERS, {}),
    ],
)
def test_right_maps_pass(map_, X, settings):
    check_map(map_, X, **settings)


@pytest.mark.parametrize(
    ("map_", "message"),
    [
        (faulty.WrongLogDetMap(MEAN, SCALE), "numerical Jacobian"),
        (faulty.WrongLogDetOfInverseMap(MEAN, SCALE), "minus its inverse's"),
        (faulty.NotInvertibleMap(MEAN, SCALE), "training rows"),
        (faulty.StandardisesByBatchMap(MEAN, SCALE), "rows"),
        (faulty.CentresInPlaceMap(SCALE, SCALE), "rows|read-only"),
        (faulty.RoughDensity(faulty.GaussianMap(MEAN, SCALE / 3.0)), "when a model is"),
    ],
)
def test_faulty_maps_fail(map_, message):
    with pytest.raises((AssertionError, ValueError), match=message):
        check_map(map_, ROWS)


def test_maps_that_cannot_be_saved_have_to_be_said_so():
    holds_no_data = faulty.HoldsAFunction(np.negative)
    with pytest.raises(AssertionError, match="Not all in the map is data"):
        check_map(holds_no_data, ROWS)
    check_map(holds_no_data, ROWS, savable=False)


@pytest.mark.parametrize("fault", [faulty.RoundsToNearestMap, faulty.DrawsNoiseAnewMap])
def test_faulty_surjections_fail(fault):
    with pytest.raises(AssertionError):
        check_map(fault(7), INTEGERS)


def test_maps_with_a_context():
    domains = Affine(MEAN, SCALE), Affine(MEAN + 1.0, SCALE**2)
    labels = np.arange(len(ROWS)) % 2
    check_map(Switch(domains), ROWS, context=labels)
    wrong = faulty.WrongLogDetMap(MEAN, SCALE)
    with pytest.raises(AssertionError, match="numerical Jacobian"):
        check_map(Switch((domains[0], wrong)), ROWS, context=labels)


def test_tables_of_too_many_cells_are_not_counted():
    X = np.random.default_rng(0).integers(0, 4, size=(600, 9))
    results = check_destructor(faulty.SwappedCodes(), X=X)
    skipped = {r["check_name"] for r in results if r["status"] == "skipped"}
    assert skipped == {
        "check_permutation",
        "check_total_probability",
        "check_sample_probability",
    }


def test_parametrize_names_and_marks_tests():
    reason = {"check_sample_weight": "a reason"}
    decorator = parametrize_with_destructor_checks(
        {"right": faulty.Gaussian(), "wrong": faulty.IgnoresWeights()},
        settings=lambda destructor: (
            {"expected_failed_checks": reason}
            if isinstance(destructor, faulty.IgnoresWeights)
            else {}
        ),
    )
    argument, parameters = decorator.mark.args
    assert argument == "check"
    names = [f"{label}-{check}" for label in ("right", "wrong") for check in CHECKS]
    assert [p.id for p in parameters] == names
    [marked] = [p for p in parameters if p.marks]
    assert marked.id == "wrong-check_sample_weight"
    [mark] = marked.marks
    assert mark.name == "xfail"
    assert mark.kwargs == {"reason": "a reason", "strict": True}
    with pytest.raises(AssertionError, match="Weights 0 to 3"):
        marked.values[0]()


def test_parametrize_takes_a_list():
    parameters = parametrize_with_destructor_checks([faulty.Gaussian()]).mark.args[1]
    assert parameters[0].id == f"Gaussian()-{CHECKS[0]}"
