"""The server comes without what trains: its modules import neither LightGBM nor the training of the ranker."""

import subprocess
import sys

IMPORT_ALL = """
import importlib, pkgutil, sys
import magpie.web
for module in pkgutil.walk_packages(magpie.web.__path__, "magpie.web."):
    if not module.name.startswith("magpie.web.cli"):
        importlib.import_module(module.name)
assert "magpie.web.app" in sys.modules and "magpie.search.ranker.reranker" in sys.modules
print(*(name for name in sys.modules if name.split(".")[0] == "lightgbm" or "ranker_training" in name))
"""


def test_the_server_imports_neither_lightgbm_nor_the_rankers_training() -> None:
    done = subprocess.run([sys.executable, "-P", "-c", IMPORT_ALL], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == ""
