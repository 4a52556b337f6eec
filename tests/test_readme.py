from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_the_board_in_the_readme_is_the_one_in_the_result_file():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    block = readme.split("<!-- recovery: begin", 1)[1].split("<!-- recovery: end -->", 1)[0]
    rows = [line for line in block.splitlines() if line.startswith("|")]
    results = (ROOT / "benchmarks" / "recovery" / "RESULTS.md").read_text(encoding="utf-8")
    assert len(rows) > 10
    assert "\n".join(rows) in results
