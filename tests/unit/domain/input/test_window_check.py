"""Every new partition is looked at, once: what is read, what is found, what is remembered."""

from __future__ import annotations

import gzip
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brewtrain.domain.input.delivered import ranges
from brewtrain.domain.input.memory import Memory, packed, rules_of, unpacked
from brewtrain.domain.input.observed import observed_day
from brewtrain.domain.input.window_check import WindowCheck
from tests.fixtures.data_files import parquet_file
from tests.fixtures.pipelines import smallest_pipeline
from tests.fixtures.source_world import SourceWorld

FIRST = date(2024, 2, 1)
DAYS = [FIRST + timedelta(days=number) for number in range(6)]
NEWEST = DAYS[-1]
GOOD = b"age;job;y\n30;admin;no\n"


def world_of(window_days: int = len(DAYS), **source: Any) -> SourceWorld:
    fields = {"path": "s3://{bucket}/data/dt={date}/", "delimiter": ";", **source}
    return SourceWorld(smallest_pipeline("churn", source=fields, window_days=window_days))


def full_world(**source: Any) -> SourceWorld:
    world = world_of(**source)
    for number, day in enumerate(DAYS):
        for part in range(3):
            world.put(day, GOOD + f"{number};{part};no\n".encode(), f"part-{part}.csv")
    return world


def test_one_file_of_each_day_is_read_and_all_of_the_newest() -> None:
    world = full_world()
    checked = world.check(NEWEST)
    assert (checked.problems, checked.warnings, checked.newest) == ((), (), NEWEST)
    assert sorted(world.reads) == [
        *(f"data/dt={day}/part-0.csv" for day in DAYS[:-1]),
        *(f"data/dt={NEWEST}/part-{part}.csv" for part in range(3)),
    ]


def test_one_file_of_each_hour_is_read() -> None:
    world = world_of(window_days=2, path="s3://{bucket}/data/{date}/{hour}/")
    for day in DAYS[-2:]:
        for hour in (0, 7, 23):
            for part in range(2):
                world.objects[f"data/{day}/{hour:02}/part-{part}.csv"] = GOOD + f"{hour};{part};\n".encode()
    world.check(NEWEST)
    older = [key for key in sorted(world.reads) if str(DAYS[-2]) in key]
    assert older == [f"data/{DAYS[-2]}/{hour:02}/part-0.csv" for hour in (0, 7, 23)]


def test_the_next_day_only_the_new_day_is_read() -> None:
    world = full_world()
    world.check(NEWEST)
    world.reads.clear()
    tomorrow = NEWEST + timedelta(days=1)
    world.put(tomorrow, GOOD)
    assert world.check(tomorrow).looked_at == (tomorrow,)
    assert world.reads == [f"data/dt={tomorrow}/part-0.csv"]


def test_a_day_that_has_changed_is_read_as_a_whole() -> None:
    world = full_world()
    world.check(NEWEST)
    world.reads.clear()
    world.put(DAYS[1], GOOD + b"41;cook;yes\n", "part-2.csv")
    assert world.check(NEWEST).looked_at == (DAYS[1],)
    assert sorted(world.reads) == [f"data/dt={DAYS[1]}/part-{part}.csv" for part in range(3)]


def test_a_file_that_was_found_bad_stays_bad_when_its_day_is_no_longer_the_newest() -> None:
    world = full_world()
    world.put(NEWEST, b"age;job;z\n1;2;3\n", "part-2.csv")
    assert "part-2.csv" in str(world.check(NEWEST).problem)
    tomorrow = NEWEST + timedelta(days=1)
    world.put(tomorrow, GOOD)
    assert f"dt={NEWEST}/part-2.csv ({NEWEST}) lacks the column(s) 'y'" in str(world.check(tomorrow).problem)


def test_an_earlier_run_reads_all_files_of_its_own_newest_day() -> None:
    world = full_world()
    world.check(NEWEST)
    world.reads.clear()
    assert world.check(DAYS[2]).looked_at == (DAYS[2],)
    assert len(world.reads) == 3


def test_what_other_source_fields_have_seen_is_not_used() -> None:
    world = full_world()
    content = packed(world.check(NEWEST).memory)
    assert unpacked(content, rules_of(world.pipeline.source)) == world.memory
    other = world_of(columns=["age"])
    assert unpacked(content, rules_of(other.pipeline.source)).days == {}


