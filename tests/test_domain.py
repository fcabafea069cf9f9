"""Which numbers are allowed."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest

from meanfield.domain import (
    complements,
    correlations,
    require_cells,
    require_count,
    require_scales,
    require_share,
    require_signal,
    require_within,
    variances,
)
from meanfield.errors import DomainError


@pytest.mark.parametrize("value", [0, -1, 1.5, True, "3", None, 10**16, pytest.param(10**5000, id="endless")])
def test_what_is_no_count_is_refused_in_a_line_that_says_what_would_do(value: object) -> None:
    with pytest.raises(DomainError, match=r"width = .* is out of range: give a whole number from 1 to 1e\+15"):
        require_count("width", value)


def test_counts_of_any_kind_of_integer_will_do() -> None:
    require_count("width", 1)
    require_count("seed", 0, 0)
    require_count("width", np.int64(10**15))


@pytest.mark.parametrize(
    ("function", "inside", "outside"),
    [
        (variances, [0.0, 5e-324, 1.7e308], [-1e-300, math.inf, math.nan]),
        (correlations, [-1.0, 0.0, 1.0], [1 + 1e-15, -2.0, math.nan]),
        (complements, [0.0, 1e-300, 2.0], [-1e-300, 2 + 1e-15, math.nan]),
    ],
)
def test_arrays_pass_whole_or_are_refused_by_the_number_at_fault(function, inside: list, outside: list) -> None:
    np.testing.assert_array_equal(function(inside), inside)
    assert function(inside[0]).ndim == 0
    for wrong in outside:
        with pytest.raises(DomainError, match=re.escape(f"= {wrong:g} ")):
            function([*inside, wrong])
        with pytest.raises(DomainError):
            function(wrong)


@pytest.mark.parametrize(
    "refused",
    [
        lambda: require_signal(0.0),
        lambda: require_signal(math.inf),
        lambda: require_signal(math.nan),
        lambda: require_scales(0.0, 0.0),
        lambda: require_scales(1.0, -0.1),
        lambda: require_scales(1e151, 0.0),
        lambda: require_scales(1.0, math.nan),
        lambda: require_share("risk", 0.0, "a probability to allow"),
        lambda: require_share("sparsity", 1.0, "a share of zeros"),
        lambda: require_within(1.0),
        lambda: require_within(math.inf),
    ],
)
def test_numbers_at_the_ends_are_refused(refused) -> None:
    with pytest.raises(DomainError, match="give"):
        refused()


def test_grids_of_nothing_or_of_too_much_are_refused() -> None:
    require_cells("designs", 1, 10)
    require_cells("designs", 10, 10)
    for cells in (0, 11, 10**12):
        with pytest.raises(DomainError, match=f"a grid of {cells} designs .*: give from 1 to 10"):
            require_cells("designs", cells, 10)
