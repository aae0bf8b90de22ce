"""The committed generated code is what ``proto/`` gives, and the check says so when it is not."""

from pathlib import Path

from tools.gen_proto import TARGET, differences, generate, present, write


def test_generated_code_is_fresh() -> None:
    assert differences(generate(), present()) == []


def test_differences_name_what_is_missing_left_over_and_changed(tmp_path: Path) -> None:
    wanted = {"__init__.py": "a\n", "v1/one_pb2.py": "b\n", "v1/one_pb2.pyi": "c\n"}
    write(wanted, tmp_path)
    assert differences(wanted, present(tmp_path)) == []
    (tmp_path / "v1/one_pb2.py").write_text("changed\n", encoding="utf-8")
    (tmp_path / "v1/one_pb2.pyi").unlink()
    (tmp_path / "v1/old_pb2.py").write_text("", encoding="utf-8")
    assert differences(wanted, present(tmp_path)) == [
        "missing: v1/one_pb2.pyi",
        "left over: v1/old_pb2.py",
        "changed: v1/one_pb2.py",
    ]
    write(wanted, tmp_path)
    assert present(tmp_path) == wanted


def test_generated_modules_import_each_other_by_their_place() -> None:
    for path in TARGET.rglob("*_pb2.py*"):
        assert "from tradebus.v1 import" not in path.read_text(encoding="utf-8")
