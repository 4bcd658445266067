"""The bucket connector keeps every promise of a connector, on a real server, as far as objects can."""

from collections.abc import Iterator

import pytest
from hypothesis import example, given

from connectors.conformance import Bench, Conformance, Trial, needs
from connectors.conformance.exporting import streams
from connectors.conformance.keeping import Keeping
from connectors.conformance.locating import WORDS, odd
from connectors.conformance.verifying import Verifying
from rights.plan import Operation
from starter.stack import Objects
from tests.connectors.s3_bench import STAYS, ManifestBench, S3Bench
from tests.connectors.s3_place import shared_objects

__all__ = ["shared_objects"]


class Files(Conformance):
    """Where objects differ from rows."""

    @needs(Operation.EXPORT)
    def test_pages_parse_whatever_the_values_are(self, trial: Trial) -> None:
        """What an object says is in its file, byte for byte, and in no cell of the table."""

        @odd
        @example('"quoted", \\ and\r\nbroken')
        @given(WORDS)
        def given_back(words: str) -> None:
            files = trial.export(trial.call(trial.seeded(3, words)))
            bodies = [body for (_, media), body in files.items() if media.startswith("text/plain")]
            assert bodies == [words.encode()] * 3

        given_back()

    @needs(Operation.EXPORT)
    def test_export_streams_in_flat_memory_and_beats(self, trial: Trial) -> None:
        """A few large objects, and not thousands of small ones, once boto3 has loaded what it loads once."""
        trial.export(trial.call(trial.seeded(1)))

        streams(trial, trial.seeded(48, "x" * (1 << 20)), 48 << 20)


@pytest.mark.soak
class TestByTemplate(Files):
    """In a bucket that keeps versions; restricted by a tag."""

    @pytest.fixture
    def bench(self, objects: Objects) -> Iterator[Bench]:
        bench = S3Bench(objects)
        yield bench
        bench.close()


@pytest.mark.soak
class TestByManifest(Files):
    """In a bucket that keeps no versions, with identities that several people may have."""

    @pytest.fixture
    def bench(self, objects: Objects) -> Iterator[Bench]:
        bench = ManifestBench(objects)
        yield bench
        bench.close()


class TestWhatStays(Keeping, Verifying):
    """In a bucket whose versions are suspended."""

    def test_what_arrives_after_an_erasure_is_found_and_booked(self) -> None:  # type: ignore[override]
        """Nothing can arrive here that no duty keeps: these terms count from the day an object is written."""
        pytest.skip("whatever is written now is kept by the terms of this map")

    @pytest.fixture
    def bench(self, objects: Objects) -> Iterator[Bench]:
        bench = S3Bench(objects, STAYS, "Suspended")
        yield bench
        bench.close()
