"""Builds the programs, each with the toolchain's own std where that is installed, else with Debian's for the web.

The user's toolchain and machine are left alone: what is lacking is unpacked below target/tools.
"""

import dataclasses
import glob
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import threading

ROOT = pathlib.Path(__file__).resolve().parent.parent
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")).resolve()
# The compiler names its sources by their true path, which no program may contain.
TOOLS = (TARGET / "tools").resolve()
# Two builds at once may lack the same tool.
ONE_AT_A_TIME = threading.RLock()
ZIG = ["ziglang==0.17.1", "cargo-zigbuild==0.24.1"]
# Debian's compiler with its library's source. The names that these depend on contain versions.
DEBIAN_RUST = ["rustc-web", "rust-web-src"]
DEBIAN_RUST_PARTS = r"(libstd-rust-web|libllvm)"
DEBIAN_MINGW = ["gcc-mingw-w64-x86-64-win32"]
DEBIAN_MINGW_PARTS = r"(gcc-mingw-w64|binutils-mingw-w64|mingw-w64|libisl|libmpc|libmpfr|libgmp)"
# What of the caller's environment would make other bytes.
LEFT_OUT = re.compile(
    r"(RUSTFLAGS|RUSTC|RUSTC_WRAPPER|RUSTC_BOOTSTRAP|SOURCE_DATE_EPOCH|(TARGET_|HOST_)?(CC|CFLAGS)(_.*)?"
    r"|CARGO_(ENCODED|PROFILE|BUILD|INCREMENTAL).*|CARGO_TARGET_.+_(LINKER|RUSTFLAGS|RUNNER))"
)


class Missing(Exception):
    """What is needed cannot be had on this machine."""


@dataclasses.dataclass(frozen=True)
class Target:
    triple: str
    # The name of the CPU to Debian and container engines, and to npm.
    debian: str
    npm: str
    wheel_tags: tuple

    @property
    def os(self):
        return "win32" if "windows" in self.triple else "linux"

    @property
    def libc(self):
        return {"gnu": "glibc", "musl": "musl"}[self.triple.rsplit("-", 1)[1]] if self.os == "linux" else None

    @property
    def file(self):
        return "crmauth.exe" if self.os == "win32" else "crmauth"

    @property
    def folder(self):
        return TARGET / "programs" / self.triple

    @property
    def program(self):
        return self.folder / self.triple / "release" / self.file


def linux(cpu, debian, npm):
    # No tag below 2.17: the program would not start there.
    glibc = (f"manylinux_2_17_{cpu}", f"manylinux2014_{cpu}")
    return [
        Target(f"{cpu}-unknown-linux-gnu", debian, npm, glibc),
        Target(f"{cpu}-unknown-linux-musl", debian, npm, (f"musllinux_1_1_{cpu}",)),
    ]


TARGETS = {
    target.triple: target
    for target in [
        *linux("x86_64", "amd64", "x64"),
        *linux("aarch64", "arm64", "arm64"),
        Target("x86_64-pc-windows-gnu", "amd64", "x64", ("win_amd64",)),
    ]
}


def say(text):
    print(f"dist/release: {text}", file=sys.stderr, flush=True)


def output(*command, **more):
    return subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True, **more).stdout


def metadata():
    """What cargo knows of all crates of all targets, which are fetched for that."""
    return json.loads(output("cargo", "metadata", "--format-version=1", "--locked"))


def registry(meta):
    """The folder that cargo compiles crates from."""
    path = next(p["manifest_path"] for p in meta["packages"] if (p["source"] or "").startswith("registry+"))
    return pathlib.Path(path).parents[1]


def has_own_std(target):
    folder = output("rustc", "--print", "target-libdir", "--target", target.triple).strip()
    return bool(glob.glob(f"{folder}/libstd-*.rlib"))


def zig():
    """Where zig and cargo-zigbuild are."""
    folder = TOOLS / "zig"
    with ONE_AT_A_TIME:
        if not (folder / "bin/cargo-zigbuild").exists():
            say(f"downloads {' and '.join(ZIG)} with pip")
            shutil.rmtree(folder, ignore_errors=True)
            pip = [sys.executable, "-m", "pip", "install", "--quiet", "--root-user-action=ignore", "--target", str(folder), *ZIG]
            if subprocess.run(pip, check=False).returncode != 0:
                raise Missing(f"pip cannot install {' and '.join(ZIG)}")
    return folder


def debian_packages(names, parts):
    """The names of packages and of those parts that they depend on, as apt knows them."""
    found, asked = [], list(names)
    while asked:
        name = asked.pop(0)
        found.append(name)
        try:
            lines = output("apt-cache", "depends", "--important", name, stderr=subprocess.DEVNULL)
        except (OSError, subprocess.CalledProcessError):
            raise Missing(f"apt knows no package {name}; it is in Debian, after apt-get update") from None
        for other in re.findall(r"Depends: ([a-z0-9.+-]+)", lines):
            if re.match(parts, other) and other not in found + asked:
                asked.append(other)
    return found


def unpacked(name, packages, parts):
    """Debian packages, unpacked into a folder of that name and not installed."""
    folder = TOOLS / name
    with ONE_AT_A_TIME:
        if not folder.exists():
            unpack(folder, debian_packages(packages, parts))
    return folder


