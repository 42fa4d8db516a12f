"""The border between a student's code and the tests that judge it.

The student's code runs in one process, the *candidate*; the tests run in another, the *examiner*, where the student's
functions and classes are stand-ins. What passes between the two is data: numbers, text and tensors, never code.
"""
