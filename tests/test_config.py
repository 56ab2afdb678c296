from pathlib import Path

import pytest

from uumamba.config import (
    RunConfig,
    config_directory,
    copy_config,
    dump_config,
    find_config,
    load_config,
    setting_keys,
    shipped_configs,
)
from uumamba.core.errors import ConfigError, InputError
from uumamba.core.labels import LabelSet
from uumamba.data.plan import Plan
from uumamba.models.topology import plan_topology


def test_every_shipped_configuration_is_good_and_says_what_it_is() -> None:
    shipped = shipped_configs()
    assert {"acdc", "acdc-2d", "acdc-3d-freqfusion", "acdc-freqfusion", "acdc-small", "demo"} <= set(shipped)
    for path in shipped.values():
        assert path.read_text(encoding="utf-8").startswith("# ")
        assert isinstance(load_config(path), RunConfig)
    assert all(path.parent == config_directory() for path in shipped.values())


def test_the_reference_is_what_uu_mamba_trains() -> None:
    config = load_config(find_config("acdc"))
    assert (config.network.generation, config.network.mamba) == ("v1", "encoder")
    assert config.plan.configuration == "3d_fullres"
    assert (config.training.epochs, config.training.iterations, config.training.clip_norm) == (250, 250, 12.0)
    assert config.rule.model_dump() == {
        "name": "sharpness_aware", "rho": 0.05, "rho_schedule": "constant", "rho_end": 0.0, "adaptive": False,
        "eta": 0.01, "synchronise_ascent": False,
    }  # fmt: skip
    assert config.schedule.model_dump() == {"name": "poly", "exponent": 0.9}
    assert config.optimizer.model_dump() == {
        "name": "sgd", "learning_rate": 0.01, "momentum": 0.99, "nesterov": True, "weight_decay": 3e-5,
    }  # fmt: skip
    assert config.loss.name == "uncertainty"


@pytest.mark.parametrize("name", sorted(shipped_configs()))
def test_a_dumped_configuration_reads_back_the_same(name: str, tmp_path: Path) -> None:
    config = load_config(find_config(name), ["seed=7", "optimizer.learning_rate=1e-3"])
    (tmp_path / "dumped.yaml").write_text(dump_config(config))
    assert load_config(tmp_path / "dumped.yaml") == config
    assert config.seed == 7
    assert config.optimizer.learning_rate == 0.001


def test_a_mapping_of_another_variant_replaces_its_branch_and_a_leaf_keeps_it() -> None:
    assert load_config(None, ["rule={name: plain}"]).rule.model_dump() == {"name": "plain"}
    assert load_config(None, ["rule.name=plain"]).rule.name == "plain"
    changed = load_config(None, ["rule.rho=0.1"]).rule
    assert (changed.name, changed.model_dump()["rho"]) == ("sharpness_aware", 0.1)
    assert load_config(None, ["optimizer={name: adamw}", "optimizer.learning_rate=1e-4"]).optimizer.name == "adamw"


@pytest.mark.parametrize("name", ["umamba", "no_mamba", "nnunet_plain", "nnunet_resenc_m"])
@pytest.mark.parametrize("shipped", sorted(shipped_configs()))
def test_every_network_by_one_setting(name: str, shipped: str, tmp_path: Path) -> None:
    config = load_config(find_config(shipped), [f"network.name={name}"])
    assert config.network.name == name
    (tmp_path / "dumped.yaml").write_text(dump_config(config))
    assert load_config(tmp_path / "dumped.yaml") == config


@pytest.mark.parametrize(("fused", "plain"), [("acdc-freqfusion", "acdc-small"), ("acdc-3d-freqfusion", "acdc")])
def test_the_shipped_configurations_with_freqfusion_differ_in_their_decoder_alone(fused: str, plain: str) -> None:
    config = load_config(find_config(fused))
    assert config.network.decoder.name == "freqfusion"
    assert load_config(find_config(fused), ["network.decoder.name=unet"]) == load_config(find_config(plain))


@pytest.mark.parametrize("name", ["imagecas", "aorta"])
def test_the_sister_for_24_gb_differs_in_its_memory_alone(name: str) -> None:
    reference = load_config(find_config(name))
    assert load_config(find_config(f"{name}-24gb")) == load_config(find_config(name), ["hardware.memory_gb=22"])
    small = load_config(find_config(f"{name}-small"))
    assert small.planning == reference.planning  # all three train from one work folder
    assert small.plan.configuration == reference.plan.configuration == "3d_fullres"


def test_another_decoder_does_not_inherit_settings() -> None:
    with pytest.raises(
        ConfigError, match=r"--set: network\.decoder\.name: must be one of 'unet', 'freqfusion', got 'x'"
    ):
        load_config(None, ["network.decoder.name=x"])
    message = r"network\.decoder\.stages: .*only another network.decoder.name has it"
    with pytest.raises(ConfigError, match=message):
        load_config(None, ["network.decoder.stages=all"])


@pytest.mark.parametrize("stages", ["fine", "[]", "[-1]", "[0.5]", "3"])
def test_stages_of_a_decoder_are_a_word_or_numbers(stages: str) -> None:
    message = (
        r"^--set: network\.decoder\.stages: must be coarse, all, or a list of stages such as \[1, 2\], got [^\n]+$"
    )
    with pytest.raises(ConfigError, match=message):
        load_config(None, [f"network.decoder={{name: freqfusion, stages: {stages}}}"])


