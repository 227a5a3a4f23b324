"""A rebuild takes the files of the one before over only while the code that made them is the same, to the last file."""

from pathlib import Path

from magpie.indexer.generations.input_digest import digest_code


def test_the_digest_of_the_code_sees_every_folder_below(tmp_path: Path) -> None:
    nested = tmp_path / "room" / "cupboard" / "drawer.py"
    nested.parent.mkdir(parents=True)
    nested.write_text("SHARE = 0.5\n")
    before = digest_code([tmp_path])
    nested.write_text("SHARE = 0.6\n")
    changed = digest_code([tmp_path])
    nested.rename(tmp_path / "room" / "drawer.py")
    assert len({before, changed, digest_code([tmp_path])}) == 3


def test_the_digest_leaves_out_what_makes_no_index(tmp_path: Path) -> None:
    (tmp_path / "demo").mkdir()
    (tmp_path / "code.py").write_text("")
    before = digest_code([tmp_path])
    (tmp_path / "demo" / "make.py").write_text("")
    (tmp_path / "notes.txt").write_text("")
    assert digest_code([tmp_path]) == before
