"""Drives from folders, and clips that are drawn evenly over the steering."""

import numpy as np
import pytest
from PIL import Image

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
    first, second = read_folder(folder, (3, 4))
    assert (len(first), len(second)) == (3, 2)
    assert first.frames.shape == (3, 3, 4, 3) and first.frames[:, 0, 0, 0].tolist() == [0, 10, 20]
    np.testing.assert_allclose(second.steering, [0.3, 0.4], atol=1e-6)


def test_the_last_folders_are_validation_and_test(tmp_path):
    folders = [
        str(write_drive(tmp_path / name, np.arange(n) / 10)) for name, n in (("a", 3), ("b", 4), ("c", 5), ("d", 6))
    ]
    drives, version = read_drives("", folders, (3, 4))
    assert {split: [len(drive) for drive in found] for split, found in drives.items()} == {
        "train": [3, 4],
        "validation": [5],
        "test": [6],
    }
    assert version.count("SHA-256") == 4
    with pytest.raises(UserError, match="expected three drives at least.*received 2"):
        read_drives("", folders[:2], (3, 4))


@pytest.mark.parametrize(
    "lines, message",
    [
        (["0,0.png,x", "1,1.png,0"], "line 2: expected two numbers around a file name; received 0,0.png,x"),
        (["0,0.png,0", "1,1.png"], "line 3: expected two numbers"),
        (["1,0.png,0", "1,1.png,0"], "line 3: expected finite numbers, and timestamps that grow"),
        (["0,0.png,nan", "1,1.png,0"], "line 2: expected finite numbers"),
        (["0,9.png,0", "1,1.png,0"], "expected the image .*9.png; received: No such file"),
        (["0,0.png,0"], "expected two frames at least, received 1"),
    ],
)
def test_what_is_wrong_in_a_folder_is_said(tmp_path, lines, message):
    folder = write_drive(tmp_path / "a", [0, 1], lines)
    with pytest.raises(UserError, match=message):
        read_folder(folder, (3, 4))


def test_a_missing_file_another_header_and_a_frame_that_is_no_image_are_said(tmp_path):
    with pytest.raises(UserError, match="expected .*steering.csv with timestamp,frame,steering"):
        read_folder(tmp_path, (3, 4))
    with pytest.raises(UserError, match="expected the first line timestamp,frame,steering; received time,frame,angle"):
        read_folder(write_drive(tmp_path / "a", [0, 1], header="time,frame,angle"), (3, 4))
    folder = write_drive(tmp_path / "b", [0, 1])
    (folder / "frames" / "1.png").write_text("hello")
    with pytest.raises(UserError, match="1.png: expected a JPEG, PNG, GIF or BMP image"):
        read_folder(folder, (3, 4))


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
