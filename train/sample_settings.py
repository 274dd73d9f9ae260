"""The settings of a stage's samples as a whole: its own values over the defaults of the samples' dataclass."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, fields, is_dataclass
from importlib import import_module
from typing import Any, get_type_hints

from .kinds import fitted
from .stage import Stage

_CLASSES = {
    "clips": ("samples.triplets", "TripletSettings", "crop_size"),
    "tracklets": ("samples.tracklets", "TrackletSettings", "crop_size"),
    "stills": ("compositing.settings", "SequenceSettings", "size"),
    "corrections": ("samples.corrections", "StillCorrectionSettings", "crop_size"),
    "clicks": ("samples.click_samples", "ClickSampleSettings", "crop_size"),
    "foregrounds": ("samples.foregrounds", "ForegroundSettings", "crop_size"),
    "fusion": ("samples.fusion", "FusionSampleSettings", "crop_size"),
}
"""Kind of data -> module of datagen, dataclass of its samples, its field for the side of the crop."""


def settings_class(data: str) -> tuple[type, str]:
    """Return the dataclass of the samples of a kind of data (`Stage.data`), and its field for the side of the crop."""
    if data not in _CLASSES:
        raise ValueError(f"no samples of the kind '{data}'; choose one of {', '.join(_CLASSES)}")
    module, name, crop_name = _CLASSES[data]
    return getattr(import_module(f"..datagen.{module}", __package__), name), crop_name


def names_of_settings(data: str) -> list[str]:
    """Return the names that sample_settings may have; the crop is the stage's crop_size."""
    kind, crop_name = settings_class(data)
    return [field.name for field in fields(kind) if field.name != crop_name]


def sample_settings_of(stage: Stage, crop_size: int | None = None) -> Any:
    """Return the settings of the stage's samples, whole; crop_size None is the stage's.

    ValueError for a name that the samples have not, and for a value of another kind or out of its range.
    """
    kind, crop_name = settings_class(stage.data)
    declared, names = get_type_hints(kind), names_of_settings(stage.data)
    values = {}
    for name, value in stage.sample_settings.items():
        if name not in names:
            hint = "the crop is crop_size, --crop-size" if name == crop_name else f"choose one of {', '.join(names)}"
            raise ValueError(f"sample_settings of stage {stage.name}: no '{name}' in {kind.__name__}; {hint}")
        try:
            values[name] = fitted(declared[name], value)
        except ValueError as error:
            raise ValueError(f"sample_settings.{name} of stage {stage.name}: {error}") from error
    try:
        return kind(**{crop_name: stage.crop_size if crop_size is None else crop_size}, **values)
    except ValueError as error:
        raise ValueError(f"sample_settings of stage {stage.name}: {error}") from error


def whole_sample_settings(stage: Stage, crop_size: int | None = None) -> dict[str, Any]:
    """Return all settings of the stage's samples but the crop, nested dataclasses as dicts."""
    whole = asdict(sample_settings_of(stage, crop_size))
    return {name: whole[name] for name in names_of_settings(stage.data)}


def dotted(settings: Mapping[str, Any] | Any, before: str = "") -> Iterator[tuple[str, Any]]:
    """Yield every single value of nested mappings or dataclasses with its dotted name."""
    if is_dataclass(settings):
        settings = vars(settings)
    for name, value in settings.items():
        if is_dataclass(value) or isinstance(value, Mapping):
            yield from dotted(value, f"{before}{name}.")
        else:
            yield before + name, value


def names_set_by(stage: Stage) -> set[str]:
    """Return the dotted names of the sample settings that the stage sets; of a nested one, those not the default."""
    defaults = dict(dotted(settings_class(stage.data)[0]()))
    found = set()
    for name, value in stage.sample_settings.items():
        nested = is_dataclass(value) or isinstance(value, Mapping)
        found |= {one for one, number in dotted({name: value}) if not nested or number != defaults.get(one)}
    return found
