"""What is refused of an import as a whole, though each of its rows was dealt with."""

import pytest

from tradebot.domain.errors import BadContainer
from tradebot.store.imports import Findings, check_findings


def rejected(count: int) -> Findings:
    findings = Findings()
    for line in range(2, count + 2):
        findings.reject("orders.csv", line, "101.5 is not a multiple of 1")
    return findings


def test_an_import_that_rejects_more_than_it_takes_is_refused_with_its_first_reject() -> None:
    check_findings(rejected(10), 10, "ticks")
    with pytest.raises(BadContainer, match=r"found 11 rejected of 21 in ticks, the first orders\.csv:2: 101\.5 .*check --format"):
        check_findings(rejected(11), 10, "ticks")


def test_time_that_runs_back_is_mended_in_a_few_rows_and_refused_in_many() -> None:
    check_findings(Findings(late=100), 100, "ticks")
    check_findings(Findings(late=101), 10_100, "ticks")
    with pytest.raises(BadContainer, match="found 102 of 10100 in ticks that run back in time; sort the file"):
        check_findings(Findings(late=102), 10_100, "ticks")
