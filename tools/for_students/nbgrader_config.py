"""nbgrader's settings in a student's copy of the course, for the button *Validate*."""

c = get_config()

c.KernelManager.transport_encryption = "auto"  # without it each kernel prints a warning
