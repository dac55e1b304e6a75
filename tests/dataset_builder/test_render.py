"""Effects, shapes, statistics, edit lists and MP4 files: everything between a clip and a row's videos."""

from __future__ import annotations

import io
from collections import Counter
from dataclasses import replace
from itertools import pairwise

import av
import numpy as np
import pytest

from dataset_builder.media.clip import Clip
from dataset_builder.media.effects import EFFECTS, apply_effect
from dataset_builder.media.frame import Frame, decode_jpeg, encode_jpeg
from dataset_builder.media.measure import measure
from dataset_builder.media.mp4 import encode_pictures, read_mp4, write_mp4
from dataset_builder.media.render import render
from dataset_builder.media.shapes import draw_shape
from dataset_builder.tasks.anomalies import ANOMALIES, PIXEL_EFFECTS
from dataset_builder.tasks.edits import CLIP, DONOR, EditList, Effect, OutputClip, Shape, Track, unedited


def scene(seed: int = 0, height: int = 192, width: int = 320) -> Frame:
    """Smooth colour with some detail, nowhere symmetric or grey."""
    rng = np.random.default_rng(seed)
    ramp = np.linspace(0, 1, width)[None, :, None] * [180, 40, -120] + np.linspace(0, 60, height)[:, None, None] + [30, 60, 150]
    blocks = np.kron(rng.integers(-25, 25, (height // 16, width // 16, 3)), np.ones((16, 16, 1)))
    return np.clip(ramp + blocks, 0, 255).astype(np.uint8)


def clip_of(frames: list[Frame], step: float = 0.3, pictures: bool = False) -> Clip:
    times = [round(step * k, 3) for k in range(len(frames))]
    stats = measure(frames, times, step * len(frames), "test")
    clip = Clip(tuple(map(encode_jpeg, frames)), tuple(times), stats)
    return replace(clip, h264=tuple(encode_pictures(enumerate(clip.jpegs)))) if pictures else clip


def panning(count: int = 12) -> list[Frame]:
    wide = scene(1, width=640)
    return [np.ascontiguousarray(wide[:, 8 * k : 8 * k + 320]) for k in range(count)]


def psnr(one: Frame, other: Frame) -> float:
    error = np.mean((one.astype(float) - other) ** 2)
    return float(10 * np.log10(255**2 / max(error, 1e-9)))


def test_every_pixel_anomaly_has_its_effect() -> None:
    assert set(EFFECTS) == {*PIXEL_EFFECTS, "blank"}


@pytest.mark.parametrize("name", PIXEL_EFFECTS)
def test_effects_keep_the_shape_and_grow_with_strength(name: str) -> None:
    frame = scene()
    original = frame.copy()
    changes = []
    for strength in (0.25, 0.5, 1.0):
        out = apply_effect(name, frame, ANOMALIES[name].parameter(strength), 2, 5)
        assert out.shape == frame.shape
        assert out.dtype == np.uint8
        changes.append(np.abs(out.astype(int) - frame).mean())
    assert np.array_equal(frame, original)
    assert changes[-1] > 5
    assert changes == sorted(changes)
    assert np.array_equal(out, apply_effect(name, frame, ANOMALIES[name].parameter(1.0), 2, 5))


def test_effects_do_what_they_are_called() -> None:
    frame = scene()

    def done(name: str) -> Frame:
        return apply_effect(name, frame, ANOMALIES[name].parameter(1.0), 0, 0)

    assert np.array_equal(done("mirror"), frame[:, ::-1])
    assert np.array_equal(done("rotate_180"), frame[::-1, ::-1])
    assert np.array_equal(done("channel_swap"), frame[..., ::-1])
    assert np.array_equal(done("invert"), 255 - frame)
    assert np.ptp(done("grayscale"), axis=2).max() == 0
    assert done("zoom_out")[0].max() == 0
    # turned by a quarter, the red that grows to the right grows downwards (clockwise) or upwards
    for name, sign in (("rotate_90", 1), ("rotate_270", -1)):
        red = done(name)[..., 0].astype(int)
        assert sign * (red[-20:].mean() - red[:20].mean()) > 30


@pytest.mark.parametrize(("kind", "area"), [("circle", np.pi), ("square", 2.0), ("triangle", 3 * 3**0.5 / 4)])
@pytest.mark.parametrize("angle", [0.0, 0.7, 2.9])
def test_shapes_have_their_size_place_and_colour(kind: str, area: float, angle: float) -> None:
    frame = np.zeros((192, 320, 3), np.uint8)
    draw_shape(frame, Shape(kind, 0, 100.5, 80.25, 30.0, angle, (250, 120, 10)))
    covered = frame[..., 0] / 250
    assert covered.sum() == pytest.approx(area * 900, rel=0.1)  # OpenCV draws its edges half a pixel wide
    ys, xs = np.nonzero(covered > 0.5)
    assert (xs.mean(), ys.mean()) == pytest.approx((100.5, 80.25), abs=0.8)
    assert np.hypot(xs - 100.5, ys - 80.25).max() <= 31
    assert tuple(frame[80, 100]) == (250, 120, 10)


def test_statistics_tell_what_can_be_seen() -> None:
    lively = measure(panning(), [0.1 * k for k in range(12)], 1.2, "a").visibility
    assert min(min(values) for values in lively.values()) > 3
    grey = np.repeat(scene()[..., :1], 3, axis=2)
    assert max(measure([grey, grey], [0, 1], 2, "b").visibility["channel_swap"]) < 1
    symmetric = np.concatenate([scene()[:, :160], scene()[:, :160][:, ::-1]], axis=1)
    stats = measure([symmetric, symmetric], [0, 1], 2, "c")
    assert max(stats.visibility["mirror"]) < 1
    assert stats.motion == (0.0, 0.0)
    assert stats.distance(0, 1) == 0


def test_backgrounds_are_found_where_they_are() -> None:
    frame = np.full((192, 320, 3), 40, np.uint8)
    frame[:96, :160] = (200, 10, 10)
    stats = measure([frame, frame], [0, 1], 2, "d")
    assert {cell[:3] for cell in stats.cells(0, 50, 40, 12)} == {(200, 10, 10)}
    assert {cell[:3] for cell in stats.cells(0, 260, 150, 12)} == {(40, 40, 40)}
    assert len({cell[:3] for cell in stats.cells(0, 160, 40, 25)}) == 2


def test_untouched_frames_are_the_stored_ones() -> None:
    clip = clip_of(panning(), pictures=True)
    edits = EditList((OutputClip(unedited(12), effects=(Effect("mirror", 4, 8, 1.0),)),))
    (video,) = render(clip, edits)
    for at, (jpeg, frame) in enumerate(zip(video.jpegs(), video.frames(), strict=True)):
        if 4 <= at < 8:
            assert np.array_equal(frame, clip.frame(at)[:, ::-1])
            assert psnr(decode_jpeg(jpeg), frame) > 30
        else:
            assert jpeg is clip.jpegs[at]


@pytest.mark.parametrize(
    "frames",
    [unedited(12), tuple((CLIP, k) for k in (3, 2, 1, 0, 7, 7, 7, 9)), tuple((CLIP, k) for k in range(5, 11)), ((CLIP, 4), (DONOR, 3), (CLIP, 5))],
)  # fmt: skip
def test_mp4s_show_the_rendered_frames_at_their_times(frames: tuple[tuple[int, int], ...]) -> None:
    clip, donor = clip_of(panning(), pictures=True), clip_of([scene(9, 320, 192)] * 12)
    edits = EditList((OutputClip(frames, shapes=(Shape("circle", 1, 90.0, 80.0, 20.0, 0.0, (255, 0, 0)),)),))
    (video,) = render(clip, edits, donor)
    data = video.mp4()
    shown, times = read_mp4(data)
    assert times == list(video.times)
    assert min(psnr(a, b) for a, b in zip(shown, video.frames(), strict=True)) > 34
    # pictures that are at hand make the same file as encoding all anew
    assert render(replace(clip, h264=None), edits, donor)[0].mp4() == data


def test_neighbouring_pictures_have_different_numbers() -> None:
    """H.264 wants IDR pictures that follow each other to carry different idr_pic_id."""
    clip = clip_of(panning(), pictures=True)
    order = tuple((CLIP, k) for k in (4, 6, 8, 3, 3, 2, 11, 0))
    (video,) = render(clip, EditList((OutputClip(order),)))
    with av.open(io.BytesIO(video.mp4()), "r") as container:
        packets = [bytes(packet) for packet in container.demux(video=0) if packet.size]
    numbers = [_idr_pic_id(packet) for packet in packets]
    assert len(numbers) == 8
    assert all(a != b for a, b in pairwise(numbers))


def _idr_pic_id(packet: bytes) -> int:
    """Read it from the slice header: first_mb_in_slice, slice_type, pic_parameter_set_id, frame_num (4 bits), idr_pic_id."""
    at = 0
    while packet[at + 4] & 31 != 5:
        at += 4 + int.from_bytes(packet[at : at + 4], "big")
    bits = "".join(f"{byte:08b}" for byte in packet[at + 5 : at + 25])
    position = 0

    def golomb() -> int:
        nonlocal position
        zeros = bits.index("1", position) - position
        value = int(bits[position + zeros : position + 2 * zeros + 1], 2) - 1
        position += 2 * zeros + 1
        return value

    for _ in range(3):
        golomb()
    position += 4
    return golomb()


def test_torchcodec_reads_the_same_frames_and_times() -> None:
    from torchcodec.decoders import VideoDecoder

    clip = clip_of(panning(), step=0.377, pictures=True)
    (video,) = render(clip, EditList((OutputClip(unedited(12), effects=(Effect("blur", 2, 4, 0.02),)),)))
    decoder = VideoDecoder(video.mp4())
    batch = decoder.get_frames_in_range(0, 12)
    assert decoder.metadata.num_frames == 12
    assert batch.pts_seconds.tolist() == list(video.times)
    assert decoder.metadata.duration_seconds == pytest.approx(video.end)
    for tensor, frame in zip(batch.data, read_mp4(video.mp4())[0], strict=True):
        assert psnr(tensor.permute(1, 2, 0).numpy(), frame) > 40


def test_a_donor_fills_the_frame_whatever_its_shape() -> None:
    clip, donor = clip_of(panning()), clip_of([scene(5, 320, 192)] * 12)
    (video,) = render(clip, EditList((OutputClip(tuple((DONOR if 3 <= k < 6 else CLIP, k) for k in range(12))),)), donor)
    assert Counter(frame.shape for frame in video.frames()) == {(192, 320, 3): 12}
    assert psnr(video.frames()[4], clip.frame(4)) < 20
    with pytest.raises(ValueError, match="second video"):
        render(clip, EditList((OutputClip(((DONOR, 0),)),)))


def test_times_must_be_milliseconds_and_stay_so() -> None:
    pictures = encode_pictures((k, scene(k)) for k in range(3))
    assert read_mp4(write_mp4(pictures, [0.0, 0.001, 7.123], 9.5, 320, 192))[1] == [0.0, 0.001, 7.123]


def test_tiles_are_moved_and_nothing_else() -> None:
    clip = clip_of(panning(2))
    [video] = render(clip, EditList((OutputClip(unedited(2), tiles=(3, 2, 0, 1)),)))
    picture, frame = video.frames()[1], clip.frame(1)
    places = [np.s_[:96, :160], np.s_[:96, 160:], np.s_[96:, :160], np.s_[96:, 160:]]
    for place, tile in zip(places, (3, 2, 0, 1), strict=True):
        assert (picture[place] == frame[places[tile]]).all()


@pytest.mark.parametrize("side", [3, 5, 6])
def test_tiles_that_differ_in_size_by_a_pixel_fill_the_picture(side: int) -> None:
    clip = clip_of([scene()])
    shown = tuple(reversed(range(side * side)))
    [video] = render(clip, EditList((OutputClip(unedited(1), tiles=shown),)))
    restored = clip_of([video.frames()[0]])
    [back] = render(restored, EditList((OutputClip(unedited(1), tiles=shown),)))
    assert psnr(back.frames()[0], clip.frame(0)) > 25


def test_a_view_shows_its_part_of_the_frame() -> None:
    clip = clip_of([scene(), scene()])
    whole, part = ((0.5, 0.5, 1.0), (0.25, 0.75, 0.5))
    [video] = render(clip, EditList((OutputClip(unedited(2), views=(whole, part)),)))
    first, second = video.frames()
    assert (first == clip.frame(0)).all()
    enlarged = np.kron(clip.frame(1)[96:, :160], np.ones((2, 2, 1), np.uint8))
    assert psnr(second, enlarged) > 28


def test_a_track_is_drawn_where_it_goes_and_nowhere_else() -> None:
    clip = clip_of(panning(4))
    track = Track("circle", 1, ((60.0, 50.0), (90.0, 50.0)), 12.0, (255, 255, 255), (0, 0, 0))
    edits = EditList((OutputClip(unedited(4), tracks=(track,)),))
    assert EditList.from_json(edits.to_json()) == edits
    [video] = render(clip, edits)
    assert sorted(video.drawn) == [1, 2] == sorted(edits.clips[0].edited)
    frames = video.frames()
    assert frames[1][50, 60].min() == 255
    assert frames[1][50, 60 + 11].max() < 30
    assert (frames[2][50, 60] == clip.frame(2)[50, 60]).all()


def test_the_cameras_moves_are_measured() -> None:
    stats = measure(panning(6), [0.1 * k for k in range(6)], 0.6, "x")
    assert all(value == pytest.approx(-8 / 320, abs=0.01) for value in stats.pan_x[1:])
    assert all(abs(value) < 0.01 for value in (*stats.pan_y, *stats.zoom))
    clip = clip_of([scene(), scene(), scene()])
    [video] = render(clip, EditList((OutputClip(unedited(3), views=((0.5, 0.5, 1.0), (0.5, 0.5, 0.94), (0.5, 0.5, 0.88))),)))
    closer = measure(video.frames(), [0, 1, 2], 3, "x")
    assert all(0.01 < value < 0.06 for value in closer.zoom[1:])
