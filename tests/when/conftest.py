import sys
from pathlib import Path

# Helpers beside the tests; pytest's importlib mode leaves the path alone.
sys.path.insert(0, str(Path(__file__).parent))
