"""Sizes of the square crops of samples."""


def require_crop_size(crop_size: int, short_side: int | None = None) -> None:
    """Raise ValueError unless networks take the crop, and frames whose shorter side is `short_side` hold it."""
    if crop_size < 16 or crop_size % 16:
        raise ValueError(f"crop_size is {crop_size}, it must be a multiple of 16 (the stride of the networks)")
    if short_side is not None and short_side < crop_size:
        raise ValueError(f"short_side is {short_side}, it must be at least crop_size, {crop_size}")
