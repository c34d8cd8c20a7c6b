"""The README's worked example runs and prints what the README shows."""

import doctest


def test_the_worked_example_prints_what_it_shows(repository):
    result = doctest.testfile(
        str(repository / "README.md"),
        module_relative=False,
        optionflags=doctest.NORMALIZE_WHITESPACE,
    )
    assert result.attempted >= 5
    assert result.failed == 0