@pytest.mark.parametrize(
    "content",
    [b"", b"no gzip", packed(Memory("r"))[:-9], packed(Memory("r")).replace(b"\x1f\x8b", b"\x1f\x8c")],
    ids=["empty", "text", "cut", "damaged"],
)
def test_a_memory_that_cannot_be_read_is_told_from_none(content: bytes) -> None:
    assert unpacked(None, "r") == Memory("r")
    with pytest.raises(ValueError, match="it is not a memory of checks"):
        unpacked(content, "r")


def test_the_memory_is_bounded() -> None:
    day = observed_day("d", [], whole=True)
    memory = Memory("r", {FIRST - timedelta(days=number): day for number in range(2000)})
    bounded = memory.bounded(FIRST - timedelta(days=9), FIRST)
    assert len(bounded.days) == 10 + 366
    assert min(bounded.days) == FIRST - timedelta(days=375)


def test_many_days_are_told_in_few_words() -> None:
    assert ranges(DAYS) == "2024-02-01 to 2024-02-06"
    assert ranges(DAYS[::-1]) == "2024-02-06 to 2024-02-01"
    apart = [FIRST + timedelta(days=3 * number) for number in range(12)]
    assert ranges(apart[:2]) == "2024-02-01, 2024-02-04"
    assert ranges(apart).endswith("2024-02-28 and others up to 2024-03-05")


BODIES = {
    "good": GOOD,
    "other rows": b"age;job;y\n31;cook;yes\n",
    "other order": b"job;age;y\nadmin;30;no\n",
    "column renamed": b"age;Job;y\n30;admin;no\n",
    "blank in a name": b"age; job;y\n30;admin;no\n",
    "one column more": b"age;job;y;z\n30;admin;no;1\n",
    "ragged": b"age;job;y\n30;admin\n",
    "other delimiter": b"age,job,y\n30,admin,no\n",
    "other encoding": "age;job;y\n30;gärtner;no\n".encode("latin-1"),
    "byte order mark": b"\xef\xbb\xbf" + GOOD,
    "header only": b"age;job;y\n",
    "blank": b"\n",
    "empty": b"",
}
FAULTS = {
    "other order": "has the columns in another order ('job', 'age', 'y')",
    "column renamed": "lacks the column(s) 'job' and has the column(s) 'Job' besides ('Job' is not 'job': blanks and",
    "blank in a name": "lacks the column(s) 'job' and has the column(s) ' job' besides (' job' is not 'job': blanks",
    "one column more": "has the column(s) 'z' besides",
    "ragged": "is ragged: the row that ends at line 2 has 2 field(s), and the file has 3 column(s)",
    "other delimiter": "is delimited by ',', not by ';' as source.delimiter says",
    "other encoding": "is not UTF-8 (byte 0xe4",
    "byte order mark": "begins with a byte order mark",
    "blank": "begins with an empty line",
}


@pytest.mark.parametrize("day", [DAYS[0], NEWEST], ids=["an old day", "the newest day"])
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_names_its_file_its_day_and_what_to_do(fault: str, day: date) -> None:
    world = full_world()
    # Of the newest day all files are looked at, of another the first.
    key = world.put(day, BODIES[fault], "part-2.csv" if day == NEWEST else "part-0.csv")
    checked = world.check(NEWEST)
    assert len(checked.problems) == 1
    assert checked.problems[0].startswith(f"s3://lake/{key} ")
    assert FAULTS[fault] in checked.problems[0]
    assert f" ({day}) " in checked.problems[0]
    assert "; deliver" in checked.problems[0]


def test_the_faults_are_all_there() -> None:
    assert len(FAULTS) == 9
    assert set(FAULTS) < set(BODIES)


def test_all_problems_are_listed_at_once_and_equal_ones_once() -> None:
    world = full_world()
    for day in DAYS[:3]:
        world.put(day, BODIES["one column more"], "part-0.csv")
    world.put(DAYS[3], BODIES["other encoding"], "part-0.csv")
    world.put(DAYS[4], b"read me", "README.txt")
    text = str(world.check(NEWEST).problem)
    assert text.startswith("3 problems in the data of 2024-02-01 to 2024-02-06; the first: s3://")
    assert text.count("\n- ") == 2
    assert "(the same in 2 other day(s): 2024-02-02 to 2024-02-03)" in text
    assert (
        "README.txt (2024-02-05) has the extension '.txt', unlike the window's other files (the extension '.csv')"
        in text
    )


