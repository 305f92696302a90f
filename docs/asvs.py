"""Prints how the portal meets OWASP ASVS 5.0, levels 1 and 2, chapter by chapter, in Markdown."""

import csv
import sys
from collections import Counter
from itertools import groupby
from pathlib import Path

CHAPTERS = (
    "Encoding and sanitization",
    "Validation and business logic",
    "Web frontend",
    "API and web service",
    "Files",
    "Authentication",
    "Sessions",
    "Authorization",
    "Self-contained tokens",
    "OAuth and OIDC",
    "Cryptography",
    "Communication",
    "Configuration",
    "Data protection",
    "Coding and architecture",
    "Logging and errors",
    "WebRTC",
)
VERDICTS = {"pass": "pass", "part": "part", "fail": "FAIL", "none": "does not apply"}


def main() -> None:
    with Path(__file__).with_name("asvs.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    counts = Counter(row["verdict"] for row in rows)
    sys.stdout.write("# OWASP ASVS 5.0, levels 1 and 2\n\n")
    sys.stdout.write(f"{counts['pass']} pass, {counts['part']} are met in part, {counts['fail']} fail.\n")
    for chapter, found in groupby(rows, key=lambda row: int(row["requirement"].split(".")[0])):
        sys.stdout.write(f"\n## V{chapter} {CHAPTERS[chapter - 1]}\n\n| | | |\n| --- | --- | --- |\n")
        for row in found:
            sys.stdout.write(f"| {row['requirement']} | {VERDICTS[row['verdict']]} | {row['where']} |\n")


if __name__ == "__main__":
    main()
