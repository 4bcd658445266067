"""The store: a whole file or none, by crash, full disk and overtaking."""

import os
import signal
import stat
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from activities.parcels import open_parcel
from activities.store import FileStore, StoreError
from tests.activities.parcel_samples import KEY, REQUEST, export, lines, opened, pack

ROOT = Path(__file__).parents[2]
NAME = f"{REQUEST}/shop.spool"


def everything_in(folder: Path) -> list[str]:
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


def put(store: FileStore, body: bytes, name: str = NAME) -> None:
    with store.write(name) as sink:
        sink.write(body)


def get(store: FileStore, name: str = NAME) -> bytes:
    with store.read(name) as source:
        return source.read(1 << 20)


def test_only_the_worker_may_look_into_the_store(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        put(FileStore(tmp_path / "deep" / "store"), b"x")
    finally:
        os.umask(old)
    modes = {
        p.name: stat.S_IMODE(p.stat().st_mode)
        for p in (tmp_path / "deep" / "store", *(tmp_path / "deep" / "store").rglob("*"))
    }
    assert modes == {"store": 0o700, REQUEST: 0o700, "shop.spool": 0o600}


@pytest.mark.parametrize(
    "name",
    [
        "../x.spool",
        "r1/../../x.spool",
        "/etc/passwd",
        "r1",
        "r1/a/b.spool",
        "r1/.x.part",
        "R1/x.spool",
        "r1/x.spool\n",
        "",
    ],
)
def test_a_name_cannot_lead_out_of_the_store(tmp_path: Path, name: str) -> None:
    store = FileStore(tmp_path / "store")
    with pytest.raises(ValueError, match="is not a name of the parcel store"):
        put(store, b"x", name)
    assert everything_in(tmp_path) == []


def test_until_the_new_file_is_whole_the_old_one_is_read(tmp_path: Path) -> None:
    store = FileStore(tmp_path)
    put(store, b"old")
    with store.write(NAME) as sink:
        sink.write(b"new")
        assert get(store) == b"old"
    assert get(store) == b"new"


def test_a_reader_keeps_the_file_it_began_with(tmp_path: Path) -> None:
    store = FileStore(tmp_path)
    put(store, b"old")
    with store.read(NAME) as source:
        put(store, b"new")
        assert source.read(10) == b"old"
        source.seek(0)
        assert source.read(10) == b"old"


def test_the_newest_attempt_wins_and_the_overtaken_one_fails(tmp_path: Path) -> None:
    store = FileStore(tmp_path)

    def frozen() -> None:
        with store.write(NAME) as sink:
            sink.write(b"frozen")
            put(store, b"newest")

    with pytest.raises(StoreError, match="a later attempt"):
        frozen()
    assert get(store) == b"newest"
    assert everything_in(tmp_path) == [NAME]


def test_delete_again_changes_nothing(tmp_path: Path) -> None:
    store = FileStore(tmp_path)
    put(store, b"x")
    put(store, b"y", f"{REQUEST}/parcel.zip.sealed")
    store.delete(NAME)
    store.delete(NAME)
    assert not store.exists(NAME)
    assert store.exists(f"{REQUEST}/parcel.zip.sealed")
    store.delete(f"{REQUEST}/parcel.zip.sealed")
    assert list(tmp_path.iterdir()) == []


def test_delete_takes_what_unfinished_attempts_left_too(tmp_path: Path) -> None:
    store = FileStore(tmp_path)
    put(store, b"x")
    left = tmp_path / REQUEST / ".shop.spool.0123456789abcdef.part"
    left.write_bytes(b"a killed attempt")
    store.delete(NAME)
    assert list(tmp_path.iterdir()) == []


KILLED = textwrap.dedent(
    """
    import secrets, sys, time
    from pathlib import Path
    from activities.parcels import package, spool
    from activities.store import FileStore
    from tests.activities.parcel_samples import AT, KEY, REQUEST, export, facts, lines, no_beat

    root, unfinished = Path(sys.argv[1]), sys.argv[2]
    store = FileStore(root)
    rows = ({"id": n, "note": secrets.token_hex(150)} for n in range(20_000))

    def beat():
        # Far into the file, say so and wait for the kill.
        if any(part.stat().st_size > 500_000 for part in root.rglob(f".{unfinished}.*")):
            print("now", flush=True)
            time.sleep(60)

    spool(store, REQUEST, "shop", [export("orders", lines(rows))], key=KEY, beat=beat)
    package(store, REQUEST, ["shop"], key=KEY, facts=facts(), as_of=AT, beat=beat)
    """
)


@pytest.mark.parametrize("unfinished", ["shop.spool", "parcel.zip.sealed"])
def test_a_kill_in_mid_write_leaves_nothing_half_done_and_a_retry_works(tmp_path: Path, unfinished: str) -> None:
    root = tmp_path / "store"
    worker = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(root), unfinished], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert worker.stdout is not None
    with worker.stdout as said:
        assert said.readline() == "now\n"
        worker.send_signal(signal.SIGKILL)
        worker.wait()
    store = FileStore(root)
    assert not store.exists(f"{REQUEST}/{unfinished}")
    assert [name for name in everything_in(root) if f"/.{unfinished}." in name]
    bag = opened(store, tmp_path, [export("orders", lines([{"id": 1}]))])
    assert (bag / "data/shop/orders.jsonl").read_bytes() == b'{"id":1}\n'
    assert everything_in(root) == [f"{REQUEST}/parcel.zip.sealed", NAME]


