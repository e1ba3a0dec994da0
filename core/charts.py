"""What the charts that the server draws share: only the scale; their shapes differ and change by themselves."""


def nice(value: float) -> int:
    """The next of 2, 4, 10, 20, 40, 100 … at or above ``value``: its half is whole too."""
    scale = 1
    while True:
        for step in (1, 2, 5):
            if value <= 2 * step * scale:
                return 2 * step * scale
        scale *= 10
