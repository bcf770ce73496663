"""Drives are read from folders, and clips are drawn evenly over the steering."""

import numpy as np
import pytest
from PIL import Image

from attention_zoo.pipelines.datasets.dirt import Dirt
from attention_zoo.pipelines.datasets.drives import Drive, all_clips, balanced_clips, read_drives, read_folder
from attention_zoo.pipelines.engine.errors import UserError


def write_drive(folder, times, lines=None, header="timestamp,frame,steering"):
    (folder / "frames").mkdir(parents=True)
    for number in range(len(times)):
        Image.fromarray(np.full((6, 8, 3), 10 * number, "uint8")).save(folder / "frames" / f"{number}.png")
    lines = lines or [f"{time},{number}.png,{number / 10}" for number, time in enumerate(times)]
    (folder / "steering.csv").write_text("\n".join([header, *lines]) + "\n")
    return folder


def drive(steering):
    return Drive("", np.zeros((len(steering), 1, 1, 3), "uint8"), np.float32(steering))


def test_a_folder_is_read_in_its_order_and_cut_where_it_paused(tmp_path):
    folder = write_drive(tmp_path / "a", [0.0, 0.1, 0.2, 9.0, 9.1])
    first, second = read_folder(folder, (3, 4), Dirt())
    assert (len(first), len(second)) == (3, 2)
    assert first.frames.shape == (3, 3, 4, 3) and first.frames[:, 0, 0, 0].tolist() == [0, 10, 20]
    np.testing.assert_allclose(second.steering, [0.3, 0.4], atol=1e-6)


def test_the_last_drives_are_validation_and_test(tmp_path, capsys):
    for name, count in (("a", 3), ("b", 4), ("c", 5), ("d", 6)):
        write_drive(tmp_path / name, np.arange(count) / 10)
    (tmp_path / "__MACOSX").mkdir()
    drives, version = read_drives("", str(tmp_path), (3, 4))
    assert {split: [len(drive) for drive in found] for split, found in drives.items()} == {
        "train": [3, 4],
        "validation": [5],
        "test": [6],
    }
    assert version.count("SHA-256") == 4
    assert capsys.readouterr().out == "of 4 drives, c for validation, d for test, the others for training\n"


def test_drives_may_be_split_already(tmp_path):
    for place, count in (("test/a", 3), ("train/b", 4), ("validation/c", 5)):
        write_drive(tmp_path / place, np.arange(count) / 10)
    drives, _ = read_drives("", str(tmp_path), (3, 4))
    assert [len(drives[split][0]) for split in ("train", "validation", "test")] == [4, 5, 3]


def test_dev_and_test_drives_may_be_elsewhere(tmp_path):
    for place, count in (("mine/b", 4), ("mine/c", 5), ("mine/a", 3), ("later/d", 6), ("later/e", 7)):
        write_drive(tmp_path / place, np.arange(count) / 10)
    drives, version = read_drives("", str(tmp_path / "mine"), (3, 4), test=str(tmp_path / "later"))
    lengths = {split: sorted(map(len, found)) for split, found in drives.items()}
    assert lengths == {"train": [3, 4], "validation": [5], "test": [6, 7]}
    assert version.count("SHA-256") == 5
    with pytest.raises(UserError, match="--data.dev: expected a folder with drives, each a folder with steering.csv"):
        read_drives("", str(tmp_path / "mine"), (3, 4), dev=str(tmp_path / "none"))


def test_too_few_drives_are_refused(tmp_path):
    for name in "ab":
        write_drive(tmp_path / name, np.arange(3) / 10)
    (tmp_path / "empty").mkdir()
    for folder in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(UserError, match="--data.folder: expected 3 drives at least"):
            read_drives("", str(folder), (3, 4))


FAULTS = {
    "a line other than two numbers around a file name": ["2,2.png,x", "2,2.png", '2,"2.png,0'],
    "a timestamp that does not grow": ["1,2.png,0"],
    "numbers that are not finite": ["2,2.png,nan"],
    "a missing file": ["1.1,9.png,0"],
    "an empty file": ["1.2,empty.png,0"],
    "no image inside": ["1.3,text.png,0"],
    "an image that cannot be decoded": ["1.4,cut.png,0"],
}


def test_frames_with_faults_are_skipped_and_named(tmp_path):
    bad = [line for lines in FAULTS.values() for line in lines]
    folder = write_drive(tmp_path / "a", [0, 1, 2, 3], ["0,0.png,0", "1,1.png,0", *bad, "3,3.png,0"])
    (folder / "frames" / "empty.png").write_bytes(b"")
    (folder / "frames" / "text.png").write_text("hello")
    (folder / "frames" / "cut.png").write_bytes((folder / "frames" / "0.png").read_bytes()[:-16])
    dirt, number = Dirt(), 4
    (drive,) = read_folder(folder, (3, 4), dirt)
    assert drive.frames[:, 0, 0, 0].tolist() == [0, 10, 30]
    for kind, lines in FAULTS.items():
        count, places = dirt.faults[kind]
        assert count == len(lines)
        for place in places:
            assert place.startswith(f"{folder / 'steering.csv'}, line {number}")
            number += 1


def test_one_pass_finds_the_faults_of_all_folders(tmp_path, capsys):
    folders = [write_drive(tmp_path / name, np.arange(4) / 10) for name in "abc"]
    for folder in folders[:2]:
        (folder / "frames" / "2.png").unlink()
    drives, version = read_drives("", str(tmp_path), (3, 4))
    assert version.endswith(", without 2 faults")
    assert [len(drive) for split in drives.values() for drive in split] == [3, 3, 4]
    assert "\nskipped 2 with a missing file:\n" in capsys.readouterr().out
    with pytest.raises(UserError, match="(?s)--data.strict: expected no faults, received 2\n.*a/frames.*b/frames"):
        read_drives("", str(tmp_path), (3, 4), strict=True)
    for folder in folders[1:]:
        (folder / "steering.csv").write_text("timestamp,frame,steering\n0,0.png,0\n")
    with pytest.raises(UserError, match="(?s)b/steering.csv: expected two frames at least, received 1\n.*c/steering"):
        read_drives("", str(tmp_path), (3, 4))


def test_a_missing_file_and_another_header_are_said(tmp_path):
    with pytest.raises(UserError, match="expected .*steering.csv with timestamp,frame,steering"):
        read_folder(tmp_path, (3, 4), Dirt())
    with pytest.raises(UserError, match="expected the first line timestamp,frame,steering; received time,frame,angle"):
        read_folder(write_drive(tmp_path / "a", [0, 1], header="time,frame,angle"), (3, 4), Dirt())


def test_clips_stay_within_a_drive():
    clips = all_clips([drive(np.zeros(5)), drive(np.zeros(2)), drive(np.zeros(3))], 3, stride=1)
    assert clips.tolist() == [[0, 0], [0, 1], [0, 2], [2, 0]]
    assert all_clips([drive(np.zeros(7))], 3, stride=3).tolist() == [[0, 0], [0, 3]]
    with pytest.raises(UserError, match="expected a drive of 9 frames at least; the longest has 7"):
        all_clips([drive(np.zeros(7))], 9, stride=1)


def test_balanced_clips_see_rare_bends_more_often_than_their_share():
    steering = np.zeros(1000)
    steering[::20] = 0.3  # one frame in twenty
    drawn = balanced_clips([drive(steering)], 1, 4000, np.random.default_rng(0))
    share = (steering[drawn[:, 1]] > 0).mean()
    assert 0.3 < share < 0.4  # a tenth of the straight frames' weight at most: 50 / 95 against 950 / 950