def test_a_long_list_of_problems_ends_with_their_number() -> None:
    world = world_of(window_days=31)
    for number in range(31):
        world.put(NEWEST - timedelta(days=number), b"c%d\n1\n" % number)
    lines = str(world.check(NEWEST).problem).splitlines()
    assert len(lines) == 21
    assert lines[-1] == "- and 10 more, which are shown when these are gone"


def test_the_same_fault_of_many_days_is_told_once() -> None:
    world = full_world()
    for day in DAYS[1:4]:
        world.put(day, BODIES["other encoding"], "part-0.csv")
    text = str(world.check(NEWEST).problem)
    assert text.startswith("s3://lake/data/dt=2024-02-02/part-0.csv (2024-02-02) is not UTF-8 ")
    assert text.endswith("(the same in 2 other day(s): 2024-02-03 to 2024-02-04)")


SIDECARS = {
    "a note beside parquet": ("parquet", "part-0.snappy.parquet", "README.md"),
    "a checksum beside compressed csv": ("csv", "part-0.csv.gz", "part-0.csv.crc"),
    "a checksum beside csv of another name": ("csv", "part-0.txt", "part-0.md5"),
    "a checksum beside data without a name": ("csv", "part-0", "part-0.md5"),
}


@pytest.mark.parametrize("case", SIDECARS)
def test_what_lies_beside_the_data_every_day_is_not_taken_for_it(case: str) -> None:
    file_format, data, sidecar = SIDECARS[case]
    content = parquet_file([{"a": 1}]) if file_format == "parquet" else b"a,b\n1,2\n"
    world = SourceWorld(
        smallest_pipeline("churn", source={"path": "s3://{bucket}/{date}/", "format": file_format}, window_days=3)
    )
    for day in DAYS[-3:]:
        world.put(day, gzip.compress(content) if data.endswith(".gz") else content, data)
        world.put(day, b"read me", sidecar)
    checked = world.check(NEWEST)
    assert len(checked.problems) == 1
    assert checked.problems[0].startswith(f"s3://lake/{NEWEST}/{sidecar} ({NEWEST}) has the extension ")


def test_the_sidecars_are_all_there() -> None:
    assert len(SIDECARS) == 4


def test_a_newest_day_that_is_wrong_itself_is_no_measure_of_the_others() -> None:
    for body, columns in ((b"age;job\n30;admin\n", ["age", "job", "y"]), (b"age;age;job;y\n3;3;a;no\n", [])):
        world = full_world(columns=columns)
        for part in range(3):
            world.put(NEWEST, body + b"\n" * part, f"part-{part}.csv")
        (problem,) = world.check(NEWEST).problems
        assert problem.startswith(f"s3://lake/data/dt={NEWEST}/part-0.csv ({NEWEST}) ")


def test_where_no_other_day_is_like_the_newest_it_may_be_the_newest_that_is_wrong() -> None:
    world = full_world()
    for part in range(3):
        world.put(NEWEST, b"30;admin;no\n31;cook;yes\n" + b"\n" * part, f"part-{part}.csv")
    (problem,) = world.check(NEWEST).problems
    assert f"deliver {NEWEST} again if it is what is wrong" in problem


def test_of_a_newest_day_in_two_minds_the_file_that_is_unlike_the_window_is_told() -> None:
    world = full_world()
    for part in (1, 2):
        del world.objects[f"data/dt={NEWEST}/part-{part}.csv"]
    key = world.put(NEWEST, b"q;r\n1;2\n", "a.csv")
    (problem,) = world.check(NEWEST).problems
    assert problem.startswith(f"s3://lake/{key} ({NEWEST}) ")


def test_objects_of_json_may_leave_keys_out_but_not_all() -> None:
    rows = {"one key less": b'{"a": 1}\n', "a byte order mark": b'\xef\xbb\xbf{"a": 1, "b": 2}\n', "no row": b"\n"}
    for body in (*rows.values(), b'{"c": 1}\n'):
        world = SourceWorld(
            smallest_pipeline("churn", source={"path": "s3://{bucket}/{date}.json", "format": "json"}, window_days=2)
        )
        world.put(NEWEST, b'{"a": 1, "b": 2}\n')
        world.put(DAYS[-2], body)
        checked = world.check(NEWEST)
        assert (checked.problem is None) == (body in rows.values())
        assert bool(checked.warnings) == (body == rows["one key less"])


