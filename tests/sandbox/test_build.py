"""What the image build promises: pinned inputs, the same bytes every time, nothing done twice, licences included."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
import re
import shutil
import tarfile
from pathlib import Path

import pytest

from sandbox import build
from sandbox.steps.bindings import bundle_bindings
from sandbox.steps.compiler import STACK_BYTES, Compiler, Unit, _patch_quickjs, compile_guest
from sandbox.steps.image import compile_script, take_base_image, take_intl_image
from sandbox.steps.layout import BuildError, Layout, write_if_changed
from sandbox.steps.protocol import c_header, read_protocol, typescript
from sandbox.steps.sources import Source, fetch, read_lock
from sandbox.steps.wasm import PAGE, cut, memory_module, nonzero_runs, sleb, uleb
from tests.sandbox import rig

DEFAULT = Layout.default()


def quiet(line: str) -> None:
    """A build's progress that nobody watches."""


def source_archive(path: Path, name: str, content: bytes) -> Source:
    """A source distribution with one file, at `path`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w:gz") as archive:
        entry = tarfile.TarInfo(f"{name}-1.0/file.txt")
        entry.size = len(content)
        archive.addfile(entry, io.BytesIO(content))
    return Source(name, "1.0", hashlib.sha256(path.read_bytes()).hexdigest())


class TestImage:
    def test_what_a_build_left_is_current_and_is_not_built_again(self) -> None:
        build.build(quiet)
        lines: list[str] = []
        assert build.build(lines.append) is False
        assert lines == []

    def test_the_manifest_names_every_file_by_digest(self) -> None:
        build.build(quiet)
        manifest = json.loads((DEFAULT.image / "manifest.json").read_text())
        on_disk = {
            path.relative_to(DEFAULT.image).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in DEFAULT.image.rglob("*")
            if path.is_file() and path.name != "manifest.json"
        }
        assert manifest["files"] == on_disk
        assert manifest["protocol"] == read_protocol(DEFAULT.protocol).VERSION
        assert manifest["stack_bytes"] == STACK_BYTES

    def test_licence_texts_of_all_parts_travel_with_it(self) -> None:
        build.build(quiet)
        names = {path.stem for path in (DEFAULT.image / "licenses").iterdir()}
        assert {
            "quickjs-ng",
            "ada-url",
            "musl",
            "wasi-libc",
            "wasi-libc-mit",
            "libcxx",
            "libcxxabi",
            "zig",
        } <= names
        assert "npm-web-streams-polyfill" in names
        assert all(path.stat().st_size > 200 for path in (DEFAULT.image / "licenses").iterdir())

    def test_two_images_of_the_same_guest_are_equal(self) -> None:
        guest = cut(compile_guest(DEFAULT, quiet))
        assert take_base_image(guest, rig.BUNDLE) == take_base_image(guest, rig.BUNDLE)

    def test_two_images_with_intl_are_equal(self) -> None:
        guest = cut(compile_guest(DEFAULT, quiet))
        bundles = bundle_bindings(DEFAULT, quiet)
        code = {"intl": compile_script(guest, "durabox:intl", bundles.layers["intl"])}
        assert code["intl"] == compile_script(guest, "durabox:intl", bundles.layers["intl"])
        base, protocol = take_base_image(guest, bundles.main), read_protocol(DEFAULT.protocol)
        image = take_intl_image(guest, base, code, protocol)
        assert image == take_intl_image(guest, base, code, protocol)

    def test_layers_bring_nothing_of_the_main_bundle_a_second_time(self) -> None:
        """A copy of it would work on globals that are not its own, and without the engine behind it."""
        sources = DEFAULT.root / "bindings" / "src"
        alone = [sources / "protocol", sources / "web" / "misuse"]
        imported = {
            (path.name, where)
            for path in (sources / "layers").rglob("*.ts")
            for where in re.findall(r'^import (?!type ).* from "(\.[^"]*)";$', path.read_text(), re.MULTILINE)
            if (target := (path.parent / where).resolve()).is_relative_to(sources)
            and not target.is_relative_to(sources / "layers")
            and target not in alone
        }
        assert imported == set()

    def test_no_path_of_this_machine_is_in_it(self) -> None:
        build.build(quiet)
        for name in ("engine.wasm", "base.wasm", "intl.wasm"):
            content = (DEFAULT.image / name).read_bytes()
            for folder in (DEFAULT.root, DEFAULT.cache, Path.home()):
                assert str(folder).encode() + b"/" not in content

    def test_a_bundle_with_a_syntax_error_fails_with_its_position(self) -> None:
        with pytest.raises(BuildError, match=r"(?s)SyntaxError.*durabox:bindings:2:"):
            take_base_image(cut(compile_guest(DEFAULT, quiet)), b"\nlet = = 3")

    def test_a_bundle_that_throws_fails_with_its_message(self) -> None:
        with pytest.raises(BuildError, match=r"(?s)TypeError: no way.*durabox:bindings:1:"):
            take_base_image(
                cut(compile_guest(DEFAULT, quiet)), b"(native) => { throw new TypeError('no way') }"
            )

    @pytest.mark.parametrize("call", ["native.op(8, ['log', 'x'])", "native.seed()"])
    def test_a_bundle_may_not_reach_for_the_host(self, call: str) -> None:
        with pytest.raises(BuildError, match="called the host"):
            take_base_image(
                cut(compile_guest(DEFAULT, quiet)), f"(native) => {{ {call}; return {{}} }}".encode()
            )


class TestCurrency:
    @pytest.fixture
    def checkout(self, tmp_path: Path) -> Layout:
        """A small tree of inputs with an image that was made from it."""
        for folder in ("sandbox/src", "sandbox/steps", "bindings/src", "host/durabox/engine"):
            (tmp_path / folder).mkdir(parents=True)
        shutil.copy(DEFAULT.lock, tmp_path / "sandbox" / "lock.json")
        shutil.copy(DEFAULT.protocol, tmp_path / "host" / "durabox" / "engine")
        shutil.copy(build.__file__, tmp_path / "sandbox" / "build.py")
        (tmp_path / "sandbox" / "src" / "a.c").write_text("int a;")
        (tmp_path / "bindings" / "src" / "main.ts").write_text("export {}")
        (tmp_path / "bindings" / "package-lock.json").write_text("{}")
        layout = Layout(tmp_path, tmp_path / "cache", tmp_path / "image")
        build.write_image(
            layout,
            rig.base_image(),
            b"intl",
            {"x": b"layer"},
            {"x.txt": b"licence"},
            build.fingerprint(layout),
        )
        return layout

    def test_an_untouched_tree_is_current(self, checkout: Layout) -> None:
        assert build.is_current(checkout, build.fingerprint(checkout))

    @pytest.mark.parametrize(
        "name",
        [
            "sandbox/src/a.c",
            "sandbox/src/new.h",
            "sandbox/lock.json",
            "sandbox/build.py",
            "sandbox/steps/new.py",
            "bindings/src/main.ts",
            "bindings/src/web/new.ts",
            "bindings/package-lock.json",
            "host/durabox/engine/protocol.py",
        ],
    )
    def test_a_change_of_any_input_is_seen(self, checkout: Layout, name: str) -> None:
        path = checkout.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text((path.read_text() if path.exists() else "") + "\n")
        assert not build.is_current(checkout, build.fingerprint(checkout))

    @pytest.mark.parametrize(
        "name",
        ["engine.wasm", "base.wasm", "intl.wasm", "layers/x.bytecode", "licenses/x.txt", "manifest.json"],
    )
    @pytest.mark.parametrize("damage", ["missing", "changed"])
    def test_a_damaged_image_is_not_current(self, checkout: Layout, name: str, damage: str) -> None:
        if damage == "missing":
            (checkout.image / name).unlink()
        else:
            (checkout.image / name).write_bytes(b"x")
        assert not build.is_current(checkout, build.fingerprint(checkout))

    def test_an_interrupted_write_is_not_current(
        self, checkout: Layout, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        inputs = build.fingerprint(checkout)

        def fail(path: Path, content: bytes) -> None:
            if path.name == "base.wasm":
                raise KeyboardInterrupt
            write_if_changed(path, content)

        monkeypatch.setattr(build, "write_if_changed", fail)
        with pytest.raises(KeyboardInterrupt):
            build.write_image(checkout, rig.base_image(), b"intl", {"x": b"layer"}, {}, inputs)
        assert not build.is_current(checkout, inputs)

    def test_layers_and_licences_of_parts_that_are_gone_are_removed(self, checkout: Layout) -> None:
        build.write_image(checkout, rig.base_image(), b"intl", {"y": b"layer"}, {"y.txt": b"other"}, "")
        assert [path.name for path in (checkout.image / "licenses").iterdir()] == ["y.txt"]
        assert [path.name for path in (checkout.image / "layers").iterdir()] == ["y.bytecode"]


class TestCompiler:
    @pytest.fixture
    def unit(self, tmp_path: Path) -> Unit:
        (tmp_path / "include").mkdir()
        (tmp_path / "include" / "b.h").write_text("#define B 1\n")
        (tmp_path / "a.c").write_text('#include "b.h"\nconst char *file = __FILE__;\nint b = B;\n')
        return Unit(tmp_path / "a.c", (), (tmp_path / "include",))

    def test_objects_do_not_depend_on_where_they_are_compiled(self, unit: Unit, tmp_path: Path) -> None:
        elsewhere = tmp_path / "somewhere" / "else"
        shutil.copytree(unit.includes[0], elsewhere / "include")
        shutil.copy(unit.path, elsewhere)
        moved = Unit(elsewhere / "a.c", (), (elsewhere / "include",))
        (here,) = Compiler(tmp_path / "cache1", quiet).objects([unit])
        (there,) = Compiler(tmp_path / "cache2", quiet).objects([moved])
        assert here.name == there.name
        assert here.read_bytes() == there.read_bytes()

    def test_only_what_changed_is_compiled_again(self, unit: Unit, tmp_path: Path) -> None:
        lines: list[str] = []
        compiler = Compiler(tmp_path / "cache", lines.append)
        (first,) = compiler.objects([unit])
        unit.path.touch()
        assert compiler.objects([unit]) == [first]
        (unit.includes[0] / "b.h").write_text("#define B 2\n")
        (second,) = compiler.objects([unit])
        assert second != first
        assert lines == ["compile  a.c", "compile  a.c"]
        (unit.includes[0] / "b.h").write_text("#define B 1\n")
        assert compiler.objects([unit]) == [first]

    def test_errors_carry_the_compilers_message(self, unit: Unit, tmp_path: Path) -> None:
        unit.path.write_text("int a = nonsense;\n")
        with pytest.raises(BuildError, match="nonsense"):
            Compiler(tmp_path / "cache", quiet).objects([unit])

    def test_a_quickjs_without_the_expected_definitions_is_refused(self) -> None:
        with pytest.raises(BuildError, match="perform_promise_then"):
            _patch_quickjs("int JS_EnqueueJob(void) {}")


class TestSources:
    def test_the_lock_pins_versions_and_digests(self) -> None:
        lock = read_lock(DEFAULT.lock)
        assert set(lock) == {"quickjs-ng", "ada-url"}
        assert all(len(source.sha256) == 64 and source.version for source in lock.values())

    def test_an_archive_in_the_cache_is_unpacked_without_fetching(self, tmp_path: Path) -> None:
        source = source_archive(tmp_path / "sdists" / "some_thing-1.0.tar.gz", "some_thing", b"hello")
        source = dataclasses.replace(source, name="some-thing")
        lines: list[str] = []
        folder = fetch(source, tmp_path, lines.append)
        assert (folder / "file.txt").read_bytes() == b"hello"
        assert fetch(source, tmp_path, lines.append) == folder
        assert lines == []

    def test_an_archive_with_another_digest_is_not_used(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        archive = tmp_path / "sdists" / "thing-1.0.tar.gz"
        source = dataclasses.replace(source_archive(archive, "thing", b"hello"), sha256="0" * 64)
        monkeypatch.setattr("sandbox.steps.sources._download", lambda source, archive: None)
        with pytest.raises(BuildError, match="the lock file says 0000"):
            fetch(source, tmp_path, quiet)
        assert not (tmp_path / "sources").exists()


class TestProtocol:
    def test_both_generated_forms_have_every_row(self) -> None:
        protocol = read_protocol(DEFAULT.protocol)
        script, header = typescript(protocol), c_header(protocol, 4096)
        for row in (*protocol.EVENTS, *protocol.OPS):
            assert f"\n  {row.name}: {row.number},\n" in script
        for op in protocol.OPS:
            assert f"#define DURABOX_OP_{op.name.upper()} {op.number}\n" in header
        assert f"#define DURABOX_PROTOCOL_VERSION {protocol.VERSION}\n" in header
        assert "#define DURABOX_STACK_BYTES 4096\n" in header

    @pytest.mark.parametrize(
        ("change", "message"),
        [(("Op(2, ", "Op(1, "), "without repetition"), (('"load_failed"', '"loaded"'), "same name")],
    )
    def test_a_table_that_contradicts_itself_is_refused(
        self, tmp_path: Path, change: tuple[str, str], message: str
    ) -> None:
        path = tmp_path / "protocol.py"
        path.write_text(DEFAULT.protocol.read_text().replace(*change, 1))
        with pytest.raises(BuildError, match=message):
            read_protocol(path)


class TestWasm:
    @pytest.mark.parametrize("n", [0, 1, 127, 128, 624485, 2**32 - 1])
    def test_unsigned_numbers(self, n: int) -> None:
        encoded = uleb(n)
        assert sum((byte & 127) << (7 * i) for i, byte in enumerate(encoded)) == n
        assert [byte >> 7 for byte in encoded] == [1] * (len(encoded) - 1) + [0]

    def test_signed_numbers(self) -> None:
        assert [sleb(n).hex() for n in (0, 63, 64, -64, -65, 2**31 - 1)] == [
            "00",
            "3f",
            "c000",
            "40",
            "bf7f",
            "ffffffff07",
        ]

    def test_runs_are_whole_units_of_what_is_not_zero(self) -> None:
        memory = bytearray(PAGE)
        memory[4096 * 2 + 5] = memory[4096 * 3] = memory[4096 * 9 + 4095] = 1
        runs = nonzero_runs(bytes(memory), 0)
        assert [(address, len(data)) for address, data in runs] == [(8192, 8192), (4096 * 9, 4096)]
        assert nonzero_runs(bytes(memory), 8192 + 8192) == runs[1:]

    def test_what_is_not_wasm_is_refused(self) -> None:
        with pytest.raises(BuildError, match="not a wasm module"):
            cut(b"\x7fELF....")

    def test_a_module_that_does_not_import_its_memory_is_refused(self) -> None:
        with pytest.raises(BuildError, match="no stack pointer"):
            cut(memory_module(1, []))

    def test_a_second_mutable_global_is_refused(self) -> None:
        two = b"\x02" + b"\x7f\x01\x41\x00\x0b" * 2
        with pytest.raises(BuildError, match="2 mutable globals"):
            cut(b"\0asm\1\0\0\0\x06" + uleb(len(two)) + two)
