"""The one connection through which a submission is recorded: for its own database and its own thread alone."""

import threading

import pytest
from nbgrader.api import Gradebook

from grading.recording import in_one_transaction


@pytest.fixture
def address(tmp_path, monkeypatch):
    """The address of an empty gradebook."""
    monkeypatch.setattr("nbgrader.api.get_alembic_version", lambda: "0")  # it asks another program, for a second
    address = f"sqlite:///{tmp_path / 'gradebook.db'}"
    Gradebook(address).close()
    return address


@pytest.fixture
def connection(address):
    gradebook = Gradebook(address)
    with gradebook.engine.connect() as connection:
        yield connection
    gradebook.close()


def students(address):
    with Gradebook(address) as gradebook:
        return [student.id for student in gradebook.students]


def test_all_gradebooks_of_a_transaction_share_its_connection_and_are_committed_as_one(address, connection):
    with in_one_transaction(connection):
        for name in ("ada", "bela"):
            with Gradebook(address) as gradebook:
                gradebook.add_student(name)
                assert gradebook.db.get_bind() is connection
    assert sorted(students(address)) == ["ada", "bela"]


def test_nothing_is_left_of_a_transaction_that_fails(address, connection):
    with pytest.raises(RuntimeError), in_one_transaction(connection):
        with Gradebook(address) as gradebook:
            gradebook.add_student("ada")
        raise RuntimeError
    assert students(address) == []


def test_another_database_meanwhile_gets_its_own_connection(connection, tmp_path):
    other = f"sqlite:///{tmp_path / 'other.db'}"
    with in_one_transaction(connection), Gradebook(other) as gradebook:
        gradebook.add_student("ada")
        assert gradebook.engine is not connection.engine
    assert students(other) == ["ada"]


def test_another_thread_meanwhile_gets_its_own_connection(address, connection):
    engines = []

    def open_one():
        with Gradebook(address) as gradebook:
            engines.append(gradebook.engine)

    with in_one_transaction(connection):
        thread = threading.Thread(target=open_one)
        thread.start()
        thread.join()
    assert len(engines) == 1 and engines[0] is not connection.engine


def test_after_the_transaction_each_gradebook_has_its_own_connection_again(address, connection):
    with in_one_transaction(connection):
        pass
    with Gradebook(address) as gradebook:
        assert gradebook.engine is not connection.engine