def test_the_hours_that_the_newest_day_lacks_are_told() -> None:
    path = "s3://{bucket}/{date}/{hour}/"
    pipeline = smallest_pipeline("churn", source={"path": path}, window_days=1, timezone="Europe/Berlin")
    world, day = SourceWorld(pipeline), date(2024, 3, 31)
    for hour in range(24):
        # The clocks never show 02: they are put forward.
        if hour not in (2, 22, 23):
            world.objects[f"{day}/{hour:02}/part-0.csv"] = b"a,b\n%d,2\n" % hour
    (warning,) = world.check(day).warnings
    assert warning.startswith("s3://lake/2024-03-31/22/ has no data, and so for 2 of the 23 hours of 2024-03-31")


def test_a_readme_alone_is_no_data() -> None:
    world = full_world()
    for part in range(3):
        del world.objects[f"data/dt={NEWEST}/part-{part}.csv"]
    world.put(NEWEST, b"read me", "README.txt")
    text = str(world.check(NEWEST).problem)
    assert f"dt={NEWEST}/ has no files with the extension '.csv' as the window's other days have: the" in text
    assert f"dt={NEWEST}/README.txt" in text


def test_missing_and_empty_days_are_told_and_stop_nothing() -> None:
    world = full_world(days=["thu", "fri", "mon", "tue", "wed"])
    for part in range(3):
        del world.objects[f"data/dt={DAYS[4]}/part-{part}.csv"]
        del world.objects[f"data/dt={DAYS[2]}/part-{part}.csv"]
        world.put(DAYS[1], b"", f"part-{part}.csv")
    checked = world.check(NEWEST)
    assert checked.problem is None
    # Thursday the first; the third is a Saturday, which has no partition.
    assert checked.missing == (DAYS[1], DAYS[4])
    assert "2 day(s) of the window have no data: 2024-02-02, 2024-02-05" in checked.warnings
    assert any("is empty: it has not even a header" in one for one in checked.warnings)


def test_what_was_delivered_twice_is_told() -> None:
    world = full_world()
    world.put(NEWEST, world.objects[f"data/dt={NEWEST}/part-0.csv"], "part-9.csv")
    for part in range(3):
        world.put(DAYS[0], world.objects[f"data/dt={DAYS[1]}/part-{part}.csv"], f"part-{part}.csv")
    checked = world.check(NEWEST)
    assert checked.problem is None
    assert any("part-9.csv has the same content as" in one for one in checked.warnings)
    assert any("the data of 2024-02-02 is the same as that of 2024-02-01" in one for one in checked.warnings)


def verdict(checked: WindowCheck) -> tuple[object, ...]:
    return checked.newest, checked.problems, checked.warnings, checked.missing


CHANGES = st.lists(
    st.tuples(
        st.sampled_from(DAYS),
        st.integers(0, 2),
        st.sampled_from([None, *BODIES.values(), *[GOOD + b"%d;x;no\n" % number for number in range(4)]]),
        st.sampled_from(DAYS),
    ),
    max_size=25,
)


@given(changes=CHANGES)
def test_a_memory_never_changes_the_verdict_where_a_day_is_one_file(changes: list[Any]) -> None:
    world = world_of(window_days=4)
    for day, _, body, newest in changes:
        if body is None:
            world.objects.pop(f"data/dt={day}/part-0.csv", None)
        else:
            world.put(day, body)
        assert verdict(world.check(newest)) == verdict(world.check(newest, world.no_memory))


@given(changes=CHANGES)
def test_a_memory_hides_no_fault_and_invents_none(changes: list[Any]) -> None:
    world = world_of(window_days=4)
    for day, part, body, newest in changes:
        if body is None:
            world.objects.pop(f"data/dt={day}/part-{part}.csv", None)
        else:
            world.put(day, body, f"part-{part}.csv")
        aided, scratch = world.check(newest), world.check(newest, world.no_memory)
        found = world.found(newest)
        everything = Memory(
            world.no_memory.rules,
            {
                one: observed_day(data.digest, [*world.look({one: data.filled}).values()], whole=True)
                for one, data in found.days.items()
            },
        )
        all_read = world.check(newest, everything)
        assert aided.newest == scratch.newest == all_read.newest
        assert bool(scratch.problems) <= bool(aided.problems) <= bool(all_read.problems)


@given(changes=CHANGES)
def test_a_memory_is_read_as_it_was_written(changes: list[Any]) -> None:
    world = world_of(window_days=6)
    for day, part, body, _ in changes:
        world.put(day, body or GOOD, f"part-{part}.csv")
    memory = world.check(NEWEST).memory
    assert unpacked(packed(memory), memory.rules) == memory
