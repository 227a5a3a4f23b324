"""Exports one model in a process of its own, so that the serving process never loads torch (`graph_cache.py`).

    python -P -m magpie.indexer.encoder.export_process MODEL OUT [--pretrained TAG_OR_FILE] [--fingerprint HEX]

With a fingerprint, MODEL is a folder. An error is written as JSON, the last line on stderr.
"""

import argparse
import json
import sys
from contextlib import suppress
from pathlib import Path

from magpie.data.errors import MagpieError
from magpie.indexer.encoder.onnx_export import write_graphs
from magpie.indexer.encoder.torch_clip import load_from_hub, load_local

_FALLBACK = "magpie-mini"


def main() -> int:
    """The exit status, after writing the graphs of the model that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("out", type=Path)
    parser.add_argument("--pretrained")
    parser.add_argument("--fingerprint")
    arguments = parser.parse_args()
    try:
        if arguments.fingerprint:
            write_graphs(load_local(Path(arguments.model), "cpu"), arguments.out, arguments.fingerprint)
        else:
            network = load_from_hub(arguments.model, arguments.pretrained, _FALLBACK, "cpu")
            sources = _sources(arguments.model, arguments.pretrained)
            write_graphs(network, arguments.out, network.fingerprint(), sources=sources)
    except MagpieError as error:
        sys.stderr.write("\n" + json.dumps({"error": type(error).__name__, "message": str(error)}) + "\n")
        return 1
    return 0


def _sources(model: str, pretrained: str | None) -> tuple[tuple[str, int, int], ...]:
    """The weight files that open_clip read, where known: path, size in bytes, time of change in nanoseconds."""
    from open_clip.pretrained import download_pretrained, download_pretrained_from_hf, get_pretrained_cfg

    path = pretrained if pretrained and Path(pretrained).is_file() else None
    with suppress(Exception):  # the weights are loaded by now: a hub that does not answer is no reason to fail
        if path is None and model.startswith("hf-hub:"):
            path = download_pretrained_from_hf(model.removeprefix("hf-hub:"))
        elif path is None:
            path = download_pretrained(get_pretrained_cfg(model, pretrained))
    if not path:
        return ()
    file = Path(path).resolve()
    stat = file.stat()
    return ((str(file), stat.st_size, stat.st_mtime_ns),)


if __name__ == "__main__":
    sys.exit(main())
