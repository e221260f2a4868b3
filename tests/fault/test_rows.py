"""The short form of every row, one after the other; the full forms are
tests/fault/run's. Each prints its count, figures and limits."""
import pytest
import rows

ROWS = rows.ALL


@pytest.mark.parametrize("row", ROWS, ids=[row.name for row in ROWS])
def test_survives(row, capsys):
    outcome = row.run(short=True)
    with capsys.disabled():
        print(f"\n{outcome.line()} ({outcome.seconds:.0f} s)")
    assert not outcome.failures()


def test_short_forms_are_at_least_a_tenth():
    for row in ROWS:
        assert row.short * 10 >= row.full, row.name


def test_names_are_unique():
    assert len({row.name for row in ROWS}) == len(ROWS)
