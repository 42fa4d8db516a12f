"""The border between a student's code and the tests that judge it.

The student's code runs in one process, the *candidate*; the tests run in another, the *examiner*, where the student's
functions and classes are stand-ins. What passes between the two is data: numbers, text and tensors, never code.

Both sides: messages.py (what they say), wire.py (how it crosses), handed_over.py (what a test hands over besides plain
values). The examiner's: testing.py (runs test cells), stand_ins.py (what a test holds), examiner.py (what it does when
it is called), conversation.py (asks), mirrors.py (keeps both sides alike), errors.py (raises here what was raised
there). The candidate's: kernel.py (starts beside the student's code) and candidate.py (answers).
"""
