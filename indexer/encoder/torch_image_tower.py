"""Defines the compact picture towers of magpie's own encoders; importing this module registers them with timm.

`open_clip_config.json` names a tower (`timm_model_name`); open_clip asks timm for it when a model is loaded, so this
module must have been imported by then, at training and at search time alike.

All are residual networks (He et al. 2016) of plain 3x3 blocks with squeeze-and-excite: dense convolutions gain from
bf16 on CPUs where depthwise ones lose, and pictures of 60 to 80 pixels leave no room for the usual 7x7 stem.
"""

from typing import Any

from timm.models import register_model
from timm.models.resnet import BasicBlock, ResNet

__all__ = ["magpie_resnet_1221", "magpie_resnet_1222", "magpie_resnet_1231", "magpie_resnet_1232"]

# timm hands these to every builder; a plain ResNet does not take them.
_BOOKKEEPING = ("pretrained_cfg", "pretrained_cfg_overlay", "cache_dir")


def _tower(blocks: tuple[int, int, int, int], options: dict[str, Any]) -> ResNet:
    """A ResNet with `blocks` blocks in its four stages and 320 features; it takes pictures from 32 pixels a side."""
    for name in _BOOKKEEPING:
        options.pop(name, None)
    tower = ResNet(
        BasicBlock,
        layers=list(blocks),
        channels=(32, 64, 160, 320),
        stem_width=16,
        stem_type="deep_tiered",
        avg_down=True,
        block_args={"attn_layer": "se"},
        **options,
    )
    # open_clip reads the pooled size from here, timm the names of the layers it may replace.
    tower.default_cfg = tower.pretrained_cfg = {"pool_size": (3, 2), "classifier": "fc", "first_conv": "conv1.0"}
    return tower


@register_model  # type: ignore[untyped-decorator]
def magpie_resnet_1221(pretrained: bool = False, **options: Any) -> ResNet:
    """The tower with 1, 2, 2, 1 blocks: 2.4 M parameters, the fastest."""
    return _tower((1, 2, 2, 1), options)


@register_model  # type: ignore[untyped-decorator]
def magpie_resnet_1231(pretrained: bool = False, **options: Any) -> ResNet:
    """The tower with 1, 2, 3, 1 blocks: 2.9 M parameters."""
    return _tower((1, 2, 3, 1), options)


@register_model  # type: ignore[untyped-decorator]
def magpie_resnet_1222(pretrained: bool = False, **options: Any) -> ResNet:
    """The tower with 1, 2, 2, 2 blocks: 4.3 M parameters."""
    return _tower((1, 2, 2, 2), options)


@register_model  # type: ignore[untyped-decorator]
def magpie_resnet_1232(pretrained: bool = False, **options: Any) -> ResNet:
    """The tower with 1, 2, 3, 2 blocks: 4.7 M parameters."""
    return _tower((1, 2, 3, 2), options)
