"""Assets are dealt without replacement, held-out models stay held out, and the poison list moves no other deal."""

import dataclasses
import hashlib
import pickle

import pytest
from vosforge.render.assets.pool import KINDS, Asset, AssetPool, ledger_rows
from vosforge.render.scene import AssetReference


def models(count, **changes):
    names = [f"models/{number:04d}.obj" for number in range(count)]
    return tuple(
        Asset(name=name, kind="model", path=f"/{name}", sha256=hashlib.sha256(name.encode()).hexdigest(), **changes)
        for name in names
    )


def dealt(pool, count, split="train", kind="model", seed=3):
    return [pool.deal(kind, seed, position, split).name for position in range(count)]


def test_a_cycle_deals_every_asset_once_and_cycles_differ():
    names = dealt(AssetPool(assets=models(40)), 80)
    assert len(set(names[:40])) == len(set(names[40:])) == 40
    assert names[:40] != names[40:]


def test_procedural_draws_never_repeat_not_even_between_the_splits():
    for kind in KINDS:
        names = [name for split in ("train", "val") for name in dealt(AssetPool(), 200, split, kind)]
        assert len(set(names)) == 400


def test_held_out_models_are_dealt_to_validation_clips_alone():
    pool = AssetPool(assets=models(200), val_share=0.2)
    train, val = set(dealt(pool, 400)), set(dealt(pool, 400, "val"))
    assert not train & val and len(train | val) == 200
    assert 20 <= len(val) <= 60


def test_a_model_keeps_its_split_when_others_come_or_go():
    few, many = (AssetPool(assets=models(count), val_share=0.2) for count in (60, 200))
    assert [few.split(asset) for asset in few.assets] == [many.split(asset) for asset in many.assets[:60]]


def test_two_models_are_enough_for_both_splits_and_one_serves_both():
    for share in (1e-6, 0.999999):
        pool = AssetPool(assets=models(2), val_share=share)
        assert sorted(pool.split(asset) for asset in pool.assets) == ["train", "val"]
        smallest = min(pool.assets, key=lambda asset: asset.sha256)
        assert pool.split(smallest) == "val"
    alone = AssetPool(assets=models(1), val_share=0.5)
    assert set(dealt(alone, 3)) == set(dealt(alone, 3, "val"))


def test_copies_of_one_model_are_on_the_same_side():
    twins = tuple(dataclasses.replace(asset, name=f"copy/{asset.name}") for asset in models(50))
    pool = AssetPool(assets=models(50) + twins, val_share=0.3)
    assert [pool.split(asset) for asset in pool.assets[:50]] == [pool.split(asset) for asset in pool.assets[50:]]


def test_a_poisoned_model_is_passed_over_and_no_other_deal_moves():
    pool = AssetPool(assets=models(30))
    before = dealt(pool, 90)
    poisoned = before[4]
    after = dealt(dataclasses.replace(pool, poisoned=frozenset({poisoned})), 90)
    assert poisoned not in after
    assert [name for name in before if name != poisoned] == [
        new for new, old in zip(after, before, strict=True) if old != poisoned
    ]
    assert pool.fingerprint() == dataclasses.replace(pool, poisoned=frozenset({poisoned})).fingerprint()


def test_a_wholly_poisoned_folder_is_named():
    pool = AssetPool(assets=models(2), poisoned=frozenset(asset.name for asset in models(2)))
    with pytest.raises(ValueError, match="all 2 train models are on the poison list"):
        pool.deal("model", 0, 0)


def test_what_a_scene_can_ask_is_part_of_the_fingerprint():
    pool = AssetPool(assets=models(3))
    changed = [AssetPool(assets=models(3, rigged=True)), AssetPool(assets=models(3), val_share=0.5)]
    assert len({entry.fingerprint() for entry in (pool, *changed)}) == 3


def test_a_reference_leads_back_to_its_measurements():
    pool = AssetPool(assets=models(3, faces=7, animated=True))
    assert pool.asset(pool.deal("model", 0, 1)).faces == 7
    assert pool.asset(AssetPool().deal("model", 0, 1)) is None
    with pytest.raises(ValueError, match=r"'models/gone.obj' is no asset of the folders of this run"):
        pool.asset(AssetReference(name="models/gone.obj", path="/models/gone.obj"))


def test_a_pool_travels_without_its_caches():
    pool = AssetPool(assets=models(100), val_share=0.1)
    untouched = len(pickle.dumps(pool))
    first = dealt(pool, 50)
    assert len(pickle.dumps(pool)) == untouched
    assert dealt(pickle.loads(pickle.dumps(pool)), 50) == first


def test_the_ledger_says_which_split_a_model_serves_and_what_is_poisoned():
    pool = AssetPool(assets=models(20), val_share=0.3, poisoned=frozenset({"models/0003.obj"}))
    rows = ledger_rows(pool, ["models/0001.obj"])
    assert {row["split"] for row in rows} == {"train", "val"}
    assert [rows[1]["status"], rows[2]["status"], rows[3]["status"]] == ["used", "unused", "poisoned"]
