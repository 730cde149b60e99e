"""Compiles the hot modules with mypyc: a build hook for wheels, a script for a checkout.

    python hatch_build.py            compile in place; without a C compiler it says so and goes on
    python hatch_build.py --require  the same, and fails without a C compiler
    python hatch_build.py --remove   remove what was compiled: the core is plain Python again

The sources stay plain Python and run where nothing was compiled; TRAYECTO_PLAIN=1 runs them in any case.
docs/adr/0005 has the figures behind this.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from typing import Any

try:
    from hatchling.builders.hooks.plugin.interface import BuildHookInterface
except ImportError:  # run as a script, without a build backend at hand
    BuildHookInterface = object

ROOT = Path(__file__).resolve().parent
PACKAGE = ROOT / "processor"
CORE = PACKAGE / "core"
SHARED_NAME = "processor_hot"  # the library that all compiled modules share is called processor_hot__mypyc

# Compiled functions call each other directly, and may be inlined, where they could be replaced from outside
# otherwise, as functions of a shared library can: 6% fewer instructions.
DIRECT_CALLS = ["-fno-semantic-interposition", "-fvisibility=hidden", "-fno-plt"]

# Structs of msgspec need their annotations as Python left them; packages hold nothing that runs often. The
# others run for few events, and would take a quarter of the compiler's time.
LEFT_PLAIN = frozenset({
    "__init__", "shared", "topics",
    "addresses", "brake_home", "budgets", "erasure", "handover", "identity",
    "importing", "leases", "merging", "pacing", "score_merge", "ways_out",
})  # fmt: skip
HOT_BESIDE_CORE = (
    "codec/events.py",
    "codec/murmur2.py",
    "codec/outputs.py",
    "codec/quick_event.py",
    "codec/quick_outputs.py",
    "codec/sealing.py",
    "core/expressions/facts.py",  # what compiled expressions call; not their compiler
    "core/expressions/moments.py",
    "core/expressions/shown.py",
    "core/expressions/values.py",
    "runtime/applying.py",
    "runtime/counting.py",
    "runtime/driver.py",
    "runtime/faust/deciding.py",
    "runtime/partition.py",
    "runtime/sorting.py",
)


def sources() -> list[Path]:
    """The modules that are compiled, in a stable order."""
    found = [path for folder in (CORE, CORE / "nodes", CORE / "time") for path in folder.glob("*.py")]
    found += [PACKAGE / name for name in HOT_BESIDE_CORE]
    return sorted(path for path in found if path.stem not in LEFT_PLAIN)


def compiled() -> list[Path]:
    """What lies compiled in the checkout, whatever Python it was made for."""
    endings = ("so", "pyd")
    shared = [path for ending in endings for path in ROOT.glob(f"{SHARED_NAME}__mypyc*.{ending}")]
    return shared + [path for ending in endings for path in PACKAGE.rglob(f"*.{ending}")]


def has_compiler() -> bool:
    """Whether the C compiler that this Python was built with (or $CC names) can be run."""
    command = (os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc").split()
    if os.name == "nt":
        return True  # setuptools finds it in the registry, or says why not
    return bool(command) and shutil.which(command[0]) is not None


def compile_core() -> list[Path]:
    """Compile in place. Returns the libraries, the shared one first. Raises whatever the compiler does."""
    from mypyc.build import mypycify  # noqa: PLC0415 - needed to compile only
    from setuptools import Distribution  # noqa: PLC0415
    from setuptools.command.build_ext import build_ext  # noqa: PLC0415

    remove()
    with _inside(ROOT):
        paths = [path.relative_to(ROOT).as_posix() for path in sources()]
        target = ROOT / "build" / "mypyc"
        target.mkdir(parents=True, exist_ok=True)
        extensions = mypycify(
            # Types are checked elsewhere, by `make types`: here neither its settings nor its cache nor the
            # packages it needs may decide whether something is compiled.
            ["--config-file=", "--ignore-missing-imports", f"--cache-dir={target / 'cache'}", *paths],
            opt_level="3",
            debug_level="0",
            group_name=SHARED_NAME,
            target_dir=str(target),
        )
        if sys.platform == "linux":
            for extension in extensions:
                extension.extra_compile_args += DIRECT_CALLS
        command = build_ext(Distribution({"name": SHARED_NAME, "ext_modules": extensions}))
        command.inplace = True
        command.build_temp = str(target)
        command.ensure_finalized()
        command.run()
    for path in compiled():
        path.touch()  # what did not have to be compiled again is as new as its source, too
    return compiled()


def remove() -> None:
    """Remove what was compiled."""
    for path in compiled():
        path.unlink()


@contextlib.contextmanager
def _inside(folder: Path) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


class CompiledCore(BuildHookInterface):  # type: ignore[type-arg, misc, valid-type]
    """Puts the compiled modules into a wheel; TRAYECTO_COMPILE=0 makes one without."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Called by hatchling before it builds."""
        if self.target_name != "wheel" or version != "standard" or os.environ.get("TRAYECTO_COMPILE") == "0":
            return
        made = compile_core()
        build_data["pure_python"] = False
        build_data["infer_tag"] = True
        build_data["force_include"].update({str(path): path.relative_to(ROOT).as_posix() for path in made})

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Nothing is left behind in the source tree."""
        if self.target_name == "wheel" and version == "standard":
            remove()


def main() -> int:
    """Compile, or remove, in place."""
    parser = argparse.ArgumentParser(prog="python hatch_build.py", description=__doc__)
    parser.add_argument("--require", action="store_true", help="fail where there is no C compiler")
    parser.add_argument("--remove", action="store_true", help="remove what was compiled")
    options = parser.parse_args()
    if options.remove:
        remove()
        return 0
    if not has_compiler():
        remove()
        print(
            "core: no C compiler was found, so the core stays plain Python, which decides the same at about "
            "a sixth of the speed. On Debian and Ubuntu: apt install gcc python3-dev, then make native",
            file=sys.stderr,
        )
        return int(options.require)
    print(f"core: compiling {len(sources())} modules with mypyc (about a minute)", flush=True)
    # In a process of its own, so that what the compilers print is kept for when they fail.
    code = "import hatch_build; hatch_build.compile_core()"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        remove()
        print(done.stdout[-4000:] + done.stderr[-4000:], file=sys.stderr)
        print("core: compiling failed, see above; the core stays plain Python", file=sys.stderr)
        return int(options.require)
    return 0


if __name__ == "__main__":
    sys.exit(main())
