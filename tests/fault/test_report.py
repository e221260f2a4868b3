"""The report is what its raw data say, and nothing else."""
import re

import report


def test_the_page_is_made_of_the_raw_data_it_names():
    kept = report.PAGE.read_text()
    path = re.search(r"tests/fault/results/[\w.-]+\.json", kept).group()
    assert report.render(path, report.load_raw(path)) == kept


def test_the_page_has_every_row_of_the_runner():
    import rows
    path = re.search(r"tests/fault/results/[\w.-]+\.json",
                     report.PAGE.read_text()).group()
    measured = {one["row"] for one in report.load_raw(path)["raw"]}
    assert measured == {row.name for row in rows.ALL}
