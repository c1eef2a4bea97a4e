"""The forms in which the program is handed out. Each function takes what goes in and returns a file's bytes.

Neither order, age nor owner of a file tells on which machine or when it was made.
"""

import base64
import gzip
import hashlib
import io
import json
import lzma
import tarfile
import time
import uuid
import zipfile

UID = 65532


def digest(data):
    return hashlib.sha256(data).hexdigest()


def tar(entries, epoch):
    """A tar archive of (name, bytes, mode[, owner]); a folder has None for its bytes."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, data, mode, *owner in entries:
            info = tarfile.TarInfo(name)
            info.mode, info.mtime = mode, epoch
            info.uid = info.gid = owner[0] if owner else 0
            if data is None:
                info.type = tarfile.DIRTYPE
            else:
                info.size = len(data)
            archive.addfile(info, io.BytesIO(data or b""))
    return out.getvalue()


def gzipped(data):
    return gzip.compress(data, 9, mtime=0)


def zipped(entries, epoch):
    """A zip archive of (name, bytes, mode)."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, data, mode in entries:
            info = zipfile.ZipInfo(name, time.gmtime(epoch)[:6])
            info.compress_type = zipfile.ZIP_DEFLATED
            info.create_system = 3
            info.external_attr = (0o100000 | mode) << 16
            archive.writestr(info, data)
    return out.getvalue()


def with_folders(entries):
    """The entries, each folder before what it contains, as dpkg and container engines want it."""
    seen, result = set(), []
    for name, *rest in sorted(entries):
        parts = name.split("/")[:-1]
        for depth in range(1, len(parts) + 1):
            folder = "/".join(parts[:depth])
            if folder not in seen and folder != ".":
                result.append((folder, None, 0o755))
            seen.add(folder)
        result.append((name, *rest))
        seen.add(name)
    return result