@pytest.mark.parametrize("key", ["lowpass_kernel", "highpass_kernel"])
@pytest.mark.parametrize("size", [4, 0, -1])
def test_kernels_of_a_decoder_are_odd(key: str, size: int) -> None:
    with pytest.raises(ConfigError, match=rf"network\.decoder\.{key}: must be an odd number, 1 or more, got {size}$"):
        load_config(None, [f"network.decoder={{name: freqfusion, {key}: {size}}}"])


def test_another_network_does_not_inherit_settings() -> None:
    """Named again they are taken; the variant comes first."""
    small = find_config("acdc-small")
    assert load_config(small).network.generation == "v2"
    assert load_config(small, ["network.name=no_mamba"]).network.generation == "v1"
    assert load_config(small, ["network.name=no_mamba", "network.generation=v2"]).network.generation == "v2"
    with pytest.raises(ConfigError, match=r"--set: network\.mamba: no such setting, got 'encoder'"):
        load_config(small, ["network={name: nnunet_plain, mamba: encoder}"])


def test_a_network_has_its_own_blocks_unless_others_are_asked_for() -> None:
    topology = plan_topology((64, 64), (1.0, 1.0), base_features=32, max_features=512)
    plan = Plan(
        dataset="fake", configuration="2d", labels=LabelSet(names=("background", "ball")), channels=(),
        axes=(2, 1, 0), spacing_mm=(8.0, 1.0, 1.0), median_shape=(4, 64, 64), batch_size=2, batch_dice=True,
        topology=topology,
    )  # fmt: skip
    two = ["plan.configuration=2d", "plan.base_features=8"]
    blocks = {
        name: load_config(None, [*two, f"network.name={name}"]).adapt(plan).topology.blocks_encoder
        for name in ("umamba", "no_mamba", "nnunet_plain", "nnunet_resenc_m")
    }
    assert blocks.pop("nnunet_resenc_m") == (1, 3, 4, 6, 6)
    assert set(blocks.values()) == {(2,) * 5}
    asked = load_config(None, [*two, "plan.blocks=3", "network.name=nnunet_resenc_m"]).adapt(plan)
    assert (asked.topology.blocks_encoder, asked.topology.blocks_decoder) == ((3,) * 5, (3,) * 4)
    assert asked.topology.features == (8, 16, 32, 64, 128)
    assert load_config(None, ["plan.configuration=2d"]).adapt(plan) == plan


@pytest.mark.parametrize(
    ("override", "message"),
    [
        (
            "network.name=unet",
            "--set: network.name: must be one of 'umamba', 'no_mamba', 'nnunet_plain', 'nnunet_resenc_m', got 'unet'",
        ),
        ("training.epoch=3", "--set: training.epoch: no such setting, got 3; the nearest setting is training.epochs"),
        ("training.epochs=many", "--set: training.epochs: Input should be a valid integer.*got 'many'"),
        ("training.epochs=0", "--set: training.epochs: Input should be greater than 0, got 0"),
        ("rule.name=best", "--set: rule.name: must be one of 'plain', 'sharpness_aware', got 'best'"),
        ("rule.roh=1", "--set: rule.roh: no such setting, got 1; the nearest setting is rule.rho"),
        (
            "schedule.warm_up=0.1",
            "--set: schedule.warm_up: no such setting, got 0.1; only another schedule.name has it",
        ),
        ("deterministic=no", "--set: deterministic"),
        ("epochs", "--set epochs: must be key=value"),
        ("=3", "--set =3: must be key=value"),
        ("a..b=3", "--set a..b=3: must be key=value"),
        ("training.epochs=[1", "--set training.epochs: line 1"),
    ],
)
def test_a_wrong_override_is_one_line(override: str, message: str) -> None:
    if override == "deterministic=no":
        # pydantic reads the words yes and no as booleans; YAML's own surprise is gone, and no harm is done
        assert load_config(None, [override]).deterministic is False
        return
    with pytest.raises(ConfigError, match=message) as raised:
        load_config(None, [override])
    assert "\n" not in str(raised.value)


def test_a_file_with_several_mistakes_lists_them_all(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("seed: -1\nnetwrok: {}\ntraining:\n  epochs: x\n")
    with pytest.raises(ConfigError) as raised:
        load_config(path)
    lines = str(raised.value).splitlines()
    assert len(lines) == 3
    assert all(line.startswith(f"{path}: ") for line in lines)
    assert any("netwrok: no such setting" in line and "nearest setting is network" in line for line in lines)


def test_a_file_that_is_no_mapping_is_named(tmp_path: Path) -> None:
    (tmp_path / "list.yaml").write_text("- 1\n")
    with pytest.raises(ConfigError, match=r"list.yaml: must hold a mapping"):
        load_config(tmp_path / "list.yaml")
    (tmp_path / "empty.yaml").write_text("# nothing\n")
    assert load_config(tmp_path / "empty.yaml") == RunConfig()


def test_an_unknown_name_lists_what_there_is() -> None:
    with pytest.raises(ConfigError, match=r"--config acdk: neither a file nor a shipped configuration \(acdc"):
        find_config("acdk")


def test_copying_never_overwrites(tmp_path: Path) -> None:
    copy_config("demo", tmp_path / "mine.yaml")
    assert load_config(tmp_path / "mine.yaml") == load_config(find_config("demo"))
    with pytest.raises(InputError, match="exists already"):
        copy_config("acdc", tmp_path / "mine.yaml")


def test_setting_keys_name_every_leaf_of_every_variant() -> None:
    keys = setting_keys()
    assert {
        "seed",
        "rule.rho",
        "schedule.exponent",
        "schedule.warm_up",
        "optimizer.betas",
        "optimizer.momentum",
        "training.epochs",
        "plan.patch_size",
    } <= set(keys)