def unpack(folder, packages):
    """Downloads Debian packages and unpacks them into the folder, which appears whole or not at all."""
    say(f"downloads {', '.join(packages)} with apt-get")
    draft = folder.with_suffix(".draft")
    shutil.rmtree(draft, ignore_errors=True)
    debs = draft / "debs"
    debs.mkdir(parents=True)
    options = ["-qq", "-o", "APT::Sandbox::User=root"]
    if subprocess.run(["apt-get", "download", *options, *packages], cwd=debs, check=False).returncode != 0:
        raise Missing(f"apt-get cannot download {', '.join(packages)}")
    for deb in sorted(debs.glob("*.deb")):
        subprocess.run(["dpkg", "-x", deb, draft], check=True)
    shutil.rmtree(debs)
    draft.rename(folder)


def debian_rust():
    """The compiler whose library's source is at hand, and what it needs in the environment."""
    folder = unpacked("rustc-web", DEBIAN_RUST, DEBIAN_RUST_PARTS)
    libraries = [str(path.parent) for path in folder.glob("usr/lib/*/librustc_driver-*.so")]
    environment = {"RUSTC": str(folder / "usr/bin/rustc"), "LD_LIBRARY_PATH": ":".join(libraries)}
    version = output(environment["RUSTC"], "-V", env=os.environ | environment).split()[1]
    wanted = re.search(r'^rust-version = "(.*)"', (ROOT / "Cargo.toml").read_text(), re.M)[1]
    if [int(part) for part in version.split(".")[:2]] < [int(part) for part in wanted.split(".")]:
        raise Missing(f"Debian's rustc-web is {version}, and {wanted} is needed")
    return environment, folder / "usr/lib/rustlib/src/rust", version


def mingw():
    """The folder of the linker for Windows; empty if it is installed."""
    if shutil.which("x86_64-w64-mingw32-gcc"):
        return ""
    folder = unpacked("mingw", DEBIAN_MINGW, DEBIAN_MINGW_PARTS) / "usr/bin"
    linker = folder / "x86_64-w64-mingw32-gcc"
    if not linker.exists():
        linker.symlink_to("x86_64-w64-mingw32-gcc-win32")
    return str(folder)


def build(target, crates):
    """Builds the program of a target; `crates` is the folder that cargo compiles crates from. Returns how."""
    environment = {name: value for name, value in os.environ.items() if not LEFT_OUT.fullmatch(name)}
    environment["CARGO_TARGET_DIR"] = str(target.folder)
    folders, flags = [], [f"--remap-path-prefix={crates}=crates"]
    arguments = ["--release", "--locked", "--bin", "crmauth"]
    if has_own_std(target):
        how = f"rustc {output('rustc', '-V').split()[1]}"
    else:
        compiler, std, version = debian_rust()
        how = f"Debian's rustc-web {version}"
        environment |= compiler | {"RUSTC_BOOTSTRAP": "1"}
        flags.append(f"--remap-path-prefix={std}=rust")
        arguments.append("-Zbuild-std=std,panic_abort")
        if target.libc == "musl":
            # zig brings musl's own start files.
            flags.append("-Clink-self-contained=no")
    flags.append(f"--remap-path-prefix={ROOT}=crmauth")
    triple = target.triple
    if target.os == "win32":
        command = ["cargo", "build"]
        folders.append(mingw())
        # Else the program contains the time of its linking.
        flags.append("-Clink-arg=-Wl,--no-insert-timestamp")
        environment["CARGO_TARGET_X86_64_PC_WINDOWS_GNU_LINKER"] = "x86_64-w64-mingw32-gcc"
    else:
        command = ["cargo", "zigbuild"]
        folders.append(str(zig() / "bin"))
        environment |= {
            "CARGO_ZIGBUILD_ZIG_PATH": str(zig() / "ziglang/zig"),
            "CARGO_ZIGBUILD_CACHE_DIR": str(TOOLS / "zig-cache"),
            "ZIG_GLOBAL_CACHE_DIR": str(TOOLS / "zig-cache"),
            "ZIG_LOCAL_CACHE_DIR": str(TOOLS / "zig-cache"),
        }
        triple += ".2.17" if target.libc == "glibc" else ""
    environment["RUSTFLAGS"] = " ".join(flags)
    environment["PATH"] = ":".join([*filter(None, folders), environment["PATH"]])
    target.folder.mkdir(parents=True, exist_ok=True)
    log = target.folder / "log"
    say(f"builds {target.triple} with {how}; what it prints is in {log}")
    with log.open("w") as lines:
        command += ["--target", triple, *arguments]
        done = subprocess.run(command, cwd=ROOT, env=environment, stdout=lines, stderr=lines, check=False)
    if done.returncode != 0:
        tail = "\n".join(log.read_text().splitlines()[-30:])
        raise SystemExit(f"{tail}\ndist/release: {target.triple} cannot be built")
    return how


def check(target, crates, commit):
    """A program tells nothing of its builder, runs where it promises to, and knows its commit."""
    data = target.program.read_bytes()
    for path in [ROOT, crates, TOOLS, pathlib.Path.home() / ".cargo"]:
        if f"{path}/".encode() in data:
            raise SystemExit(f"dist/release: {target.program} contains the path {path}")
    if target.libc == "glibc":
        newest = max((int(a), int(b)) for a, b in re.findall(rb"GLIBC_(\d+)\.(\d+)", data))
        if newest > (2, 17):
            raise SystemExit(f"dist/release: {target.program} needs glibc {newest[0]}.{newest[1]}")
    if target.libc == "musl" and b"/ld-" in data:
        raise SystemExit(f"dist/release: {target.program} is not static")
    if commit and commit.encode() not in data:
        raise SystemExit(f"dist/release: {target.program} is of another commit than {commit}")
    return data