def deb(about, architecture, files, epoch):
    """A Debian package of the glibc program; `files` are (path, bytes, mode)."""
    files = with_folders([(f"./{path}", data, mode) for path, data, mode in files])
    size = sum(-(-len(data or b"") // 1024) or 1 for _, data, _ in files)
    # dpkg-shlibdeps would name this machine's libc6, which is newer than what the program needs.
    control = f"""Package: {about['name']}
Version: {about['version']}-1
Section: utils
Priority: optional
Architecture: {architecture}
Maintainer: {about['maintainer']}
Installed-Size: {size}
Depends: libc6 (>= 2.17)
Recommends: ca-certificates
Description: {about['description']}
 {about['extended']}
"""
    sums = "".join(
        f"{hashlib.md5(data).hexdigest()}  {name[2:]}\n" for name, data, _ in files if data is not None
    )
    members = [
        ("debian-binary", b"2.0\n"),
        ("control.tar.xz", lzma.compress(tar(
            [("./control", control.encode(), 0o644), ("./md5sums", sums.encode(), 0o644)], epoch))),
        ("data.tar.xz", lzma.compress(tar(files, epoch), preset=9)),
    ]
    out = b"!<arch>\n"
    for name, data in members:
        out += f"{name:<16}{epoch:<12}{0:<6}{0:<6}{100644:<8}{len(data):<10}`\n".encode() + data
        out += b"\n" * (len(data) % 2)
    return out


def wheel(about, tags, program, program_name, readme, licences, epoch):
    """A wheel that puts the program among the environment's scripts."""
    name = f"{about['name']}-{about['version']}"
    info = f"{name}.dist-info"
    metadata = f"""Metadata-Version: 2.4
Name: {about['name']}
Version: {about['version']}
Summary: {about['description']}
License-Expression: {about['license']}
""" + "".join(f"License-File: {path}\n" for path in licences) + f"""Keywords: {','.join(about['keywords'])}
Classifier: Environment :: Console
Requires-Python: >=3.7
Description-Content-Type: text/markdown

{readme}"""
    kind = "Wheel-Version: 1.0\nGenerator: crmauth dist/release\nRoot-Is-Purelib: false\n"
    kind += "".join(f"Tag: py3-none-{tag}\n" for tag in tags)
    entries = [
        (f"{name}.data/scripts/{program_name}", program, 0o755),
        (f"{info}/METADATA", metadata.encode(), 0o644),
        (f"{info}/WHEEL", kind.encode(), 0o644),
        *((f"{info}/licenses/{path}", data, 0o644) for path, data in licences.items()),
    ]
    record = ""
    for path, data, _ in entries:
        sha = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
        record += f"{path},sha256={sha},{len(data)}\n"
    record += f"{info}/RECORD,,\n"
    return zipped([*entries, (f"{info}/RECORD", record.encode(), 0o644)], epoch)


def npm(about, manifest, files, epoch):
    """An npm package; `files` are (path, bytes, mode)."""
    package = {
        "name": about["name"],
        "version": about["version"],
        "description": about["description"],
        "license": about["license"],
        "keywords": about["keywords"],
        **manifest,
    }
    text = json.dumps(package, indent=2) + "\n"
    entries = [("package/package.json", text.encode(), 0o644)]
    return gzipped(tar([*entries, *((f"package/{path}", data, mode) for path, data, mode in files)], epoch))


def oci(about, architecture, files, epoch):
    """A container image from nothing: the static program, the roots of trust, a user and a home.

    An OCI layout, with the file besides by which older engines load an image.
    """
    home = f"home/{about['name']}"
    passwd = f"{about['name']}:x:{UID}:{UID}::/{home}:/nonexistent\n"
    layer = tar(
        with_folders([
            *files,
            ("etc/passwd", passwd.encode(), 0o644),
            ("etc/group", f"{about['name']}:x:{UID}:\n".encode(), 0o644),
            (home, None, 0o700, UID),
            ("tmp", None, 0o1777),
        ]),
        epoch,
    )
    packed = gzipped(layer)
    created = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(epoch))
    labels = {
        "org.opencontainers.image.title": about["name"],
        "org.opencontainers.image.description": about["description"],
        "org.opencontainers.image.version": about["version"],
        "org.opencontainers.image.revision": about["commit"],
        "org.opencontainers.image.licenses": about["license"],
    }
    config = {
        "created": created,
        "architecture": architecture,
        "os": "linux",
        "config": {
            "User": f"{UID}:{UID}",
            "Env": ["PATH=/usr/bin", f"HOME=/{home}"],
            "Entrypoint": ["/usr/bin/crmauth"],
            "WorkingDir": f"/{home}",
            "Labels": labels,
        },
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest(layer)}"]},
        "history": [{"created": created, "created_by": "dist/release"}],
    }
    if architecture == "arm64":
        config["variant"] = "v8"
    blobs = {}

    def blob(kind, data):
        if not isinstance(data, bytes):
            data = json.dumps(data, separators=(",", ":")).encode()
        blobs[f"blobs/sha256/{digest(data)}"] = data
        return {"mediaType": f"application/vnd.oci.image.{kind}", "digest": f"sha256:{digest(data)}", "size": len(data)}

    config, layer = blob("config.v1+json", config), blob("layer.v1.tar+gzip", packed)
    manifest = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": config,
        "layers": [layer],
        "annotations": labels,
    }
    image = {
        **blob("manifest.v1+json", manifest),
        "platform": {"architecture": architecture, "os": "linux"},
        "annotations": {"org.opencontainers.image.ref.name": about["version"]},
    }
    index = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": [image]}
    path = lambda part: f"blobs/{part['digest'].replace(':', '/')}"  # noqa: E731
    older = [{"Config": path(config), "RepoTags": [f"{about['name']}:{about['version']}"], "Layers": [path(layer)]}]
    texts = {"oci-layout": {"imageLayoutVersion": "1.0.0"}, "index.json": index, "manifest.json": older}
    entries = [(name, json.dumps(text).encode(), 0o644) for name, text in texts.items()]
    entries += [(name, data, 0o644) for name, data in blobs.items()]
    return tar(with_folders(entries), epoch)


def sbom(about, components, epoch):
    """CycloneDX of what is linked; `components` are (name, version, licence, where from, in which targets)."""
    parts = []
    for name, version, licence, purl, targets in components:
        part = {"type": "library", "name": name, "version": version, "bom-ref": purl, "purl": purl}
        if licence:
            part["licenses"] = [{"expression": licence}]
        part["properties"] = [{"name": "crmauth:target", "value": target} for target in targets]
        parts.append(part)
    main = f"pkg:cargo/{about['name']}@{about['version']}"
    bom = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {
            "timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(epoch)),
            "component": {
                "type": "application",
                "name": about["name"],
                "version": about["version"],
                "bom-ref": main,
                "purl": main,
                "licenses": [{"expression": about["license"]}],
                "properties": [{"name": "crmauth:commit", "value": about["commit"]}],
            },
        },
        "components": parts,
        "dependencies": [{"ref": main, "dependsOn": [part["bom-ref"] for part in parts]}],
    }
    text = json.dumps(bom, indent=1, sort_keys=True)
    bom["serialNumber"] = f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_OID, text)}"
    return (json.dumps(bom, indent=1) + "\n").encode()
