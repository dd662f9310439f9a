"""Showing graphs: as formulas, trees and drawings; and printing values while a function runs."""

from arignote.printing.drawing import pydotprint as pydotprint
from arignote.printing.formula import pp as pp
from arignote.printing.formula import pp as pprint
from arignote.printing.tree import debugprint as debugprint
from arignote.printing.values import Print as Print

__all__ = ["Print", "debugprint", "pp", "pprint", "pydotprint"]