FULL = textwrap.dedent(
    """
    import resource, secrets, sys
    from pathlib import Path
    from activities.parcels import StoreFull, package, spool
    from activities.store import FileStore
    from tests.activities.parcel_samples import AT, KEY, REQUEST, export, facts, lines, no_beat

    store = FileStore(Path(sys.argv[1]))
    if len(sys.argv) > 2:
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), int(sys.argv[2])))
    rows = ({"id": n, "note": secrets.token_hex(300)} for n in range(20_000))
    try:
        spool(store, REQUEST, "shop", [export("orders", lines(rows))], key=KEY, beat=no_beat)
    except StoreFull as error:
        print(error)
    """
)


def assert_a_full_disk_is_said(root: Path, *limit: str) -> None:
    store = FileStore(root)
    put(store, b"what was there before")
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(root), *limit], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.stdout == "there is no room left to write shop.spool: free some, then try again\n", done.stderr
    assert get(store) == b"what was there before"
    assert everything_in(root) == [NAME]


def test_a_file_past_the_limit_is_said_and_leaves_nothing(tmp_path: Path) -> None:
    assert_a_full_disk_is_said(tmp_path, "1000000")


def test_a_full_disk_is_said_and_leaves_nothing(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small disk; the test above covers the same code by a limit")
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(tmp_path)], capture_output=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip("this machine does not let us mount a small disk")
    try:
        assert_a_full_disk_is_said(tmp_path)
    finally:
        subprocess.run(["umount", "-l", str(tmp_path)], check=True)


def test_a_full_disk_where_the_zip_goes_is_said_and_leaves_nothing(tmp_path: Path) -> None:
    store = FileStore(tmp_path / "store")
    pack(store, [export("orders", lines({"id": n} for n in range(200_000)))])
    script = textwrap.dedent(
        """
        import resource, sys
        from pathlib import Path
        from activities.parcels import StoreFull, open_parcel
        from activities.store import FileStore
        from tests.activities.parcel_samples import KEY, REQUEST
        store, out = FileStore(Path(sys.argv[1])), Path(sys.argv[2])
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
        try:
            open_parcel(store, REQUEST, KEY, out)
        except StoreFull as error:
            print(error)
        """
    )
    out = tmp_path / "out" / "anna.zip"
    out.parent.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "store"), str(out)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "no room left to write anna.zip" in done.stdout, done.stderr
    assert list(out.parent.iterdir()) == []
    assert open_parcel(store, REQUEST, KEY, out).size == out.stat().st_size
