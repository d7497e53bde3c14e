"""hsirepro: five hyperspectral image synthesis papers, re-done end to end.

The rooms follow the way of the data, and each imports only from those before it::

    scenes -> optics -> unmixing / fusion / recovery / generation -> downstream
           -> metrics -> records -> report

Importing this package is cheap: torch and friends are imported by the rooms that need them.
"""

__version__ = "0.1.0"
