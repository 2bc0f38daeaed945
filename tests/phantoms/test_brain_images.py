"""Images to distort: the template, a user's folder, and files that are no volume."""

import nibabel
import numpy as np
import pytest

from mrrepro.phantoms.brain_images import breast_image, fit_slice, folder_images, load_volume, mni152_images


def write(path, data, affine=True):
    nibabel.save(nibabel.Nifti1Image(data, np.diag([1.0, 1.0, 2.0, 1.0]) if affine else None), path)


def head(seed):
    data = np.zeros((40, 50, 30), dtype=np.float32)
    data[8:32, 10:40, 4:26] = np.random.default_rng(seed).uniform(50, 100, (24, 30, 22))
    return data


def test_mni152_slices_fit_the_field_of_view():
    images = mni152_images(64)
    for stack in (images.train, images.test):
        assert stack.shape[1:] == (64, 64)
        assert stack.min() == 0.0
        assert stack.max() == 1.0
        assert (stack[:, 0] == 0).all()  # air around the head
    share = (images.train > 0.1).mean(axis=(1, 2))
    assert share.min() > 0.2  # every slice shows a good part of the brain
    assert len(images.checksums) == 1


def test_a_folder_is_split_by_volume(tmp_path):
    for index in range(5):
        write(tmp_path / f"subject{index}.nii.gz", head(index))
    images = folder_images(tmp_path, 32, slices_per_volume=3)
    assert images.train.shape == (12, 32, 32)
    assert images.test.shape == (3, 32, 32)
    alone = load_volume(tmp_path / "subject4.nii.gz")
    np.testing.assert_array_equal(images.test[0], fit_slice(alone[:, :, 12], 32))
    assert set(images.checksums) == {f"subject{index}.nii.gz" for index in range(5)}


def test_bad_volumes_are_told_apart(tmp_path):
    write(tmp_path / "four.nii", np.zeros((4, 4, 4, 2), dtype=np.float32))
    write(tmp_path / "nowhere.nii", head(0), affine=False)
    broken = head(0)
    broken[9, 11, 5] = np.nan
    write(tmp_path / "nan.nii", broken)
    (tmp_path / "login.nii.gz").write_text("<html>please log in</html>")
    for name, message in (
        ("four.nii", "3D volume"),
        ("nowhere.nii", "no affine"),
        ("nan.nii", "finite"),
        ("login.nii.gz", "cannot be read"),
    ):
        with pytest.raises(ValueError, match=message):
            load_volume(tmp_path / name)
    with pytest.raises(ValueError, match="at least two"):
        folder_images(tmp_path / "missing", 32)


def test_an_empty_slice_is_refused():
    with pytest.raises(ValueError, match="no signal"):
        fit_slice(np.zeros((20, 20)), 32)


def test_breasts_differ_and_are_images():
    first, second = (breast_image(64, np.random.default_rng(seed)) for seed in (0, 1))
    assert first.shape == (64, 64)
    assert 0.0 <= first.min() <= first.max() <= 1.0
    assert np.abs(first - second).mean() > 0.02
