# SPDX-License-Identifier: Apache-2.0
"""Generates the Python under protos/ from the .proto files beside it.

Run through `make protos`; `--check` (part of `make check`) only compares and fails when the committed code has drifted.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

from google.protobuf.descriptor_pb2 import FileDescriptorSet

ROOT = Path(__file__).resolve().parent.parent
PROTOS = ROOT / "protos"
GENERATED = ("*_pb2.py", "*_pb2.pyi", "*_pb2_grpc.py", "*_pb2_grpc.pyi", "__init__.py", "py.typed")
INIT = '''\
# SPDX-License-Identifier: Apache-2.0
"""Generated from the .proto files beside it by scripts/gen_protos.py. Do not edit."""
'''


def main() -> int:
    """Regenerates the code, or compares it; returns the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="compare with the committed code, change nothing")
    check: bool = parser.parse_args().check

    with tempfile.TemporaryDirectory() as directory:
        fresh = generate(Path(directory))
    committed = {path.relative_to(PROTOS): path for pattern in GENERATED for path in PROTOS.rglob(pattern)}
    missing = sorted(fresh.keys() - committed.keys())
    stale = sorted(committed.keys() - fresh.keys())
    changed = sorted(name for name in fresh.keys() & committed.keys() if committed[name].read_bytes() != fresh[name])

    for word, names in (("missing", missing), ("stale", stale), ("changed", changed)):
        for name in names:
            print(f"{word}: protos/{name.as_posix()}")
    if check:
        if missing or stale or changed:
            print("The generated code does not match the .proto files: run `make protos`.")
            return 1
        return 0

    for name in stale:
        committed[name].unlink()
    for name in missing + changed:
        (PROTOS / name).write_bytes(fresh[name])
    return 0


def generate(out: Path) -> dict[Path, bytes]:
    """Generates everything into an empty directory and returns the files' contents by their path below protos/."""
    protos = sorted(path.relative_to(PROTOS).as_posix() for path in PROTOS.rglob("*.proto"))
    descriptors = out / "descriptors.binpb"
    protoc(protos, f"--descriptor_set_out={descriptors}", f"--python_out={out}", f"--mypy_out=quiet:{out}")

    # grpc's generator also writes a module for a file without a service: an empty one, which would only be read.
    files = FileDescriptorSet.FromString(descriptors.read_bytes())
    with_service = sorted(file.name for file in files.file if file.service)
    if with_service:
        protoc(with_service, f"--grpc_python_out={out}", f"--mypy_grpc_out=quiet:{out}")
    descriptors.unlink()

    for package in {parent for proto in protos for parent in Path(proto).parents} - {Path()}:
        (out / package / "__init__.py").write_text(INIT)
        if package.parent == Path():
            (out / package / "py.typed").touch()
    return {path.relative_to(out): path.read_bytes() for path in out.rglob("*") if path.is_file()}


def protoc(protos: list[str], *outputs: str) -> None:
    """Runs the bundled protoc with mypy-protobuf's plugins of this very environment."""
    scripts = Path(sysconfig.get_path("scripts"))
    plugins = [f"--plugin={name}={scripts / name}" for name in ("protoc-gen-mypy", "protoc-gen-mypy_grpc")]
    subprocess.run(  # noqa: S603 - the arguments are this file's own
        [sys.executable, "-m", "grpc_tools.protoc", f"-I{PROTOS}", *plugins, *outputs, *protos], check=True
    )


if __name__ == "__main__":
    sys.exit(main())
