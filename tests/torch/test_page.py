"""The examples of docs/torch.md print what they say."""

import doctest
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "torch.md"


def test_every_example_of_the_page_runs_as_printed() -> None:
    failed, tried = doctest.testfile(str(PAGE), module_relative=False, optionflags=doctest.NORMALIZE_WHITESPACE)
    assert tried > 10 and not failed
