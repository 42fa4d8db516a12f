"""The filter for system calls is a program for one kind of processor."""

from grading.system_calls import filter_program


def test_a_program_for_another_processor_is_none_rather_than_a_wrong_one():
    assert filter_program("riscv64") is None
    assert filter_program("x86_64") != filter_program("aarch64")
