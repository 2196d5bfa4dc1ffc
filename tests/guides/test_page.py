from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kmslab.guides.page import Kind, PageError, read

if TYPE_CHECKING:
    from pathlib import Path


def page(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "07-example.md"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_page_is_read_as_steps_with_their_outputs(tmp_path: Path) -> None:
    read_page = read(
        page(
            tmp_path,
            "# Seven\n\nIdea.\n\n```mermaid\nflowchart LR\n```\n\n## One\n\n"
            "```bash\necho a\n```\n\nYou see:\n\n```text\na\n```\n\n"
            "## Two\n\n```bash\n# Refused: nobody may\nfalse\n```\n\n```json\n{}\n```\n\n"
            "```bash\n# Shown only: needs a phone\ncall me\n```\n",
        )
    )
    assert (read_page.title, read_page.name) == ("Seven", "07-example")
    one, two, three = read_page.steps
    assert (one.kind, one.script, one.section, one.line) == (Kind.RUN, "echo a", "One", 12)
    assert one.expected is not None
    assert (one.expected.text, one.expected.line, one.expected.is_json) == ("a", 18, False)
    assert (two.kind, two.why, two.section) == (Kind.REFUSED, "nobody may", "Two")
    assert two.expected is not None
    assert two.expected.is_json
    assert (three.kind, three.why, three.expected) == (Kind.SHOWN, "needs a phone", None)


def test_a_step_says_how_long_it_may_take_and_where_it_runs(tmp_path: Path) -> None:
    text = (
        "# T\n\n```bash\n# Takes up to: 900 s\n# Only on AWS: no local trail\nls\n```\n\n```bash\nls\n```\n"
    )
    one, two = read(page(tmp_path, text)).steps
    assert (one.kind, one.why, one.limit) == (Kind.AWS, "no local trail", 900)
    assert (two.kind, two.why, two.limit) == (Kind.RUN, "", None)


def test_an_include_is_no_output_and_keeps_its_place(tmp_path: Path) -> None:
    text = (
        "# T\n\n```bash\nls\n```\n\n<!-- policy: keys App Use -->\n\n```json\n{}\n```\n\n"
        "```text\na\n```\n\n```mermaid\nflowchart LR\n```\n"
    )
    one = read(page(tmp_path, text))
    (include,) = one.includes
    assert (include.what, include.place, include.text, include.line) == ("policy", "keys App Use", "{}", 10)
    assert one.steps[0].expected is not None
    assert one.steps[0].expected.text == "a"
    assert one.drawings == ("flowchart LR",)


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        ("# T\n\n```sh\nls\n```\n", 4, "not 'sh'"),
        ("# T\n\n```\nls\n```\n", 4, "not 'unnamed'"),
        ("# T\n\n```bash hidden\nls\n```\n", 4, "not 'bash hidden'"),
        ("# T\n\n~~~bash\nls\n~~~\n", 3, "three backticks"),
        ("# T\n\n````bash\nls\n````\n", 3, "three backticks"),
        ("# T\n\n- x\n\n  ```bash\n  ls\n  ```\n", 5, "start of the line"),
        ("# T\n\n    aws kms list-keys\n", 3, "stand in fences"),
        ("# T\n\n<pre>aws kms list-keys</pre>\n", 3, "stand in fences"),
        ("# T\n\n```bash\nls\n", 3, "not closed"),
        ("# T\n\n```bash\n\n```\n", 4, "empty"),
        ("# T\n\n```text\na\n```\n", 4, "belongs to no bash block"),
        ("# T\n\n```bash\nls\n```\n\n## U\n\n```text\na\n```\n", 10, "belongs to no bash block"),
        ("# T\n\n```bash\nls\n```\n\n```text\na\n```\n\n```text\nb\n```\n", 12, "belongs to no bash block"),
        ("# T\n\n```bash\n# refused\nls\n```\n", 4, "# Refused: <why>"),
        ("# T\n\n```bash\nls\n# Shown only: no\n```\n", 5, "# Refused: <why>"),
        ("# T\n\n```bash\n# Refused: no\nls\n```\n", 4, "must show the error"),
        ("# T\n\n```bash\nls\n```\n\n```text\n<colour>\n```\n", 8, "<colour> is no hole"),
        ("# T\n\n```bash\nls\n```\n\n```text\n...\n```\n", 8, "must say something"),
        ("# T\n\n```bash\n# timeout 5\nls\n```\n", 4, "# Takes up to: <seconds> s"),
        ("# T\n\n```bash\n# Only on AWS\nls\n```\n", 4, "# Only on AWS: <why>"),
        ("# T\n\n```python\nprint()\n```\n", 4, "not 'python'"),
        ("# T\n\n<!-- include: a.py f -->\nText.\n", 4, "followed by its fence"),
        ("# T\n\n<!-- include: a.py f -->\n", 3, "followed by its fence"),
        ("# T\n\n<!-- include a.py -->\n```python\n```\n", 3, "write <!-- include: FILE SYMBOL -->"),
        ("# T\n\n<!-- include: a.py f -->\n```bash\nls\n```\n", 5, "an include must be python"),
    ],
)
def test_what_breaks_the_markup_is_refused_with_its_place(
    tmp_path: Path, text: str, line: int, what: str
) -> None:
    path = page(tmp_path, text)
    with pytest.raises(PageError) as refused:
        read(path)
    assert str(refused.value).startswith(f"{path}:{line}: ")
    assert what in str(refused.value)
